"""A network as MXNet saves it: NAME-symbol.json and NAME-0007.params, of `net.export` or Module.

As these say neither pixels nor classes, `describe` is told them. What only training needs goes: the
loss at a network's end, and the label that it reads.
"""

import os

import mxnet as mx

from ..networks.graph import read_graph
from ..utils.errors import InputError
from ..weights.golden import BATCH, noise
from ..weights.names import without_kinds
from ..weights.params_file import read_params
from .describe import describe, input_shape, refuse_probabilities, say
from .files import SYMBOL, params_beside
from .logits import choose_output, without_softmax
from .optimize import as_block
from .runtime import refusing
from .symbol_graph import arrays_of
from .traced import infer_output


def load_pair(symbol_file, params_file, pixels, class_names, signature):
    """(SymbolBlock from "data" to logits, Manifest) of a symbol file and its parameters.

    `params_file` is by default the one beside it. `pixels`, `class_names` and `signature`, a
    `Signature`, say what goes in and out as `describe` takes it. Raises InputError where a file is
    missing or damaged, MXNet can't load it, or it is another network than that.
    """
    shape = (BATCH, *input_shape(pixels, signature))
    name = symbol_file.name.removesuffix(".json").removesuffix(SYMBOL.removesuffix(".json"))
    read_graph(symbol_file, splits=True)  # before MXNet, which believes what it reads
    arrays = without_kinds(read_params(params_file or params_beside(symbol_file)))
    arrays = {name: mx.nd.array(array, dtype=array.dtype) for name, array in arrays.items()}
    with refusing(symbol_file, "mxnet can't load it", ""):
        symbol = mx.sym.load(os.fspath(symbol_file))
    try:
        symbol, dropped = _from_input_to_logits(symbol, arrays, shape, signature.output)
        if dropped:
            say(name, f"the softmax {dropped} is left out, its outputs here are logits")
        arrays = arrays_of(symbol, arrays)
        block = as_block(symbol, arrays)
        manifest = describe(
            block,
            pixels,
            class_names,
            name=name,
            size=shape[1:],
            stride=signature.stride,
            rate=signature.rate,
        )
        with refusing(symbol_file, "mxnet can't run it", ""):
            outputs = as_block(symbol, arrays)(mx.nd.array(noise(shape))).asnumpy()
        refuse_probabilities(outputs, name)
    except InputError as error:
        raise InputError(f"{symbol_file}: {error}") from None
    return block, manifest


def _from_input_to_logits(symbol, arrays, shape, output):
    """(symbol from "data" to logits, name of the softmax that was left out) of a stored symbol.

    Raises InputError where it computes nothing, or has two variables of one name.
    """
    names = symbol.list_inputs()
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"two of its variables are called {twice}")
    if symbol.get_children() is None:
        raise InputError("it computes nothing: its output reads no other array")

    def count_axes(logits):
        sizes = {name: array.shape for name, array in arrays.items()}
        return len(infer_output(logits, **sizes, **{_input_of(logits, arrays): shape}))

    symbol, _ = choose_output(symbol, output)
    symbol, dropped = without_softmax(symbol, count_axes)
    name = _input_of(symbol, arrays)
    if name != "data":
        symbol = symbol(**{name: mx.sym.var("data")})
    return symbol, dropped


def _input_of(symbol, arrays):
    """The name of a symbol's input. Raises InputError where it has none, or several."""
    inputs = [name for name in symbol.list_inputs() if name not in arrays]
    if len(inputs) != 1:
        told = ", ".join(inputs[:5]) + (", ..." if len(inputs) > 5 else "")
        raise InputError(
            f"a network has one input, and parameters for all others; there are none for "
            f"{told or 'no input'}"
        )
    return inputs[0]
