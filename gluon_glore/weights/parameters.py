"""Reading and writing parameters by name, in MXNet's own files.

One format for checkpoints, exports and Module: the names are those of the released files, with
`arg:` and `aux:`, so Gluon, symbols and the release interchange. Blocks that are no `Network` are
saved by their layers' places, as Gluon does: their full names may count on from one instance to the
next. `names` reads all spellings.
"""

import os
import shutil
from pathlib import Path

import mxnet as mx

from ..networks.network import Network, dtype_name
from ..utils.errors import InputError
from ..utils.files import atomic_path
from .names import by_name, plain_names
from .origin import origin_of
from .params_file import read_params

_STATISTICS = ("running_mean", "running_var")


def load_arrays(path, block=None):
    """The arrays of a .params file by full name, without `arg:` and `aux:`.

    With a `block` they are by the full names of its parameters, however the file spells them: see
    `names.by_name`. Raises InputError as `read_params` does, which reads it: MXNet's own loader can
    die of a file; and where two arrays have one name.
    """
    arrays = {name: mx.nd.array(a, dtype=a.dtype) for name, a in read_params(path).items()}
    try:
        return plain_names(arrays) if block is None else by_name(arrays, block)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def load_weights(net, path, ctx=None, fresh=()):
    """Load a parameter file into a network, all of it or nothing.

    The file spells its names as `names.by_name` says: also as Gluon's `save_parameters` does. The
    parameters named in `fresh` keep their values, whether or not the file has them. Shapes that
    wait for an input are those of the file. Raises InputError naming the parameters that differ, or
    a `fresh` one that is not in the network.
    """
    refuse_unknown(fresh, net)
    arrays = {name: a for name, a in load_arrays(path, net).items() if name not in fresh}
    params = {name: p for name, p in net.collect_params().items() if name not in fresh}
    set_weights(params, arrays, path, ctx=ctx)


def refuse_unknown(fresh, net):
    """Raise InputError where a network has no parameter of one of the names `fresh`."""
    known = set(net.collect_params())
    unknown = [name for name in fresh if name not in known]
    if unknown:
        raise InputError(f"no parameter is called {unknown[0]!r}, which is to keep its values")


def fit_as_is(array, shape):
    """`array` reshaped to a parameter's `shape`, or None where it does not fit.

    Axes of size 1 at the end don't count: the released graph convolutions are 1-D, (N, N, 1). An
    entry 0 (numpy's semantics: -1), or the whole shape None, waits for an input and takes any size.
    """
    if shape is None:
        return array
    longest = max(array.ndim, len(shape))
    ours, theirs = (tuple(s) + (1,) * (longest - len(s)) for s in (shape, array.shape))
    fits = all(known in (0, -1, given) for known, given in zip(ours, theirs))
    return array.reshape(theirs[: len(shape)]) if fits else None


def set_weights(params, arrays, source, place="the file", fit=fit_as_is, ctx=None):
    """Give each of `params` its array by name, all of them or none.

    `fit(array, shape)` is the array as that parameter takes it, or None. Raises InputError
    naming the parameters that differ; its message calls the arrays' origin `source` and `place`.
    """
    problems = [f"{name} is missing in {place}" for name in params if name not in arrays]
    problems += [f"{name} is not in the network" for name in arrays if name not in params]
    fitted = {name: fit(arrays[name], params[name].shape) for name in params if name in arrays}
    problems += [
        f"{name} is {params[name].shape} in the network, {arrays[name].shape} in {place}"
        for name, array in fitted.items()
        if array is None
    ]
    if problems:
        raise InputError(
            f"{source}: weights of another network{_difference(params, arrays, problems)}"
        )
    for name, param in params.items():
        contexts = param.list_ctx() if ctx is None and is_initialized(param) else ctx
        param.shape = fitted[name].shape
        # New arrays: MXNet's CPU build can't overwrite a Conv3D's after an inference.
        param.initialize(init=mx.init.Zero(), ctx=contexts, force_reinit=True)
        param.set_data(fitted[name].astype(param.dtype, copy=False))


def _difference(params, arrays, problems):
    """What arrays that don't fit look like, and where they differ from a network of like names."""
    origin = "" if params.keys() == arrays.keys() else origin_of(arrays)
    looks = f"it looks like {origin}"
    if origin and params.keys().isdisjoint(arrays):
        return f", {looks}"
    shown = "; ".join(problems[:3]) + ("; ..." if len(problems) > 3 else "")
    return f", {len(problems)} parameters differ: {shown}{f'; {looks}' if origin else ''}"


def is_initialized(param):
    """Whether a parameter has values."""
    try:
        param.list_ctx()
    except RuntimeError:
        return False
    return True


def named_arrays(net):
    """The network's parameters as `{"arg:name" or "aux:name": array on the CPU}`.

    Those of bfloat16, which no reader of files has, are float32: it has all their values. Raises
    InputError where one has no values yet.
    """
    mx.nd.waitall()  # a forward that still runs may be moving them to oneDNN's layout
    check_values(net)
    return with_kinds({name: _copy(param) for name, param in net.collect_params().items()})


def placed_arrays(net):
    """The network's parameters as `{place in the blocks: array on the CPU}`.

    They are as those of `named_arrays`, and what stands in several places is there once. Raises
    InputError as that does, and where a parameter has no place.
    """
    mx.nd.waitall()
    check_values(net)
    places = {}
    for place, param in net._collect_params_with_prefix().items():
        places.setdefault(param.name, place)
    params = net.collect_params()
    for name in params:
        if name not in places:
            raise InputError(f"{name} is no attribute of its block: Gluon saves it by no place")
    return {places[name]: _copy(param) for name, param in params.items()}


def check_values(net):
    """Raise InputError where a parameter of a network has no values yet."""
    for name, param in net.collect_params().items():
        try:
            param.data(param.list_ctx()[0])
        except RuntimeError:  # also MXNet's, where its shape waits for an input
            raise InputError(
                f"{name} has no values yet: initialize the network or load weights; run it once "
                "where a layer was not told its input channels"
            ) from None


def _copy(param):
    """A parameter's values on the CPU."""
    data = param.data(param.list_ctx()[0])
    data = data.astype("float32") if dtype_name(data.dtype) == "bfloat16" else data
    # Through numpy: after an inference the originals may lie in oneDNN's own layout.
    return mx.nd.array(data.asnumpy(), dtype=data.dtype)


def with_kinds(arrays):
    """Arrays by full name as MXNet's files call them: `arg:name`, statistics `aux:name`."""
    return {
        f"{'aux' if name.endswith(_STATISTICS) else 'arg'}:{name}": array
        for name, array in arrays.items()
    }


def save_weights(net, path):
    """Write the network's parameters, the whole file or none.

    Those of a `Network` have their full names, as in the released files; those of any other block
    their places, as in Gluon's `save_parameters`. A network of float16 gives a file of float16,
    half as large. Raises InputError as `named_arrays`, `placed_arrays` and `save_arrays` do.
    """
    save_arrays(path, named_arrays(net) if isinstance(net, Network) else placed_arrays(net))


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
