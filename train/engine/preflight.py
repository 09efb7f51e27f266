"""Checks before the first step: what will go wrong costs seconds, not an epoch or a run."""

import os
import shutil
import tempfile

import numpy as np

from gluon_glore.utils.errors import InputError, naming
from gluon_glore.utils.extras import require

from ..reporting.tensorboard import require_tensorboard


def check_packages(config):
    """Raise InputError where an optional package is missing that a run needs at its end."""
    require("matplotlib", "train", "curves.png")
    if config.tensorboard:
        require_tensorboard()


def check_out(out, net, keep=2):
    """Raise InputError where a run's directory can't be made or written, or the disk is too small.

    Needed are weights and momentum, `keep` + 2 times: the newest ones, the best, and the one being
    written; less what `out` holds already. Nothing is left behind.
    """
    # The deepest part of the path that exists. lexists: a broken link is in the way too.
    path = out.absolute()
    place = next(part for part in (path, *path.parents) if os.path.lexists(part))
    if not place.is_dir():
        raise InputError(f"{out}: {place} is not a directory")
    with naming(place), tempfile.TemporaryFile(dir=place) as file:
        file.write(b"a byte, for some systems refuse no sooner")
    floats = sum(int(np.prod(param.shape)) for param in net.collect_params().values())
    held = sum(path.stat().st_size for path in out.glob("checkpoints/*/*.params"))
    needed, free = 2 * 4 * floats * (keep + 2) - held, shutil.disk_usage(place).free
    if free < needed:
        raise InputError(
            f"{out}: {free / 1e6:.0f} MB free, checkpoints of {net.spec.name} take "
            f"{needed / 1e6:.0f} MB"
        )


def check_channels(spec, data):
    """Raise InputError where a `data` section has not one mean for each of a network's channels."""
    if len(data.mean) != spec.in_channels:
        raise InputError(
            f"config key data.mean: {spec.name} takes {spec.in_channels} channels, "
            f"given {len(data.mean)} means"
        )
