#!/bin/sh
# Usage: check_aarch64.sh [BUILD_DIR]
# Builds the kernels' and the platform's tests for aarch64 and runs them under user-mode emulation,
# once on a processor with every extension and once on one without dot products.
#
# Needs Debian's g++-aarch64-linux-gnu (or g++-12-aarch64-linux-gnu), qemu-user, googletest, cmake and
# ninja-build. GoogleTest is built from its sources, as there is no aarch64 library on an x86 machine.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-"$root/build/aarch64"}
gtest_sources=${GTEST_SOURCES:-/usr/src/googletest}

for tool in cmake ninja qemu-aarch64; do
  command -v "$tool" >/dev/null || { echo "check_aarch64: $tool is missing" >&2; exit 2; }
done
[ -d "$gtest_sources" ] || { echo "check_aarch64: no GoogleTest sources in $gtest_sources" >&2; exit 2; }
compiler=
for name in aarch64-linux-gnu-g++ aarch64-linux-gnu-g++-12; do
  if command -v "$name" >/dev/null; then compiler=$name; break; fi
done
[ -n "$compiler" ] || { echo "check_aarch64: no aarch64 compiler" >&2; exit 2; }
c_compiler=$(echo "$compiler" | sed 's/g++/gcc/')

mkdir -p "$build"
cat > "$build/toolchain.cmake" <<TOOLCHAIN
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER $c_compiler)
set(CMAKE_CXX_COMPILER $compiler)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
set(CMAKE_FIND_ROOT_PATH $build/root)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
TOOLCHAIN

cmake -S "$gtest_sources" -B "$build/gtest" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_TOOLCHAIN_FILE="$build/toolchain.cmake" -DCMAKE_INSTALL_PREFIX="$build/root" >/dev/null
cmake --build "$build/gtest" --target install >/dev/null
cmake -S "$root" -B "$build/nolens" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_TOOLCHAIN_FILE="$build/toolchain.cmake" \
  -DNOLENS_MODULES="core;platform;kernels" -DNOLENS_PARTS="" >/dev/null
cmake --build "$build/nolens" --target kernels_tests platform_tests

# In the emulator a vfork is a fork, so that a child cannot tell its parent why it did not start.
untold=ChildProcess.NamesAProgramThatCannotBeStarted
echo "left out under emulation: $untold"
for cpu in max cortex-a72; do
  echo "== emulated processor: $cpu"
  for test in kernels platform; do
    qemu-aarch64 -cpu "$cpu" "$build/nolens/tests/$test/${test}_tests" --gtest_brief=1 \
      --gtest_filter="-$untold"
  done
done
(cd "$build/nolens" && ctest -R isa_symbols --output-on-failure)
