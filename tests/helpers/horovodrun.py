"""`horovodrun`, without its search for how Horovod was built.

It imports MXNet in processes of its own to find that it has Gloo and no MPI: half of the computing
of a start of two ranks. All else is horovodrun's.
"""

import sys


def main():
    """Run the command line of horovodrun; returns its exit code."""
    from horovod.runner import launch  # here: the processes it spawns import this file too

    launch.mpi_built = lambda verbose=False: False
    launch.gloo_built = lambda verbose=False: True
    return launch.run_commandline()


if __name__ == "__main__":
    sys.exit(main())
