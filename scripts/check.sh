#!/usr/bin/env bash
# Installs what is missing, builds and runs the tests.
#
#   scripts/check.sh          release build with all tests, every instruction set of this processor,
#                             sanitizers on the fast tests, fuzz corpora replayed
#   scripts/check.sh --full   also the slow tests, the ARM build under emulation and the fuzz targets
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

full=no
case "${1:-}" in
  "") ;;
  --full) full=yes ;;
  *) fail "unknown option '$1'; expected --full or nothing" ;;
esac
# shellcheck disable=SC2086
install_packages $PACKAGES_BUILD $PACKAGES_MEDIA $PACKAGES_TEST $PACKAGES_TRAIN
left_out=()
started=$SECONDS
step() { say "[$((SECONDS - started)) s] $*"; }

step "rules of the source tree"
python3 tools/check_includes.py
python3 tools/check_size.py
python3 tools/check_names.py

step "the OpenAI client, for the tests of the server"
# Where the package index cannot be reached, that test says that it was skipped.
if ! [ -x build/venv-serve/bin/python3 ]; then
  python3 -m venv build/venv-serve &&
    build/venv-serve/bin/pip install --quiet --disable-pip-version-check "openai>=1.50,<4" ||
    { rm -rf build/venv-serve; left_out+=("the OpenAI client against the server: the package openai could not be installed"); }
fi

step "release build"
configure release -DNOLENS_WITH_TORCH=ON
build release
step "release tests"
exclude=(-LE slow)
[ $full = yes ] && exclude=()
[ $full = no ] && left_out+=("tests labelled slow")
gemma3=build/models/gemma3-270m/gemma-3-270m-q4_k_m.gguf
if [ $full = yes ] && [ -f "$gemma3" ]; then
  export NOLENS_GEMMA3_270M=${NOLENS_GEMMA3_270M:-$PWD/$gemma3}
fi
[ -z "${NOLENS_GEMMA3_270M:-}" ] &&
  left_out+=("tests with the released Gemma 3 270M (scripts/fetch_gemma3_270m.sh fetches it)")
ctest --test-dir build/release --output-on-failure --no-tests=error "${exclude[@]}"

step "kernels and model under every instruction set of this processor"
for isa in $(build/release/nolens doctor --list-isa); do
  step "NOLENS_CPU=$isa"
  NOLENS_CPU=$isa ctest --test-dir build/release --output-on-failure --no-tests=error -L isa
done

step "address and undefined-behaviour sanitizers"
configure asan
build asan
ctest --test-dir build/asan --output-on-failure --no-tests=error -LE 'slow|train'

step "thread sanitizer on the pool, the engine and the server"
configure tsan
build tsan platform_tests engine_tests serve_http_tests serve_api_tests
ctest --test-dir build/tsan --output-on-failure --no-tests=error -L threads

if [ $full = yes ]; then
  # shellcheck disable=SC2086
  install_packages $PACKAGES_FUZZ $PACKAGES_ARM $PACKAGES_BENCH
  step "ARM kernels under emulation"
  tools/check_aarch64.sh
  step "fuzz targets, one minute each"
  configure fuzz
  build fuzz
  for target in build/fuzz/fuzz/*_fuzz; do
    name=$(basename "$target" _fuzz)
    scratch=$(mktemp -d)
    "$target" -max_total_time=60 -rss_limit_mb=2048 "$scratch" "fuzz/corpora/$name" >"$scratch.log" 2>&1 ||
      { tail -40 "$scratch.log"; fail "fuzz target $name found an input"; }
    rm -rf "$scratch" "$scratch.log"
  done
else
  left_out+=("ARM kernels under emulation" "running the fuzz targets")
fi

step "all checks passed"
for part in "${left_out[@]}"; do say "left out: $part (--full runs it)"; done
