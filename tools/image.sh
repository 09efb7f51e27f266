#!/usr/bin/env bash
# The steps of the Dockerfile, as root in a container of Debian: tools/image.sh STEP
#   base                 Python, and the user that the images run as
#   serve-build EXTRAS   /opt/venv: the package with these extras of pyproject.toml, without pip
#   train-build cpu|gpu  .venv of this checkout: `make setup` but for what only tests need
#   train                folders that the user may write to, and where NVIDIA's libraries are
set -euo pipefail
cd "$(dirname "$0")/.."
export DEBIAN_FRONTEND=noninteractive PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

fail() { echo "image: $*" >&2; exit 1; }

packages() {
  apt-get update --quiet
  apt-get install --quiet --yes --no-install-recommends "$@"
  apt-get clean
  rm -rf /var/lib/apt/lists/*
}

base() {
  local mxnet=()
  # All that the wheels lack, and MXNet's are of x86_64 alone.
  [ "$(uname -m)" != x86_64 ] || mxnet=(libgomp1 libquadmath0)
  packages python3 "${mxnet[@]}"
  useradd --no-create-home --uid 1000 glore
}

serve_build() {
  packages python3-venv
  python3 -m venv /opt/venv
  local install=(/opt/venv/bin/python -m pip install --progress-bar off --constraint constraints.txt)
  "${install[@]}" pip setuptools wheel
  "${install[@]}" --no-build-isolation ".[$1]"
  /opt/venv/bin/python -m pip uninstall --yes --quiet setuptools wheel pip
  /opt/venv/bin/gluon-glore --help > /dev/null
}

train_build() {
  packages python3-venv g++ make cmake
  case $1 in
    cpu) WITHOUT=dev bash tools/setup.sh .venv ;;
    gpu)
      # Horovod for GPUs has to be built with CUDA's toolkit; one for CPUs would refuse their arrays.
      WITHOUT="dev horovod" bash tools/setup.sh .venv
      bash tools/gpu_libs.sh .venv
      ;;
    *) fail "train-build takes cpu or gpu, not $1" ;;
  esac
}

train() {
  install --directory --owner 1000 --group 1000 data runs
  find "$PWD/.venv" -path '*/nvidia/*/lib' -type d > /etc/ld.so.conf.d/nvidia.conf
  ldconfig
  # The stage before this one had a compiler, and its libraries.
  local missing
  missing=$(ldd .venv/lib/python3*/site-packages/mxnet/libmxnet.so | awk '/not found/ {print $1}')
  [ -z "${missing#libcuda.so.1}" ] || fail "MXNet lacks ${missing//$'\n'/ }"
}

case ${1:-} in
  base | train) [ $# = 1 ] || fail "$1 takes no argument" ;;
  serve-build | train-build) [ $# = 2 ] || fail "$1 takes one argument" ;;
  *) fail "a step is base, serve-build EXTRAS, train-build cpu|gpu or train, not ${1:-nothing}" ;;
esac
step=${1//-/_}
shift
"$step" "$@"
