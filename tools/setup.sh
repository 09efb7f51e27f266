#!/usr/bin/env bash
# Make the virtual environment of `make setup`: tools/setup.sh DIRECTORY
# A fitting Python is found here ($PYTHON first); what is missing is said in one line.
# WITHOUT="dev horovod" leaves out what tests alone need, and Horovod: tools/image.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:?usage: tools/setup.sh DIRECTORY}
with() { [[ " ${WITHOUT:-} " != *" $1 "* ]]; }

fail() { echo "setup: $*" >&2; exit 1; }

fits() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; }

python=
for candidate in ${PYTHON:-python3.11 python3 python}; do
  if fits "$candidate"; then python=$candidate; break; fi
done
[ -n "$python" ] || fail "Python 3.11 needed (mxnet 1.9.1 wants numpy 1.23, Pillow 13 nothing older), found" \
  "$("${PYTHON:-python3}" --version 2>&1 | tail -n 1); install one or set PYTHON=/path/to/python"
"$python" -c 'import ensurepip, venv' 2>/dev/null \
  || fail "$python lacks the venv module (Debian: apt-get install python3-venv)"
for tool in c++ make cmake; do
  command -v "$tool" >/dev/null || fail "$tool needed to build Horovod (Debian: apt-get install g++ make cmake)"
done
[ "$(uname -sm)" = "Linux x86_64" ] || fail "Linux on x86_64 needed, mxnet 1.9.1 has no other wheels; this is $(uname -sm)"

echo "setup: $("$python" --version) in $venv; fetches about 300 MB, takes 1.5 GB of disk"
"$python" -m venv --clear "$venv"
# A bar for each download where somebody watches, a line for each elsewhere.
bar=off; if [ -t 1 ]; then bar=on; fi
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }
install() { pip install --progress-bar "$bar" --constraint constraints.txt --no-build-isolation "$@"; }

install pip setuptools wheel
grep -vxE 'gluoncv|cityscapesscripts|horovod' requirements.txt > "$venv/requirements.txt"
with dev || sed -i 's/,dev,/,/' "$venv/requirements.txt"
ln -sf "$PWD/constraints.txt" "$venv/constraints.txt"
install --requirement "$venv/requirements.txt"
install --no-deps gluoncv cityscapesscripts
with horovod || { echo "setup: done, without Horovod"; exit; }

log=$venv/horovod.log
echo "setup: building Horovod, which takes minutes; the compiler's lines go to $log"
share() {  # on a terminal, cmake's `[ 42%] Building ...` as one line that counts
  sed -un 's/^.*\[ *\([0-9]*\)%\].*/\1/p' | while read -r percent; do
    [ "$bar" = off ] || printf '\rsetup: %s %%' "$percent"
  done
  [ "$bar" = off ] || echo
}
# The last variable lets cmake 4 read project files written for cmake 2.
HOROVOD_WITH_MXNET=1 HOROVOD_WITH_GLOO=1 HOROVOD_WITHOUT_MPI=1 \
HOROVOD_WITHOUT_TENSORFLOW=1 HOROVOD_WITHOUT_PYTORCH=1 CMAKE_POLICY_VERSION_MINIMUM=3.5 \
PATH="$PWD/$venv/bin:$PATH" \
  install --verbose --no-deps horovod 2>&1 | tee "$log" | share \
  || { tail -n 20 "$log" >&2; fail "Horovod did not build, see $log"; }

"$venv/bin/python" -c 'import mxnet, gluoncv, horovod.mxnet, cv2, gluon_glore' \
  || fail "the environment does not import"
echo "setup: done"
