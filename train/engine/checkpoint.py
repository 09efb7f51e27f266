"""Checkpoints that are whole or absent: `RUN/checkpoints/epoch-0003/`.

`epoch-0003-step-000040` lies 40 steps after three whole epochs. Each holds weights.params,
momentum.params and a manifest with their checksums. With an average of the weights this is in
weights.params, and training.params has the weights that training goes on from. A checkpoint is
written under a temporary name, synced and renamed, so that a kill leaves the one before. Learning
rate, order of the pictures and random numbers are functions of the step: of them the manifest's
epoch and step are enough.
"""

import os
import shutil
import sys
from pathlib import Path

import mxnet as mx

from gluon_glore.utils.errors import InputError
from gluon_glore.weights import load_arrays, load_weights, save_arrays, save_weights
from gluon_glore.weights.manifest import WEIGHTS, write_manifest
from gluon_glore.weights.run_folder import (
    best_checkpoint,
    checkpoint_name,
    checkpoints,
    newest_checkpoint,
    position_of,
)

MOMENTUM = "momentum.params"
TRAINING = "training.params"
UPDATES = "num_update"  # beside the momentum: steps the optimizer has counted, Adam's t
AVERAGED = "num_averaged"  # there too, with an average of the weights: its updates


def save_checkpoint(run, net, trainer, manifest, keep=2, average=None):
    """Write the state at `manifest.epoch` and `.step`; keep the newest `keep` and the best.

    `average` is the `WeightAverage` of the network, None without one.

    Raises InputError where the disk refuses; the checkpoints before then stay as they were.
    """
    parent = Path(run) / "checkpoints"
    temporary = parent / ".writing"
    for left_by_a_kill in (temporary, *parent.glob(".removing-*")):
        shutil.rmtree(left_by_a_kill, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        _write(temporary, net, trainer, manifest, average)
        _put(temporary, parent / checkpoint_name(manifest.epoch, manifest.step))
    except OSError as error:
        raise InputError(f"{parent}: can't save a checkpoint: {error.strerror}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    best = best_checkpoint(run)
    for old in checkpoints(run)[:-keep]:
        if old != best:
            _remove(old)


def _write(folder, net, trainer, manifest, average):
    """Write a checkpoint's files into a folder."""
    files = [WEIGHTS, MOMENTUM]
    save_weights(net if average is None else average.network(), folder / WEIGHTS)
    if average is not None:
        save_weights(net, folder / TRAINING)
        files.append(TRAINING)
    # Copies, for the originals may lie in oneDNN's own layout.
    momentum = {
        name: mx.nd.array(m.asnumpy(), dtype=m.dtype) for name, m in momentum_of(trainer).items()
    }
    counts = {UPDATES: trainer._optimizer.num_update}
    if average is not None:
        counts[AVERAGED] = average.count
    counts = {name: mx.nd.array([count], dtype="int64") for name, count in counts.items()}
    save_arrays(folder / MOMENTUM, {**momentum, **counts})
    write_manifest(folder, manifest, files)


def _put(temporary, place):
    """Rename a whole checkpoint to its place, for good when this returns."""
    # Those that are newer are damaged: the run would have gone on from there. One as new is damaged
    # too, or was saved before it was evaluated.
    folders = checkpoints(place.parent.parent)
    hidden = [_hide(folder) for folder in folders if position_of(folder) >= position_of(place)]
    os.replace(temporary, place)
    _sync(place.parent)
    for folder in hidden:
        shutil.rmtree(folder, ignore_errors=True)


def _remove(folder):
    """Delete a checkpoint."""
    shutil.rmtree(_hide(folder), ignore_errors=True)


def _hide(folder):
    """Rename a checkpoint that is to be deleted: a kill leaves no half one under its name."""
    hidden = folder.with_name(f".removing-{folder.name}")
    os.replace(folder, hidden)
    return hidden


def restore_newest(run, net, trainer, order=None, average=None):
    """Load weights and momentum of a run's newest whole checkpoint.

    Its average of the weights goes into `average`, which begins with the weights where the
    checkpoint has none; without `average` it is left out. Returns `(epochs, steps of the next)`
    done. Raises InputError where there is none, naming the parameters of another network, or where
    it lies within an epoch whose pictures came in another `order` (`Manifest.order`).
    """
    folder, manifest = newest_checkpoint(run, lambda text: print(text, file=sys.stderr))
    if order is not None and manifest.step and manifest.order != order:
        raise InputError(
            f"{folder} lies within an epoch of {_words(manifest.order)}, given {_words(order)}: "
            "resume with the same"
        )
    averaged = TRAINING in manifest.sha256
    load_weights(net, folder / (TRAINING if averaged else WEIGHTS))
    saved, momentum = load_arrays(folder / MOMENTUM), momentum_of(trainer)
    updates, count = (_count(folder, saved.pop(name, None)) for name in (UPDATES, AVERAGED))
    if set(saved) != set(momentum):
        odd = min(set(saved) ^ set(momentum))
        raise InputError(f"{folder / MOMENTUM}: momentum of another optimizer, see {odd}")
    for name, state in momentum.items():
        state[:] = saved[name]
    if updates is not None:
        optimizer = trainer._optimizer
        optimizer.begin_num_update = optimizer.num_update = updates
    if average is not None:
        average.start()
        if averaged:
            average.restore(folder / WEIGHTS, count or 0)
    return manifest.epoch, manifest.step


def _count(folder, array):
    """The number in an array beside the momentum, None without one. Raises InputError."""
    if array is not None and (array.size != 1 or array.asscalar() < 0):
        raise InputError(f"{folder / MOMENTUM}: damaged, a count that is no number of steps")
    return None if array is None else int(array.asscalar())


def _words(order):
    """An epoch's order in words."""
    return ", ".join(f"{name} {number}" for name, number in order.items())


def momentum_of(trainer):
    """The optimizer's momentum, `{parameter name: NDArray}`; empty where it has none.

    Where it keeps several arrays for a parameter, the names of the others end in :1, :2, ...
    They are created here where no step has been taken yet. The only public way to the states of a
    Gluon trainer is a pickle that has the optimizer and its schedule in it too.
    """
    updater = trainer._updaters[0]  # one device a process
    states = {}
    for index, param in enumerate(trainer._params):
        if param.grad_req == "null":
            continue
        if index not in updater.states:
            weight = param.list_data()[0]
            state = updater.optimizer.create_state_multi_precision(index, weight)
            updater.states[index], updater.states_synced[index] = state, True
        for number, state in enumerate(_arrays(updater.states[index])):
            states[f"{param.name}:{number}" if number else param.name] = state
    return states


def _arrays(state):
    """The arrays of an optimizer's state, however it nests them."""
    if isinstance(state, (tuple, list)):
        return [array for part in state for array in _arrays(part)]
    return [] if state is None else [state]


def _sync(path):
    """Write to the disk what a folder lists."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
