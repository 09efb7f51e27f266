"""Operators that MXNet's exporter refuses or gets wrong, as ONNX: a row of `CONVERTERS` each.

A converter is given an `Operator` and adds to it the nodes of ONNX that compute its output.
"""

import contextlib

import numpy as np

from .runtime import reason

FLOAT = 1  # onnx.TensorProto.FLOAT
INT64 = 7  # onnx.TensorProto.INT64
# What MXNet takes where a symbol does not say it, and its exporter takes otherwise.
DEFAULTS = {"FullyConnected": {"flatten": "True"}}


class Operator:
    """An operator of a symbol as MXNet's exporter gives it, and the `nodes` that take its place.

    `name` is that of its output, `inputs` those of the tensors that it reads.
    """

    def __init__(self, node, outputs_lookup, initializer, **_):
        self.name, self.attrs = node["name"], node.get("attrs", {})
        self.inputs = [outputs_lookup[place][output].name for place, output, *_ in node["inputs"]]
        self.nodes = []
        self._initializer = initializer

    def constant(self, values, dtype="int64"):
        """The name of a new constant."""
        from onnx import numpy_helper

        name = f"{self.name}_constant{len(self._initializer)}"
        self._initializer.append(numpy_helper.from_array(np.array(values, dtype), name))
        return name

    def add(self, op, *inputs, output=None, **attributes):
        """Add a node of the ONNX operator `op`; returns the name of its output."""
        from onnx import helper

        output = output or f"{self.name}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def flag(self, key, default):
        """Whether an attribute says "True" or "1"."""
        return self.attrs.get(key, str(default)) in ("True", "1")

    def numbers(self, key, default):
        """An attribute of whole numbers, "(2, 3)" or "2", as a tuple."""
        return tuple(int(n) for n in self.attrs.get(key, default).strip("()[]").split(",") if n)

    def shape_of(self, weight):
        """The shape of a tensor with values."""
        return next(tuple(t.dims) for t in self._initializer if t.name == weight)

    def size(self, source, axis):
        """The size of an axis of the tensor `source`, one whole number."""
        return self.add("Gather", self.add("Shape", source), self.constant([axis]), axis=0)


def batch_norm(operator):
    """`BatchNorm`, also of all workers: its gamma is one where it is fixed, whatever is stored."""
    x, gamma, *others = operator.inputs
    if operator.numbers("axis", "1") != (1,):
        raise NotImplementedError(f"axis {operator.attrs['axis']}")
    if operator.flag("fix_gamma", True):
        gamma = operator.constant(np.ones(operator.shape_of(gamma)), "float32")
    eps = float(operator.attrs.get("eps", 1e-3))
    operator.add("BatchNormalization", x, gamma, *others, output=operator.name, epsilon=eps)


def adaptive_average(operator):
    """`_contrib_AdaptiveAvgPooling2D`: two matrix products, for height and for width.

    Bin i of k averages locations floor(i H / k) to ceil((i + 1) H / k), which need not be as many
    in each.
    """
    (x,) = operator.inputs
    bins = operator.numbers("output_size", "1")
    by_row = _averages(operator, x, 2, bins[0])
    by_column = operator.add("Transpose", _averages(operator, x, 3, bins[-1]), perm=[1, 0])
    rows = operator.add("MatMul", by_row, x)
    operator.add("MatMul", rows, by_column, output=operator.name)


def _averages(operator, x, axis, bins):
    """The share of each location along an axis of `x` in each of the `bins`: (bins, locations)."""
    add, constant = operator.add, operator.constant
    count = operator.size(x, axis)
    edges = add("Mul", constant(np.arange(bins + 1).reshape(-1, 1)), count)
    first = add("Div", edges, constant(bins))
    last = add("Div", add("Add", edges, constant(bins - 1)), constant(bins))
    first = add("Slice", first, constant([0]), constant([bins]))
    last = add("Slice", last, constant([1]), constant([bins + 1]))
    scalar = add("Squeeze", count, constant([0]))
    place = add("Range", constant(0), scalar, constant(1))
    inside = add("And", add("Not", add("Less", place, first)), add("Less", place, last))
    sizes = add("Cast", add("Sub", last, first), to=FLOAT)
    return add("Div", add("Cast", inside, to=FLOAT), sizes)


def resize_bilinear(operator):
    """`_contrib_BilinearResize2D`, to a size, by a factor, or to the size of a second input."""
    x, *like = operator.inputs
    attrs, mode = operator.attrs, operator.attrs.get("mode", "size")
    if mode not in ("size", "like"):
        raise NotImplementedError(f"mode {mode}")
    leading = operator.add("Slice", operator.add("Shape", x), *map(operator.constant, ([0], [2])))
    if mode == "like":
        sizes = [operator.size(like[0], 2), operator.size(like[0], 3)]
    elif attrs.get("scale_height", "None") != "None":
        sizes = [
            _scaled(operator, x, axis, float(attrs[f"scale_{side}"]))
            for axis, side in ((2, "height"), (3, "width"))
        ]
    else:
        sizes = [operator.constant([int(attrs[side])]) for side in ("height", "width")]
    sizes = operator.add("Concat", leading, *sizes, axis=0)
    corners = "align_corners" if operator.flag("align_corners", True) else "half_pixel"
    how = {"mode": "linear", "coordinate_transformation_mode": corners}
    operator.add("Resize", x, "", "", sizes, output=operator.name, **how)


def _scaled(operator, x, axis, factor):
    """The whole part of the size of an axis of `x` times a factor."""
    size = operator.add("Cast", operator.size(x, axis), to=FLOAT)
    scaled = operator.add("Mul", size, operator.constant(factor, "float32"))
    return operator.add("Cast", operator.add("Floor", scaled), to=INT64)


CONVERTERS = {
    "BatchNorm": batch_norm,
    "_contrib_SyncBatchNorm": batch_norm,
    "_contrib_AdaptiveAvgPooling2D": adaptive_average,
    "_contrib_BilinearResize2D": resize_bilinear,
}


def _store(name, weights, initializer):
    """Store a weight, as bytes: theirs goes through a list of Python's numbers, for seconds."""
    from onnx import helper, numpy_helper

    tensor = numpy_helper.from_array(weights[name], name)
    initializer.append(tensor)
    value = helper.make_tensor_value_info(name, tensor.data_type, tensor.dims)
    return [value], (weights[name].dtype,)


@contextlib.contextmanager
def converters():
    """With MXNet's exporter taking these converters, and naming the operator that has none.

    It does so in a RuntimeError of one line.
    """
    from mxnet.onnx.mx2onnx._export_onnx import MXNetGraph

    theirs = MXNetGraph.convert_layer

    def convert(node, **how):
        ours, defaults = CONVERTERS.get(node["op"]), DEFAULTS.get(node["op"])
        if defaults:
            node = {**node, "attrs": {**defaults, **node.get("attrs", {})}}
        try:
            if node["op"] == "null" and not how["is_input"]:
                return _store(node["name"], how["weights"], how["initializer"])
            if not ours:
                return theirs(node, **how)
            operator = Operator(node, **how)
            ours(operator)
            return operator.nodes, None  # elements as those of the first input
        except Exception as error:  # theirs fail in all ways on attributes that they don't know
            missing = "No conversion function registered" in str(error)
            why = "" if missing else f": {reason(error)}"
            named = f"{node['op']} (operator {node['name']})"
            raise RuntimeError(f"no ONNX for {named}{why}") from error

    MXNetGraph.convert_layer = staticmethod(convert)
    try:
        yield
    finally:
        MXNetGraph.convert_layer = staticmethod(theirs)
