"""An exported folder in bfloat16 or 8-bit integers, as far as its outputs stay what they are.

There is a class for each way in which one of the folder's files computes with fewer bits. It knows
the `units` that it can lower and the `runtime` that shows the effect, and writes the `file` with
some of them in float32; `choose_units` finds which those must be.
"""

import math
import os
import sys

import mxnet as mx

from ..networks.graph import WIDTHS
from ..plan.unit_names import OperatorNames
from ..utils.cpu import processor_flags
from ..utils.errors import InputError
from ..weights.golden import typical_error
from ..weights.manifest import spec_of
from .activation_ranges import observe
from .choose_units import choose_float32
from .quantize_onnx import convolutions, quantize
from .runtimes import BFLOAT16_FLAGS, INT8_FLAGS, NO_INT8, lack, start_runtime
from .samples import in_batches
from .symbol_graph import read_symbol

LIMIT = 0.1  # the default of the allowed `typical_error`


class BFloat16:
    """The ONNX file in OpenVINO, which rounds as it loads: the file keeps its float32 weights."""

    file = "onnx"
    runtime = "openvino"

    def __init__(self, names):
        self.units = tuple(names)

    def write(self, float32):
        """Do nothing: the runtime reads the units that stay in float32 from the manifest."""


class Integers:
    """The ONNX file with the units' convolutions in 8-bit integers."""

    file = "onnx"

    def __init__(self, files, names, symbol, arrays, inputs, method):
        import onnx

        self.runtime = next(name for name in ("openvino", "onnxruntime") if not lack(files, name))
        self._path = os.fspath(files.onnx)
        self._model = onnx.load(self._path)
        rounded = convolutions(self._model)
        self._unit_of = {output: names.of(output) for output in rounded}
        self.units = tuple(unit for unit in names if unit in self._unit_of.values())
        outputs = {name: _output(name) for tensors in rounded.values() for name in tensors}
        ranges = observe(symbol, arrays, outputs.values(), inputs, method)
        self._ranges = {name: ranges[output] for name, output in outputs.items()}

    def write(self, float32):
        """Write the ONNX file, all units but those of `float32` in integers."""
        import onnx

        chosen = {output for output, unit in self._unit_of.items() if unit not in float32}
        onnx.save(quantize(self._model, self._ranges, chosen), self._path)


class SymbolIntegers:
    """The MXNet symbol and its parameters, by MXNet's own quantiser."""

    file = runtime = "mxnet"

    def __init__(self, files, names, symbol, arrays, inputs, method):
        from .quantize_symbol import SymbolQuantizer

        self.units = tuple(names)
        self._files = files
        self._float32 = symbol, arrays
        self._quantizer = SymbolQuantizer(
            symbol,
            arrays,
            names,
            lambda fused, outputs: observe(fused, arrays, outputs, inputs, method),
        )

    def write(self, float32):
        """Write symbol and parameters, all units but those of `float32` in integers."""
        everything = len(float32) == len(self.units)
        symbol, arrays = self._float32 if everything else self._quantizer(set(float32))
        symbol.save(os.fspath(self._files.symbol))
        mx.nd.save(os.fspath(self._files.params), arrays)


def refuse_lowering(precision, onnx, calibrate):
    """Raise InputError where a precision needs another processor, or options that are not given."""
    if precision == "bf16" and not BFLOAT16_FLAGS & processor_flags():
        raise InputError(
            "this processor has no bfloat16 (avx512_bf16 or amx_bf16) to choose layers with: "
            "export there, or as fp32"
        )
    if precision == "bf16" and not onnx:
        raise InputError("bf16 is for the ONNX file, in OpenVINO: give --onnx, or export as fp32")
    if precision == "int8" and calibrate is None:
        raise InputError(
            "int8 needs pictures, scenes or videos to calibrate with: give --calibrate LABELLED"
        )
    if precision == "int8" and not INT8_FLAGS & processor_flags():
        print(NO_INT8, file=sys.stderr)


def lower(files, symbol, arrays, network, calibration, method, limit):
    """Write a folder's files in its manifest's precision.

    Returns `files`, their manifest telling the units that stay in float32. `network` gives the
    float32 logits of a batch of the folder's input. The ranges of activations are those of the
    inputs `calibration.used`, by `method`; units are tried on `calibration.tried`. Raises
    InputError where no unit can be lowered with an error of at most `limit`, or no runtime can show
    it.
    """
    names = files.units
    if not spec_of(files.manifest):
        names = OperatorNames.of_layers(_layers(symbol))
        files = files.with_deployment(units=tuple(names))
    deployment = files.manifest.deployment
    inputs = calibration.tried
    expected = in_batches(network, inputs)
    kept = {"mxnet": tuple(names)}
    for way in _ways(files, names, symbol, arrays, calibration.used, method):

        def error_of(float32, way=way):
            way.write(float32)
            trial = files.with_deployment(float32={way.file: float32})
            try:
                logits = in_batches(start_runtime(trial, way.runtime), inputs)
            except InputError:  # MXNet can't run each of its own operators of integers on another
                return math.inf
            return typical_error(logits, expected)

        choice = choose_float32(way.units, error_of, limit)
        way.write(choice.float32)
        lowered = set(way.units) - set(choice.float32)
        kept[way.file] = tuple(unit for unit in names if unit not in lowered)
        if not lowered and (way.file == "onnx" or not files.onnx.is_file()):
            raise InputError(
                f"{files.manifest.model}: no unit can be lowered to {deployment.precision} with an "
                f"error of at most {limit:g}: export as fp32, or allow more with --tolerance"
            )
    return files.with_deployment(float32=kept)


def _ways(files, names, symbol, arrays, inputs, method):
    """The ways to lower a folder's files, a list. Raises InputError where a runtime is missing."""
    onnx = files.onnx.is_file()
    if files.manifest.deployment.precision == "bf16":
        if lack(files, "openvino"):
            raise InputError(f"bf16 needs OpenVINO, which {lack(files, 'openvino')}")
        return [BFloat16(names)]
    if onnx and all(lack(files, name) for name in ("openvino", "onnxruntime")):
        raise InputError("an ONNX file in int8 needs OpenVINO or ONNX Runtime to be tried with")
    ways = [Integers] if onnx else []
    return [make(files, names, symbol, arrays, inputs, method) for make in (*ways, SymbolIntegers)]


def _layers(symbol):
    """The convolutions and dense layers of a symbol: pairs `(operator, its weight)`."""
    nodes = read_symbol(symbol).nodes.values()
    return [(node.name, node.inputs[1]) for node in nodes if node.op in WIDTHS]


def _output(name):
    """The name of a tensor of the ONNX file as an output of the symbol."""
    return name if name == "data" else f"{name}_output"
