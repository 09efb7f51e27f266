"""The processor: its cores, its features, and the environment that MXNet's CPU operators need.

MXNet reads the environment when it is imported: `prepare_cpu` comes before that.
"""

import os
from pathlib import Path

# Kernels for OpenBLAS, best first, and the processor flags they need.
_KERNELS = {
    "SkylakeX": {"avx512f", "avx512dq", "avx512bw", "avx512vl"},
    "Haswell": {"avx2", "fma"},
}


def prepare_cpu():
    """Give this process its cores and the processor's own matrix kernels.

    Sets two variables where the user has not. OMP_NUM_THREADS becomes the cores of this host for
    each of its ranks, because MXNet alone takes half the cores. OPENBLAS_CORETYPE names the best
    kernels, because the OpenBLAS in MXNet's wheel takes kernels of 2004 for a processor that is
    newer than itself. To be called before MXNet is imported.
    """
    ranks = os.environ.get("HOROVOD_LOCAL_SIZE") or os.environ.get("OMPI_COMM_WORLD_LOCAL_SIZE")
    ranks = int(ranks) if ranks and ranks.isascii() and ranks.isdigit() else 1
    threads = max(1, cores() // max(1, ranks))
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    kernels = openblas_kernels(processor_flags())
    if kernels:
        os.environ.setdefault("OPENBLAS_CORETYPE", kernels)


def processor_flags():
    """The processor's features by Linux's names, a set; empty where Linux does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def openblas_kernels(flags):
    """Name of the best OpenBLAS kernels for a processor of these flags, None for its own choice."""
    return next((name for name, needed in _KERNELS.items() if needed <= flags), None)


def cores():
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))
