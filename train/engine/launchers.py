"""Processes that a launcher started and Horovod knows nothing of.

`mpirun`, `srun` and the like start N processes. Where Horovod was built without MPI each of them
would train alone, all into one folder. Their environment gives them away.
"""

from dataclasses import dataclass
from typing import Optional

from gluon_glore.utils.errors import InputError


@dataclass(frozen=True)
class Launcher:
    """A launcher, and the variables in which each of its processes finds their number and its own.

    `common`: these names are used for other things too, so that one of the two says nothing.
    """

    name: str
    size: str
    rank: str
    common: bool = False


LAUNCHERS = (
    Launcher("mpirun of Open MPI", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    Launcher("mpirun of MVAPICH", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"),
    Launcher("mpiexec of MPICH or Intel MPI", "PMI_SIZE", "PMI_RANK"),  # Hydra; srun --mpi=pmi2
    Launcher("a launcher of PMIx", "", "PMIX_RANK"),  # it says no size
    Launcher("srun", "SLURM_NTASKS", "SLURM_PROCID"),  # see `_in_step`
    Launcher("srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
    Launcher("jsrun", "JSM_NAMESPACE_SIZE", "JSM_NAMESPACE_RANK"),
    Launcher("flux run", "FLUX_JOB_SIZE", "FLUX_TASK_RANK"),
    Launcher("torchrun", "WORLD_SIZE", "RANK", common=True),  # Kubeflow's PyTorchJob too
    Launcher("launch.py of MXNet", "DMLC_NUM_WORKER", "DMLC_TASK_ID"),  # Kubeflow's MXJob too
)
FIRST_SPECIAL_STEP = 2**32 - 16  # Slurm's steps that are no tasks of srun: batch, interactive, ...


@dataclass(frozen=True)
class Claim:
    """What a launcher says of this process; None for what it does not say."""

    launcher: Launcher
    size: Optional[int]
    rank: Optional[int]

    def agrees(self, size, rank):
        """Whether another's size and rank are not in contradiction to it."""
        return self.size in (None, size) and self.rank in (None, rank)


def claims(environ):
    """What launchers of more than one process say in an environment, a list of `Claim`.

    A variable that is no whole number says nothing. A rank above 0 without a size is one of
    several; 0 without a size may be alone.
    """
    found = []
    for launcher in LAUNCHERS:
        size, rank = (_number(environ, name) for name in (launcher.size, launcher.rank))
        if launcher.size == "SLURM_NTASKS" and not _in_step(environ):
            continue
        if launcher.common and None in (size, rank):
            continue
        if (size or 0) > 1 or size is None and (rank or 0) > 0:
            found.append(Claim(launcher, size, rank))
    return found


def check_launchers(environ, size, rank):
    """Raise InputError where a launcher says another size or rank than Horovod does.

    A launcher inherits the variables of those around it: where one agrees in both, as `mpirun`
    does with a Horovod that has MPI, the others are around it.
    """
    found = claims(environ)
    if any(c.agrees(size, rank) and None not in (c.size, c.rank) for c in found):
        return
    for claim in found:
        if not claim.agrees(size, rank):
            raise InputError(_refusal(claim, size, rank))


def _refusal(claim, size, rank):
    """What is wrong, in one line."""
    if claim.size in (None, size):
        name, said, known = claim.launcher.rank, f"rank {claim.rank}", f"rank {rank}"
    else:
        name, said, known = claim.launcher.size, f"{claim.size} processes", str(size)
    number = size if size > 1 else claim.size or "N"
    return (
        f"{name} says {said}, Horovod knows of {known}: the processes of {claim.launcher.name} "
        f"would each run alone; start them as `horovodrun -np {number} python -m train.TASK ...`, "
        f"or unset {name} where each is meant to be alone"
    )


def _in_step(environ):
    """Whether Slurm started this process by srun, and SLURM_NTASKS is of its step.

    It is the allocation's where no step counts its tasks: in a batch script, whose SLURM_PROCID
    is 0, under salloc, and in the processes that horovodrun starts in these.
    """
    if "SLURM_STEP_NUM_TASKS" in environ:  # another row
        return False
    step, rank = _number(environ, "SLURM_STEP_ID"), _number(environ, "SLURM_PROCID")
    return (rank or 0) > 0 or step is not None and step < FIRST_SPECIAL_STEP


def _number(environ, name):
    """A variable as a whole number from 0 on; None where it is not there, or none."""
    text = environ.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() else None
