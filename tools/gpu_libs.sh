#!/usr/bin/env bash
# Put MXNet for CUDA in place of the CPU wheel: tools/gpu_libs.sh DIRECTORY
# DIRECTORY is a virtual environment (docs/imagenet.md: GPUs), or a folder just to check the wheels.
# Shows with ldd that the driver's libcuda.so.1 is the only library that the wheels do not bring,
# and prints the line that lets MXNet find the others.
set -euo pipefail
cd "$(dirname "$0")/.."
directory=${1:?usage: tools/gpu_libs.sh DIRECTORY}

if [ -x "$directory/bin/python" ]; then
  python=$directory/bin/python
  "$python" -m pip uninstall --yes --quiet mxnet
  "$python" -m pip install --quiet --no-deps -r requirements-gpu.txt
  site=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
else
  site=$directory
  "${PYTHON:-python3}" -m pip install --quiet --no-deps --target "$site" -r requirements-gpu.txt
fi

libraries=$(find "$(realpath "$site")/nvidia" -maxdepth 2 -name lib -printf '%p:')
missing=$(LD_LIBRARY_PATH=$libraries ldd "$site/mxnet/libmxnet.so" | awk '/not found/ {print $1}')
for library in $missing; do
  [ "$library" = libcuda.so.1 ] || { echo "gpu_libs: $library is not in the wheels" >&2; exit 1; }
done
echo "gpu_libs: unresolved: ${missing:-none} (libcuda.so.1 comes with the driver)"
echo "export LD_LIBRARY_PATH=$libraries\$LD_LIBRARY_PATH"
