"""An MXNet symbol whose operators compute with 8-bit integers, by MXNet's own quantiser.

Its own calibration is not used: by entropy, it was seen to ruin a network's outputs, and to take
half a minute for a small one.
"""

import json

from mxnet.contrib import quantization

BACKEND = "MKLDNN_QUANTIZE"  # fuses operators before they are quantised, and after
CALIBRATION = "naive"  # takes the ranges that it is given
OPTIONS = {
    "calib_mode": CALIBRATION,
    "quantized_dtype": "auto",  # unsigned where nothing is below zero
    "quantize_granularity": "channel-wise",
}


class SymbolQuantizer:
    """Quantises a symbol, at each call with other units left in floating point.

    `arrays` are "arg:NAME" and "aux:NAME"; `names`, a `UnitNames`, tells the units.
    `observe(symbol, outputs)` gives the range of each of its operators' `outputs`.
    """

    def __init__(self, symbol, arrays, names, observe):
        self._fused = symbol.get_backend_symbol(BACKEND)
        self._arrays = [
            {name[4:]: array for name, array in arrays.items() if name.startswith(kind)}
            for kind in ("arg:", "aux:")
        ]
        self._unit_of = _units(self._fused, names)
        self._observe = observe
        self._ranges = {}

    def __call__(self, float32):
        """(symbol, arrays) with the units `float32` in floating point, the others quantised."""
        excluded = [name for name, unit in self._unit_of.items() if unit in float32]
        symbol, *arrays, collector = quantization.quantize_graph(
            self._fused, *self._arrays, excluded_sym_names=excluded, logger=None, **OPTIONS
        )
        needed = collector.include_layer
        missing = set(needed) - set(self._ranges)
        if missing:
            self._ranges.update(self._observe(self._fused, missing))
        collector.min_max_dict = {name: self._ranges[name] for name in needed}
        symbol, *arrays = quantization.calib_graph(
            symbol, *arrays, collector, CALIBRATION, OPTIONS["quantized_dtype"], logger=None
        )
        arguments, auxiliary = arrays
        return symbol.get_backend_symbol(BACKEND), {
            **{f"arg:{name}": array for name, array in arguments.items()},
            **{f"aux:{name}": array for name, array in auxiliary.items()},
        }


def _units(symbol, names):
    """{operator: unit} of a symbol. A fused operator's unit is that of its first parameter."""
    nodes = json.loads(symbol.tojson())["nodes"]
    readers = {node["name"]: [] for node in nodes}
    parameters = {}
    for node in nodes:
        sources = [nodes[entry[0]] for entry in node["inputs"]]
        for source in sources:
            readers[source["name"]].append(node["name"])
        owners = (names.of(source["name"]) for source in sources if source["op"] == "null")
        parameters[node["name"]] = next(filter(None, owners), None)
    operators = [(node["name"], readers[node["name"]]) for node in nodes if node["op"] != "null"]
    found = names.of_graph(operators)
    return {name: parameters[name] or unit for name, unit in found.items()}
