#!/bin/sh
# Trains models/nolens-tiny anew and scores it on the official test split.
#
#   scripts/train_tiny.sh WORK_FOLDER [nolens-train options]
#
# Needs nolens-train (a build with -DNOLENS_WITH_TORCH=ON, its folder in NOLENS_TRAIN or on PATH) and
# the Python package easy-vqa, in the Python named by PYTHON. About half an hour on two cores. The new
# model ends up in WORK_FOLDER/run/model; nothing in the source tree changes.
set -eu

if [ $# -lt 1 ]; then
  echo "usage: scripts/train_tiny.sh WORK_FOLDER [nolens-train options]" >&2
  exit 2
fi
work=$1
shift
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
trainer=${NOLENS_TRAIN:-nolens-train}
recipe=$root/models/nolens-tiny

command -v "$trainer" > /dev/null || {
  echo "train_tiny.sh: '$trainer' not found; build with -DNOLENS_WITH_TORCH=ON and set NOLENS_TRAIN" >&2
  exit 2
}
"$python" -c 'import easy_vqa' 2> /dev/null || {
  echo "train_tiny.sh: $python has no easy_vqa module; pip install easy-vqa in a virtual environment" >&2
  exit 2
}

mkdir -p "$work/start"
"$python" "$root/tools/easy_vqa_to_jsonl.py" "$work/data"
"$python" "$root/tools/easy_vqa_to_jsonl.py" "$work/data" --test "$root/data/easy-vqa-test"
cp "$recipe/config.json" "$recipe/generation_config.json" "$recipe/processor_config.json" \
  "$recipe/chat_template.jinja" "$work/start"
"$python" "$root/tools/make_tiny_tokenizer.py" "$work/start" "$work/data/train.jsonl"

"$trainer" --config "$recipe/training.json" --model "$work/start" --from-scratch \
  --data "$work/data/train.jsonl" --validation "$work/data/validation.jsonl" \
  --out "$work/run" "$@"

# The only look at the official test split.
"$trainer" --model "$work/run/model" --evaluate-only --validation "$work/data/test.jsonl" \
  --out "$work/test" --evaluate-file "$work/test/scores.json" --ranks 2
