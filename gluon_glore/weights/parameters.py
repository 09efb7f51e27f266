"""Reading and writing parameters by name, in MXNet's own `arg:`/`aux:` files.

One format for checkpoints, exports and Module: the names are those of the released files, so
Gluon, symbols and the release interchange (both `_running_` and `_moving_` statistics are read).
"""

import os
import shutil
from pathlib import Path

import mxnet as mx

from ..utils.errors import InputError
from ..utils.files import atomic_path
from .params_file import read_params

_STATISTICS = ("running_mean", "running_var")


def load_arrays(path):
    """The arrays of a .params file by full name, without `arg:` and `aux:`.

    Raises InputError as `read_params` does, which reads it: MXNet's own loader can die of a file.
    """
    arrays = read_params(path)
    return plain_names({name: mx.nd.array(a, dtype=a.dtype) for name, a in arrays.items()})


def plain_names(arrays):
    """`arrays` by full name, without `arg:` and `aux:`, statistics spelled as Gluon does."""
    arrays = without_kinds(arrays)
    return {name.replace("_moving_", "_running_"): array for name, array in arrays.items()}


def without_kinds(arrays):
    """`arrays` without the `arg:` and `aux:` that `with_kinds` puts before their names."""
    return {
        name[4:] if name.startswith(("arg:", "aux:")) else name: array
        for name, array in arrays.items()
    }


def load_weights(net, path, ctx=None, fresh=()):
    """Load a parameter file into a network, all of it or nothing.

    The parameters named in `fresh` keep their values, whether or not the file has them.
    Call it before the first forward: MXNet's CPU build can't overwrite the weights of a network
    that has run. Raises InputError naming the parameters that differ.
    """
    arrays = {name: a for name, a in load_arrays(path).items() if name not in fresh}
    params = {name: p for name, p in net.collect_params().items() if name not in fresh}
    set_weights(params, arrays, path, ctx=ctx)


def fit_as_is(array, shape):
    """`array` reshaped to a parameter's `shape`, or None where it does not fit.

    Axes of size 1 at the end don't count: the released graph convolutions are 1-D, (N, N, 1).
    """
    longest = max(array.ndim, len(shape))
    ours, theirs = (tuple(s) + (1,) * (longest - len(s)) for s in (shape, array.shape))
    return array.reshape(shape) if ours == theirs else None


def set_weights(params, arrays, source, place="the file", fit=fit_as_is, ctx=None):
    """Give each of `params` its array by name, all of them or none.

    `fit(array, shape)` is the array as that parameter takes it, or None. Raises InputError
    naming the parameters that differ; its message calls the arrays' origin `source` and `place`.
    """
    problems = [f"{name} is missing in {place}" for name in params if name not in arrays]
    problems += [f"{name} is not in the network" for name in arrays if name not in params]
    fitted = {name: fit(arrays[name], params[name].shape) for name in params if name in arrays}
    problems += [
        f"{name} is {tuple(params[name].shape)} in the network, {arrays[name].shape} in {place}"
        for name, array in fitted.items()
        if array is None
    ]
    if problems:
        shown = "; ".join(problems[:3]) + ("; ..." if len(problems) > 3 else "")
        raise InputError(
            f"{source}: weights of another network, {len(problems)} parameters differ: {shown}"
        )
    for name, param in params.items():
        if not is_initialized(param):
            param.initialize(init=mx.init.Zero(), ctx=ctx)
        elif ctx is not None:
            param.reset_ctx(ctx)
        param.set_data(fitted[name].astype(param.dtype, copy=False))


def is_initialized(param):
    """Whether a parameter has values."""
    try:
        param.list_ctx()
    except RuntimeError:
        return False
    return True


def named_arrays(net):
    """The network's parameters as `{"arg:name" or "aux:name": array on the CPU}`."""
    mx.nd.waitall()  # a forward that still runs may be moving them to oneDNN's layout
    return with_kinds(
        {
            # Through numpy: after an inference the originals may lie in oneDNN's own layout.
            name: mx.nd.array(param.data(param.list_ctx()[0]).asnumpy(), dtype=param.dtype)
            for name, param in net.collect_params().items()
        }
    )


def with_kinds(arrays):
    """Arrays by full name as MXNet's files call them: `arg:name`, statistics `aux:name`."""
    return {
        f"{'aux' if name.endswith(_STATISTICS) else 'arg'}:{name}": array
        for name, array in arrays.items()
    }


def save_weights(net, path):
    """Write the network's parameters, the whole file or none; raises as `save_arrays`."""
    save_arrays(path, named_arrays(net))


def save_arrays(path, arrays):
    """Write `{name: NDArray}` to a .params file, the whole file or none.

    Raises InputError where the disk does not take it.
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        try:
            mx.nd.save(os.fspath(temporary), arrays)
            # On a full disk MXNet may lose the last block and say nothing: read it back.
            whole = len(mx.nd.load(os.fspath(temporary))) == len(arrays)
        except mx.MXNetError:
            whole = False
        if not whole:
            free = shutil.disk_usage(path.parent).free / 2**20
            raise InputError(f"{path}: could not be written, {free:.1f} MiB are free there")
