"""The processor: its cores, its features, and the environment that MXNet's CPU operators need.

MXNet reads the environment when it is imported: `prepare_cpu` comes before that.
"""

import os
from pathlib import Path

# Kernels for OpenBLAS, best first, and the processor flags they need. The OpenBLAS of MXNet's
# wheel takes the second for the first, which it lacks; NumPy's and SciPy's read the name too.
_KERNELS = {
    "SkylakeX": {"avx512f", "avx512dq", "avx512bw", "avx512vl"},
    "Haswell": {"avx2", "fma"},
}

# Kernels that MXNet and oneDNN in it keep for input sizes to come: without a limit MXNet's grow for
# as long as new sizes come. MXNet counts by kind of operator, and drops the newest for the next: it
# must have room for all layers of a network, or those at its end are prepared at each pass.
_CACHES = {"MXNET_MKLDNN_CACHE_NUM": "256", "DNNL_PRIMITIVE_CACHE_CAPACITY": "256"}


def prepare_cpu():
    """Give this process its cores and the processor's own matrix kernels, and bound MXNet's caches.

    Sets variables where the user has not. OMP_NUM_THREADS becomes the cores of this host for
    each of its ranks, because MXNet alone takes half the cores. OPENBLAS_CORETYPE names the best
    kernels, because the OpenBLAS in MXNet's wheel takes kernels of 2004 for a processor that is
    newer than itself. `bound_caches` says the others. To be called before MXNet is imported.
    """
    bound_caches()
    ranks = os.environ.get("HOROVOD_LOCAL_SIZE") or os.environ.get("OMPI_COMM_WORLD_LOCAL_SIZE")
    ranks = int(ranks) if ranks and ranks.isascii() and ranks.isdigit() else 1
    threads = max(1, cores() // max(1, ranks))
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    kernels = openblas_kernels(processor_flags())
    if kernels:
        os.environ.setdefault("OPENBLAS_CORETYPE", kernels)


def bound_caches():
    """Bound the memory that MXNet keeps for input sizes that it has seen, where the user has not.

    Sets MXNET_MKLDNN_CACHE_NUM and DNNL_PRIMITIVE_CACHE_CAPACITY. They are read when the first
    operator runs, so this may come after MXNet's import, but not after that.
    """
    for name, most in _CACHES.items():
        os.environ.setdefault(name, most)


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
