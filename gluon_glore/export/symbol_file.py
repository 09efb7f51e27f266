"""The symbol and the parameters of an exported folder, looked through before MXNet has them.

MXNet believes what it reads: a symbol can end the process that loads or runs it.
"""

import os

import mxnet as mx

from ..networks.graph import read_graph
from ..utils.errors import InputError
from ..weights.params_file import read_params
from .runtime import refuse_ends


def read_symbol_file(files):
    """(symbol, `{"arg:NAME" or "aux:NAME": NDArray}`) of an exported folder's `Files`.

    Raises InputError where they are damaged, don't fit each other, or give other outputs than the
    manifest says.
    """
    quantized = files.manifest.deployment.precision == "int8"
    read_graph(files.symbol, quantized=quantized, splits=True)
    arrays = {name: mx.nd.array(a, dtype=a.dtype) for name, a in read_params(files.params).items()}
    symbol = mx.sym.load(os.fspath(files.symbol))
    given = {name[4:] for name in arrays}
    refuse_ends(
        [name for name in symbol.list_inputs() if name not in given], len(symbol.list_outputs())
    )
    inputs = set(symbol.list_inputs())
    shapes = {name[4:]: array.shape for name, array in arrays.items() if name[4:] in inputs}
    _, (output,), _ = symbol.infer_shape(**{**shapes, "data": files.sample_shape})
    expected = files.output_shape(files.sample_shape)
    if output != expected:
        raise InputError(f"outputs {output} for a batch {files.sample_shape}, not {expected}")
    return symbol, arrays
