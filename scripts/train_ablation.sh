#!/bin/sh
# What the contrastive loss does: the recipe of models/nolens-tiny with and without it, at equal steps.
#
#   scripts/train_ablation.sh WORK_FOLDER [STEPS [SEED...]]
#
# WORK_FOLDER is one that scripts/train_tiny.sh has prepared (its data and start folders are used).
# Prints one line per run: accuracy on the validation pictures and caption retrieval, which is the
# share of pictures whose most similar caption among all different ones is their own.
set -eu

if [ $# -lt 1 ]; then
  echo "usage: scripts/train_ablation.sh WORK_FOLDER [STEPS [SEED...]]" >&2
  exit 2
fi
work=$1
shift
steps=${1:-800}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- 1 2 3
root=$(cd "$(dirname "$0")/.." && pwd)
trainer=${NOLENS_TRAIN:-nolens-train}

for seed in "$@"; do
  for weight in 0 0.2; do
    out=$work/ablation-$steps-$weight-$seed
    "$trainer" --config "$root/models/nolens-tiny/training.json" --model "$work/start" \
      --from-scratch --data "$work/data/train.jsonl" --validation "$work/data/validation.jsonl" \
      --out "$out" --steps "$steps" --seed "$seed" --contrastive "$weight" \
      --evaluate-every 0 --checkpoint-every 0 --evaluate-file "$out/scores.json" > "$out.log"
    echo "seed $seed, contrastive weight $weight: $(grep validation: "$out.log" | tail -1)"
  done
done
