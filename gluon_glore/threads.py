"""Threads for MXNet's CPU operators. Imports no MXNet: it reads OMP_NUM_THREADS when it loads."""

import os


def use_cores():
    """Give this process its share of the machine: cores / ranks on this host.

    MXNet alone would take half the cores. Sets OMP_NUM_THREADS where the user has not; to be
    called before MXNet is imported.
    """
    ranks = os.environ.get("HOROVOD_LOCAL_SIZE") or os.environ.get("OMPI_COMM_WORLD_LOCAL_SIZE")
    cores = len(os.sched_getaffinity(0)) // int(ranks or 1)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores)))
