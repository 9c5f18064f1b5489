#!/usr/bin/env bash
# Installs what is missing, builds nolens and answers a question about a picture with the bundled model.
# Needs neither Python nor LibTorch. Run it as often as you like.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

# shellcheck disable=SC2086
install_packages $PACKAGES_BUILD
say "building (release)"
configure demo
build release nolens

picture=models/nolens-tiny/samples/blue-circle.png
question="what color is the shape?"
say "picture:  $picture"
say "question: $question"
build/release/nolens ask --show "$picture" "$question"
