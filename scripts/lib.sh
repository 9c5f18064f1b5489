# Shared by the scripts beside it: messages, packages, build. Sourced, not run.

say() { printf '==> %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Debian packages by purpose.
PACKAGES_BUILD="g++ cmake ninja-build pkg-config libjpeg-dev libpng-dev libwebp-dev
  libsimdjson-dev nlohmann-json3-dev libcli11-dev libedit-dev libcurl4-openssl-dev
  libboost1.81-dev libssl-dev prometheus-cpp-dev"
# For nolens-media; without them it is left out.
PACKAGES_MEDIA="libavformat-dev libavcodec-dev libswresample-dev libswscale-dev"
PACKAGES_TEST="zlib1g-dev libgtest-dev libgmock-dev ccache python3 binutils"
PACKAGES_TRAIN="libtorch-dev libgloo-dev libopenblas0-pthread"
PACKAGES_BENCH="libbenchmark-dev"
PACKAGES_FUZZ="clang"
PACKAGES_ARM="g++-aarch64-linux-gnu qemu-user googletest"

is_installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

# install_packages NAME...: installs what is missing, as root or through sudo, without questions.
install_packages() {
  local missing=() name
  for name in "$@"; do
    is_installed "$name" || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  # apt-get would remove the one for the other without asking.
  case " ${missing[*]} " in
    *" libboost1.81-dev "*) ! is_installed libboost1.74-dev || fail "libboost1.74-dev is installed and cannot be \
beside libboost1.81-dev, which this project needs; remove it yourself (apt-get remove libboost1.74-dev) if nothing else \
needs it" ;;
  esac
  command -v apt-get >/dev/null || fail "these packages are missing and this system has no apt-get: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "these packages are missing: ${missing[*]}; run this script as root or install sudo"
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >/dev/null
}

# configure PRESET [CMAKE OPTION...]; build PRESET [TARGET...]
configure() {
  local preset=$1; shift
  local launcher=()
  command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  cmake --preset "$preset" "${launcher[@]}" "$@" >/dev/null
}
build() {
  local folder=$1; shift
  cmake --build "build/$folder" ${1:+--target "$@"}
}
