import os
import subprocess
import sys

import pytest

from gluon_glore.utils import cpu
from gluon_glore.utils.cpu import openblas_kernels, prepare_cpu, processor_flags, share_of
from tests.helpers.without_mxnet import needs_mxnet

CACHES = ("MXNET_MKLDNN_CACHE_NUM", "DNNL_PRIMITIVE_CACHE_CAPACITY")
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("OMP", "OPENBLAS"))}
SCRIPT = """
import os
from gluon_glore.utils.cpu import prepare_cpu
prepare_cpu()
print(os.environ["OMP_NUM_THREADS"], os.environ.get("OPENBLAS_CORETYPE"))
"""
CORES = """
import os
from gluon_glore.utils.cpu import prepare_cpu
prepare_cpu()
prepare_cpu()  # as a program that imports the trainers does
print(*sorted(os.sched_getaffinity(0)))
"""
FREE = os.sched_getaffinity(0) == os.sched_getaffinity(1) and len(os.sched_getaffinity(0)) > 1
chooses = pytest.mark.skipif(not FREE, reason="one core, or somebody has chosen the cores")


def prepared(script=SCRIPT, preexec_fn=None, **given):
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**ENVIRONMENT, **given},
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=preexec_fn,
    )
    return run.stdout.split()


def cores_of(rank, size, preexec_fn=None, **given):
    local = {"HOROVOD_LOCAL_RANK": str(rank), "HOROVOD_LOCAL_SIZE": str(size)}
    return set(map(int, prepared(CORES, preexec_fn, **local, **given)))


def test_a_process_takes_its_cores_and_its_own_kernels():
    cores = len(os.sched_getaffinity(0))
    kernels = str(openblas_kernels(processor_flags()))
    assert prepared() == [str(cores), kernels]
    assert prepared(HOROVOD_LOCAL_SIZE=str(2 * cores)) == ["1", kernels]
    for no_number in ("two", "0"):
        assert prepared(HOROVOD_LOCAL_SIZE=no_number) == [str(cores), kernels]


@chooses
def test_processes_of_a_host_share_out_its_cores():
    every = os.sched_getaffinity(0)
    shares = [cores_of(rank, 2) for rank in (0, 1)]
    assert all(shares) and shares[0] | shares[1] == every and not shares[0] & shares[1]
    for rank in ("0", "1"):
        local = {"OMPI_COMM_WORLD_LOCAL_RANK": rank, "OMPI_COMM_WORLD_LOCAL_SIZE": "2"}
        assert set(map(int, prepared(CORES, **local))) == shares[int(rank)]


@chooses
@pytest.mark.parametrize(
    "given",
    [
        {"size": 1},
        {"rank": "no number"},
        {"rank": 2},
        {"size": 2**20, "rank": 7},
        {"GLORE_PIN": "0"},
        {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))},
        {"GOMP_CPU_AFFINITY": "0-1"},
    ],
)
def test_cores_stay_as_they_are_where_somebody_has_chosen_or_nothing_is_to_share(given):
    assert cores_of(**{"rank": 0, "size": 2, **given}) == os.sched_getaffinity(0)


@chooses
def test_cores_that_a_launcher_gave_a_process_stay():
    last = max(os.sched_getaffinity(0))
    assert cores_of(0, 2, lambda: os.sched_setaffinity(0, {last})) == {last}


def test_every_core_has_one_process_and_shares_differ_by_one_at_most(monkeypatch):
    monkeypatch.setattr(cpu, "_place", lambda core: (0, core % 4, core))  # two threads a core
    assert [share_of(set(range(8)), rank, 2) for rank in (0, 1)] == [{0, 4, 1, 5}, {2, 6, 3, 7}]
    for count, ranks in ((7, 3), (5, 5), (9, 2)):
        shares = [share_of(set(range(count)), rank, ranks) for rank in range(ranks)]
        assert sorted(core for share in shares for core in share) == list(range(count))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert share_of({0, 1}, None, 2) == share_of({0, 1}, 0, 3) == {0, 1}


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


@needs_mxnet
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
