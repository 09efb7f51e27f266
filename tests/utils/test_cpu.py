import os
import subprocess
import sys

import pytest

from gluon_glore.utils.cpu import openblas_kernels, prepare_cpu, processor_flags

CACHES = ("MXNET_MKLDNN_CACHE_NUM", "DNNL_PRIMITIVE_CACHE_CAPACITY")
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("OMP", "OPENBLAS"))}
SCRIPT = """
import os
from gluon_glore.utils.cpu import prepare_cpu
prepare_cpu()
print(os.environ["OMP_NUM_THREADS"], os.environ.get("OPENBLAS_CORETYPE"))
"""


def prepared(**given):
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**ENVIRONMENT, **given},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.split()


def test_a_process_takes_its_cores_and_its_own_kernels():
    cores = len(os.sched_getaffinity(0))
    kernels = str(openblas_kernels(processor_flags()))
    assert prepared() == [str(cores), kernels]
    assert prepared(HOROVOD_LOCAL_SIZE=str(2 * cores)) == ["1", kernels]
    for no_number in ("two", "0"):
        assert prepared(HOROVOD_LOCAL_SIZE=no_number) == [str(cores), kernels]


def test_what_the_user_has_set_stays():
    assert prepared(OMP_NUM_THREADS="7", OPENBLAS_CORETYPE="Nehalem") == ["7", "Nehalem"]


def test_caches_of_input_sizes_are_bounded_where_the_user_has_not(monkeypatch):
    for name in CACHES:
        monkeypatch.delenv(name, raising=False)
    prepare_cpu()
    assert [os.environ[name] for name in CACHES] == ["256", "256"]
    monkeypatch.setenv(CACHES[0], "-1")
    prepare_cpu()
    assert [os.environ[name] for name in CACHES] == ["-1", "256"]


@pytest.mark.parametrize(
    ("flags", "kernels"),
    [
        ("fma avx2 avx512f avx512dq avx512bw avx512vl", "SkylakeX"),
        ("fma avx2 avx512f avx512er", "Haswell"),  # Knights Landing
        ("sse4_2 avx", None),
        ("", None),
    ],
)
def test_kernels_are_those_the_processor_has(flags, kernels):
    assert openblas_kernels(set(flags.split())) == kernels


def test_openblas_takes_them():
    """The OpenBLAS of MXNet's wheel says which kernels it runs."""
    if openblas_kernels(processor_flags()) is None:
        pytest.skip("a processor without AVX2: OpenBLAS chooses")
    script = "from gluon_glore.utils.cpu import prepare_cpu; prepare_cpu(); import mxnet"
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**ENVIRONMENT, "OPENBLAS_VERBOSE": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    cores = {line.split(": ")[1] for line in run.stderr.splitlines() if line.startswith("Core: ")}
    assert cores
    assert cores <= {"Haswell", "SkylakeX"}
