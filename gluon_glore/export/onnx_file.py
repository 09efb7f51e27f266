"""An MXNet symbol as an ONNX file, by MXNet's own exporter and corrected afterwards.

`refuse_external` guards those that read such a file, which may be a stranger's.
"""

import contextlib
import logging
import mmap
import os
import re
import sys
import types
import warnings

from ..utils.errors import InputError, naming
from ..utils.extras import require
from ..utils.files import atomic_path
from .onnx_converters import converters
from .runtime import reason

OPSET = 13  # of MXNet 1.9's converters; the file names that of the installed onnx package
IR_VERSION = 8  # all readers of opset 13 know it
LARGER = 64  # pixels: multiples of them are added to what may vary, to see what varies with it
# What an MXNet array can hold, and what a comparison gives.
ELEMENTS = ("float64", "float32", "float16", "uint8", "int32", "int8", "int64", "bool")

# How protobuf writes the key "location" of a tensor that lies in another file: field 1, its length,
# its letters. A number may be written longer than it needs to be.
_KEY = re.compile(rb"(\x0a|\x8a\x80*\x00)(\x08|\x88\x80*\x00)\Z")
_LONGEST_KEY = 20  # bytes: a number of protobuf has ten at most


def write_onnx(path, symbol, arrays, deployment, sample_shape):
    """Write `symbol` with its `arrays` ("arg:NAME", "aux:NAME") as ONNX, opset 13, checked.

    Its input is called `data`, its output as the deployment's. `sample_shape` is one that the
    deployment's input may have. Raises InputError where the onnx package is missing, RuntimeError
    where an operator has no counterpart, naming it.
    """
    onnx = import_onnx()
    import mxnet as mx
    import numpy as np

    arrays = {name[4:]: array for name, array in arrays.items()}
    shape = tuple(
        axis.lower() if n is None else n for n, axis in zip(deployment.shape, deployment.layout)
    )
    outputs = _output_axes(symbol, arrays, shape, sample_shape)
    with atomic_path(path) as temporary:
        with warnings.catch_warnings(), _quiet(), _element_types(onnx), _opset(onnx), converters():
            warnings.simplefilter("ignore")  # about types not given, about numpy's deprecations
            try:
                mx.onnx.export_model(
                    symbol,
                    arrays,
                    [sample_shape],
                    [np.dtype(deployment.dtype)],
                    os.fspath(temporary),
                    dynamic=True,
                    dynamic_input_shapes=[shape],
                )
                model = onnx.load(os.fspath(temporary))
                _correct(model, outputs, deployment.output)
                onnx.checker.check_model(model, full_check=True)
            except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
                raise RuntimeError(f"no ONNX for this network: {reason(error)}") from error
        onnx.save(model, os.fspath(temporary))
    return path


def _output_axes(symbol, arrays, shape, sample_shape):
    """The axes of the output for an input of `shape`: sizes, or where they vary, names.

    None where a size varies, but is not that of an axis of the input.
    """
    shapes = {name: array.shape for name, array in arrays.items()}

    def output(given):
        return symbol.infer_shape(**shapes, data=given)[1][0]

    own = output(sample_shape)
    varying = [axis for axis, size in enumerate(shape) if isinstance(size, str)]
    other = list(sample_shape)
    for step, axis in enumerate(varying):
        other[axis] += step * LARGER
    names = {(sample_shape[axis], other[axis]): shape[axis] for axis in varying}
    found = [
        pair[0] if pair[0] == pair[1] else names.get(pair)
        for pair in zip(own, output(tuple(other)))
    ]
    return (shape[0], *found[1:])


def refuse_external(path):
    """Raise InputError where an ONNX file says that some of its tensors lie in other files.

    A runtime would read those, wherever they are; no checksum covers them, and no export has any.
    """
    with naming(path), open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            raise InputError("an empty file")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            place = data.find(b"location")
            while place >= 0:
                if _KEY.search(data[max(0, place - _LONGEST_KEY) : place]):
                    raise InputError("weights in other files (external data), none are read")
                place = data.find(b"location", place + 1)


@contextlib.contextmanager
def _quiet():
    """Without the exporter's warnings that `dot` becomes MatMul, which is right as used here."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _element_types(onnx):
    """With `onnx.mapping`, which MXNet's exporter reads and the package has not had since 1.19."""
    import numpy as np

    tables = types.ModuleType("onnx.mapping")
    tables.NP_TYPE_TO_TENSOR_TYPE = {
        np.dtype(name): onnx.helper.np_dtype_to_tensor_dtype(np.dtype(name)) for name in ELEMENTS
    }
    tables.TENSOR_TYPE_TO_NP_TYPE = {
        number: dtype for dtype, number in tables.NP_TYPE_TO_TENSOR_TYPE.items()
    }
    onnx.mapping = sys.modules["onnx.mapping"] = tables
    try:
        yield
    finally:
        del onnx.mapping, sys.modules["onnx.mapping"]


@contextlib.contextmanager
def _opset(onnx):
    """With graphs checked as of the opset of MXNet's converters, not as of the package's latest."""
    context = onnx.checker.DEFAULT_CONTEXT
    latest = context.opset_imports
    context.opset_imports = {"": OPSET}
    try:
        yield
    finally:
        context.opset_imports = latest


def import_onnx():
    """The onnx package. Raises InputError, saying how to get it, where it is missing."""
    require("onnx", "onnx")
    import onnx

    return onnx


def _correct(model, shape, name):
    """Give a model the opset of its nodes, inputs without weights, its output's `shape` and `name`.

    An axis of it that is None is left open.
    """
    from onnx import helper

    del model.opset_import[:]
    model.opset_import.add(domain="", version=OPSET)
    model.ir_version = IR_VERSION
    model.producer_name = "gluon_glore"
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]  # weights among them are overridable: runtimes would not fold them
    model.graph.input.extend(inputs)
    (output,) = model.graph.output
    if output.name != name:
        if any(name in (*node.input, *node.output) for node in model.graph.node):
            raise RuntimeError(f"no ONNX for this network: it has {name} inside")
        model.graph.node.append(helper.make_node("Identity", [output.name], [name], name=name))
        output.name = name
    sizes = output.type.tensor_type.shape.dim
    for size, known in zip(sizes, shape):
        if isinstance(known, str):
            size.dim_param = known
        elif known is not None:
            size.dim_value = known
