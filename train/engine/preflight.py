"""Checks before the first step: what will go wrong costs seconds, not an epoch or a run."""

import contextlib
import dataclasses
import itertools
import os
import shutil
import sys
import tempfile

import numpy as np

from gluon_glore.plan.spec import NetSpec
from gluon_glore.utils.errors import InputError, listed, naming
from gluon_glore.utils.extras import require
from gluon_glore.weights.manifest import MANIFEST, parse_manifest, spec_of
from gluon_glore.weights.run_folder import checkpoints

from ..config.changes import Change, changes
from ..reporting.runs import CONFIG_FILE, read_config
from ..reporting.tensorboard import require_tensorboard


def check_packages(config):
    """Raise InputError where an optional package is missing that a run needs at its end."""
    require("matplotlib", "train", "curves.png")
    if config.tensorboard:
        require_tensorboard()


def check_out(out, net, keep=2, copies=2):
    """Raise InputError where a run's directory can't be made or written, or the disk is too small.

    Needed are `copies` arrays of a parameter's size, weights and the optimizer's, `keep` + 2 times:
    the newest ones, the best, and the one being written; less what `out` holds already. Nothing is
    left behind.
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
    needed, free = 4 * copies * floats * (keep + 2) - held, shutil.disk_usage(place).free
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


def check_changes(out, config, manifest, accept=False):
    """Raise InputError where a run goes on with another recipe or other data, unless `accept`.

    `out` is the run's folder and `manifest` that of the checkpoints to come. Each change is said on
    stderr, those that change nothing of what is computed too.
    """
    if not checkpoints(out):  # nothing to go on from, which is said where it is looked for
        return
    found = list(_other_changes(out, manifest))
    try:
        found += changes(read_config(out), config)
    except InputError as error:
        if not accept:
            raise InputError(
                f"{error}: nothing says what changes; --accept-changes goes on all the same"
            ) from None
        print(f"warning: {error}: nothing says what changes", file=sys.stderr)
    if found:
        print(f"{out}: changes of its {CONFIG_FILE}:", file=sys.stderr)
    for change in found:
        print(f"  {change}", file=sys.stderr)
    keys = [change.key for change in found if not change.harmless]
    if keys and not accept:
        raise InputError(
            f"{out}: its run had other values of {', '.join(keys)}: resume with those (--config "
            f"{out / CONFIG_FILE}), or add --accept-changes"
        )


def _other_changes(out, after):
    """The changes of data and network that a configuration does not show, from two manifests.

    A network's row may differ from that of the version that began the run.
    """
    before = None
    for folder in checkpoints(out):
        with contextlib.suppress(InputError):  # a damaged one is passed over, and named, later
            before = parse_manifest(folder / MANIFEST)
    if before is None:
        return
    pictures = [manifest.order.get("pictures") for manifest in (before, after)]
    if None not in pictures and pictures[0] != pictures[1]:
        yield Change("samples of data.train", *pictures)
    pairs = itertools.zip_longest(before.class_names, after.class_names, fillvalue="none")
    differ = [pair for pair in pairs if pair[0] != pair[1]]
    if differ:
        yield Change("class names", *map(listed, zip(*differ)))
    specs = spec_of(before), spec_of(after)
    if before.model == after.model and None not in specs:
        for field in dataclasses.fields(NetSpec):
            values = [getattr(spec, field.name) for spec in specs]
            if values[0] != values[1] and field.name != "source":
                yield Change(f"{after.model}'s {field.name}", *values)
