"""Reading and writing parameters by name, in MXNet's own files.

One format for checkpoints, exports and Module: the names are those of the released files, with
`arg:` and `aux:`, so Gluon, symbols and the release interchange. Blocks that are no `Network` are
saved by their layers' places, as Gluon does: their full names may count on from one instance to the
next. `names` reads all spellings.
"""

from pathlib import Path

import mxnet as mx

from ..networks.network import Network, dtype_name
from ..utils.errors import InputError
from .fit import fit_all, fit_as_is
from .names import by_name, plain_names, with_kinds
from .network_file import read_arrays
from .params_file import write_params
from .safetensors_file import SUFFIX


def load_arrays(path, block=None):
    """The arrays of a .params, .safetensors or .pth file by full name, without `arg:` and `aux:`.

    With a `block` they are by the full names of its parameters, however the file spells them: see
    `names.by_name`. Raises InputError as `read_arrays` does, which reads it: MXNet's own loader can
    die of a file; and where two arrays have one name.
    """
    arrays = {name: mx.nd.array(a, dtype=a.dtype) for name, a in read_arrays(path).items()}
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


def set_weights(params, arrays, source, place="the file", fit=fit_as_is, ctx=None):
    """Give each of `params` its array by name, NDArray or numpy's, all of them or none.

    `fit(array, shape)` is the array as that parameter takes it, or None. Raises InputError
    as `fit_all` does.
    """
    shapes = {name: param.shape for name, param in params.items()}
    fitted = fit_all(shapes, arrays, source, place, fit)
    for name, param in params.items():
        contexts = param.list_ctx() if ctx is None and is_initialized(param) else ctx
        param.shape = fitted[name].shape
        # New arrays: MXNet's CPU build can't overwrite a Conv3D's after an inference.
        param.initialize(init=mx.init.Zero(), ctx=contexts, force_reinit=True)
        param.set_data(fitted[name].astype(param.dtype, copy=False))


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


def save_weights(net, path):
    """Write the network's parameters, the whole file or none.

    Those of a `Network` have their full names, as in the released files; those of any other block
    their places, as in Gluon's `save_parameters`. A network of float16 gives a file of float16,
    half as large. Raises InputError as `named_arrays`, `placed_arrays` and `save_arrays` do, and
    where the file is called .safetensors, which `gluon_glore.pytorch.save_weights` writes.
    """
    if Path(path).suffix == SUFFIX:
        raise InputError(
            f"{path}: a network of Gluon's is saved as .params, one of PyTorch's as safetensors "
            "(gluon_glore.pytorch.save_weights)"
        )
    save_arrays(path, named_arrays(net) if isinstance(net, Network) else placed_arrays(net))


def save_arrays(path, arrays):
    """Write `{name: NDArray}` to a .params file, the whole file or none.

    Raises InputError as `write_params` does.
    """
    write_params(path, {name: array.asnumpy() for name, array in arrays.items()})
