"""Reading and writing parameters by name, in MXNet's own `arg:`/`aux:` files.

One format for checkpoints, exports and Module: the names are those of the released files, so
Gluon, symbols and the release interchange (both `_running_` and `_moving_` statistics are read).
"""

import os
import struct
from pathlib import Path

import mxnet as mx

from .atomic import atomic_path
from .errors import InputError

_MAGIC = struct.pack("<Q", 0x112)  # what every list of arrays saved by nd.save starts with
_STATISTICS = ("running_mean", "running_var")


def load_arrays(path):
    """The arrays of a .params file by full name, without `arg:` and `aux:`.

    Raises InputError where the file is missing, not a parameter file, or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such parameter file")
    with open(path, "rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise InputError(f"{path}: not an MXNet parameter file")
    try:
        arrays = mx.nd.load(os.fspath(path))
    except mx.MXNetError:
        raise InputError(f"{path}: damaged parameter file") from None
    if not isinstance(arrays, dict):
        raise InputError(f"{path}: holds arrays without names, not parameters")
    return {_plain(name): array for name, array in arrays.items()}


def _plain(name):
    name = name[4:] if name.startswith(("arg:", "aux:")) else name
    return name.replace("_moving_", "_running_")


def load_weights(net, path, ctx=None, fresh=()):
    """Load a parameter file into a network, all of it or nothing.

    The parameters named in `fresh` are left as they are, whatever the file says of them.
    Call it before the first forward: MXNet's CPU build can't overwrite the weights of a network
    that has run. Raises InputError naming the parameters that differ.
    """
    arrays = {name: a for name, a in load_arrays(path).items() if name not in fresh}
    params = {name: p for name, p in net.collect_params().items() if name not in fresh}
    problems = _differences(params, arrays)
    if problems:
        shown = "; ".join(problems[:3]) + ("; ..." if len(problems) > 3 else "")
        raise InputError(
            f"{path}: weights of another network, {len(problems)} parameters differ: {shown}"
        )
    for name, param in params.items():
        array = arrays[name].reshape(param.shape)
        if not _is_initialized(param):
            param.initialize(init=mx.init.Zero(), ctx=ctx)
        elif ctx is not None:
            param.reset_ctx(ctx)
        param.set_data(array)


def _is_initialized(param):
    try:
        param.list_ctx()
    except RuntimeError:
        return False
    return True


def _differences(params, arrays):
    problems = [f"{name} is missing in the file" for name in params if name not in arrays]
    problems += [f"{name} is not in the network" for name in arrays if name not in params]
    for name, param in params.items():
        if name in arrays and not _same_shape(param.shape, arrays[name].shape):
            problems.append(
                f"{name} is {tuple(param.shape)} in the network, {arrays[name].shape} in the file"
            )
    return problems


def _same_shape(ours, theirs):
    # The released graph convolutions are 1-D, (N, N, 1): ours have one more axis of size 1.
    longest = max(len(ours), len(theirs))
    return all(
        a == b
        for a, b in zip(
            tuple(ours) + (1,) * (longest - len(ours)),
            tuple(theirs) + (1,) * (longest - len(theirs)),
        )
    )


def named_arrays(net):
    """The network's parameters as `{"arg:name" or "aux:name": array on the CPU}`."""
    return {
        # Through numpy: after an inference forward the originals may lie in oneDNN's own layout.
        f"{'aux' if name.endswith(_STATISTICS) else 'arg'}:{name}": mx.nd.array(
            param.data(param.list_ctx()[0]).asnumpy(), dtype=param.dtype
        )
        for name, param in net.collect_params().items()
    }


def save_weights(net, path):
    """Write the network's parameters, the whole file or none."""
    with atomic_path(path) as temporary:
        mx.nd.save(os.fspath(temporary), named_arrays(net))
