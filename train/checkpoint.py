"""Checkpoints that are whole or absent: `RUN/checkpoints/epoch-0003/`.

Each holds weights.params, momentum.params and a manifest with their checksums. It is written
under a temporary name, synced and renamed, so that a kill leaves the one before.
"""

import os
import shutil
import sys
from pathlib import Path

import mxnet as mx

from gluon_glore.classify import WEIGHTS
from gluon_glore.errors import InputError
from gluon_glore.manifest import checkpoints, newest_checkpoint, write_manifest
from gluon_glore.weights import load_arrays, load_weights, save_weights

MOMENTUM = "momentum.params"


def save_checkpoint(run, net, trainer, manifest, keep=2):
    """Write the state after `manifest.epoch` epochs; only the newest `keep` checkpoints stay."""
    parent = Path(run) / "checkpoints"
    temporary = parent / f".writing-{os.getpid()}"
    temporary.mkdir(parents=True)
    try:
        save_weights(net, temporary / WEIGHTS)
        # Copies, for the originals may lie in oneDNN's own layout.
        momentum = {name: mx.nd.array(m.asnumpy()) for name, m in momentum_of(trainer).items()}
        mx.nd.save(os.fspath(temporary / MOMENTUM), momentum)
        _sync(temporary / MOMENTUM)
        write_manifest(temporary, manifest, [WEIGHTS, MOMENTUM])
        os.replace(temporary, parent / f"epoch-{manifest.epoch:04d}")
        _sync(parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for old in checkpoints(run)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)


def restore_newest(run, net, trainer):
    """Load weights and momentum of a run's newest whole checkpoint; returns the epochs done.

    Raises InputError where there is none, or naming the parameters of another network.
    """
    folder, manifest = newest_checkpoint(run, lambda text: print(text, file=sys.stderr))
    load_weights(net, folder / WEIGHTS)
    saved, momentum = load_arrays(folder / MOMENTUM), momentum_of(trainer)
    if set(saved) != set(momentum):
        odd = min(set(saved) ^ set(momentum))
        raise InputError(f"{folder / MOMENTUM}: momentum of another optimizer, see {odd}")
    for name, state in momentum.items():
        state[:] = saved[name]
    return manifest.epoch


def momentum_of(trainer):
    """The optimizer's momentum, `{parameter name: NDArray}`; empty where it has none.

    Created here where no step has been taken yet. Trainer has no public way to its states but a
    pickle, which would carry the optimizer and its schedule too.
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
        if updater.states[index] is not None:
            states[param.name] = updater.states[index]
    return states


def _sync(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
