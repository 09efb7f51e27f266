"""The environment that MXNet's CPU operators need. Imports no MXNet: it reads it when it loads."""

import os
from pathlib import Path

# Kernels for OpenBLAS, best first, and the processor flags they need.
_KERNELS = {
    "SkylakeX": {"avx512f", "avx512dq", "avx512bw", "avx512vl"},
    "Haswell": {"avx2", "fma"},
}


def prepare_cpu():
    """Give this process its cores and the processor's own matrix kernels.

    Sets, where the user has not, OMP_NUM_THREADS to cores / ranks on this host (MXNet alone takes
    half the cores), and OPENBLAS_CORETYPE: the OpenBLAS in MXNet's wheel does not know processors
    newer than itself and falls back to kernels of 2004. To be called before MXNet is imported.
    """
    ranks = os.environ.get("HOROVOD_LOCAL_SIZE") or os.environ.get("OMPI_COMM_WORLD_LOCAL_SIZE")
    cores = len(os.sched_getaffinity(0)) // int(ranks or 1)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores)))
    kernels = openblas_kernels(processor_flags())
    if kernels:
        os.environ.setdefault("OPENBLAS_CORETYPE", kernels)


def processor_flags():
    """The processor's features as Linux names them; empty where it does not say."""
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
