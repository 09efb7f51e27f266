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

PIN = "GLORE_PIN"  # "0": processes of one host are not bound to cores
_BINDING = ("GOMP_CPU_AFFINITY", "KMP_AFFINITY", "OMP_PLACES")  # name cores to OpenMP
# What launchers call the number of a process on its host, and how many these are.
_LOCAL = (
    ("HOROVOD_LOCAL_RANK", "HOROVOD_LOCAL_SIZE"),
    ("OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
)


def prepare_cpu():
    """Give this process its cores and the processor's own matrix kernels, and bound MXNet's caches.

    Sets variables where the user has not. OMP_NUM_THREADS becomes the cores of this host for
    each of its ranks, because MXNet alone takes half the cores; `pin` binds each rank to its own.
    OPENBLAS_CORETYPE names the best kernels, because the OpenBLAS in MXNet's wheel takes kernels of
    2004 for a processor that is newer than itself. `bound_caches` says the others. To be called
    before MXNet is imported.
    """
    bound_caches()
    rank, ranks = local_rank()
    threads = max(1, cores() // ranks)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    pin(rank, ranks)
    kernels = openblas_kernels(processor_flags())
    if kernels:
        os.environ.setdefault("OPENBLAS_CORETYPE", kernels)


def local_rank():
    """(this process's number among those of its host, how many these are) by its launcher.

    The number is None where no launcher says one that fits; then they are 1, or what it says.
    """
    for names in _LOCAL:
        rank, ranks = (_number(os.environ.get(name)) for name in names)
        if ranks:
            return rank if rank is not None and rank < ranks else None, ranks
    return None, 1


def _number(text):
    """A text as a whole number from 0 on; None where it is none."""
    return int(text) if text and text.isascii() and text.isdigit() else None


def pin(rank, ranks):
    """Bind this process, and the threads that it starts from now on, to its share of the cores.

    Two processes of one thread that Linux moves between two cores now and then share one. Nothing
    is bound where somebody has chosen: by GLORE_PIN=0, by a variable of OpenMP that names cores or
    more threads than the share, by fewer cores than process 1 of this machine or container has. Nor
    where the process is alone, its number None, the cores fewer than the processes, or an NVIDIA
    GPU computes. Returns the cores that this process may use.
    """
    mine = os.sched_getaffinity(0)
    share = share_of(mine, rank, ranks)
    threads = _number(os.environ.get("OMP_NUM_THREADS"))
    chosen = os.environ.get(PIN) == "0" or any(name in os.environ for name in _BINDING)
    if chosen or threads is None or threads > len(share) or mine != _cores_of_all():
        return mine
    if Path("/dev/nvidiactl").exists():  # the cores prepare pictures, and more of them do no harm
        return mine
    if share != mine:
        os.sched_setaffinity(0, share)
    return share


def share_of(cores, rank, ranks):
    """The cores, a set, of process `rank` of `ranks`; all where it is None or they are too few."""
    if rank is None or len(cores) < ranks:
        return cores
    near = sorted(cores, key=_place)  # threads of one core, and cores of one processor, together
    return set(near[rank * len(near) // ranks : (rank + 1) * len(near) // ranks])


def _cores_of_all():
    """The cores of process 1: the machine's, or the container's; None where Linux hides it."""
    try:
        return os.sched_getaffinity(1)
    except OSError:
        return None


def _place(core):
    """Where a core of Linux's numbers is: (processor, core, number); 0 for what is not told."""
    topology = Path(f"/sys/devices/system/cpu/cpu{core}/topology")
    try:
        ids = [int((topology / name).read_text()) for name in ("physical_package_id", "core_id")]
    except (OSError, ValueError):
        ids = [0, 0]
    return (*ids, core)


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
