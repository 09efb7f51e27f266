"""An ONNX file whose convolutions compute with 8-bit integers, all else in floating point.

In front of a convolution its input is rounded to unsigned integers, a range for the whole tensor,
and its weights are signed ones, a scale for each output channel (QuantizeLinear and
DequantizeLinear pairs, which ONNX Runtime and OpenVINO fuse with the convolution).
"""

import numpy as np

STEPS = 255  # of an unsigned integer
LARGEST = 127  # of a signed weight
SMALLEST_SCALE = 1e-8  # of what is all zero


def convolutions(model):
    """The convolutions of an ONNX model whose weights are constants: {output: input}."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return {
        node.output[0]: node.input[0]
        for node in model.graph.node
        if node.op_type == "Conv" and set(node.input[1:]) <= weights
    }


def quantise(model, ranges, chosen):
    """A copy of an ONNX model, its convolutions `chosen` (by output) in 8-bit integers.

    `ranges` has (low, high) of their inputs, zero within.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    writer = _Writer({tensor.name: tensor for tensor in graph.initializer}, ranges)
    for node in graph.node:
        if node.output[0] in chosen:
            writer.quantise(node)
        writer.nodes.append(node)
    nodes = [*writer.nodes]
    del graph.node[:]
    graph.node.extend(nodes)
    read = {name for node in graph.node for name in node.input}
    tensors = [t for t in (*graph.initializer, *writer.tensors) if t.name in read]
    del graph.initializer[:]
    graph.initializer.extend(tensors)
    return copy


class _Writer:
    """Collects the nodes of a graph, and the tensors that its quantised ones need."""

    def __init__(self, weights, ranges):
        self.nodes, self.tensors = [], []
        self._weights, self._ranges = weights, ranges
        self._scales = {}  # of inputs that are quantised already

    def quantise(self, conv):
        """Have a convolution read integers."""
        scale = self._input(conv.input[0])
        weight = self._array(conv.input[1])
        largest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
        scales = np.maximum(largest / LARGEST, SMALLEST_SCALE).astype("float32")
        self._constant(conv.input[1], weight, scales, np.int8)
        if len(conv.input) > 2:
            self._constant(conv.input[2], self._array(conv.input[2]), scale * scales, np.int32)
        inputs = [f"{name}_dequantised" for name in conv.input]
        del conv.input[:]
        conv.input.extend(inputs)

    def _array(self, name):
        from onnx import numpy_helper

        return numpy_helper.to_array(self._weights[name])

    def _input(self, name):
        """Round a tensor to unsigned integers and back, once; returns the step."""
        if name not in self._scales:
            low, high = self._ranges[name]
            scale = np.float32(max((high - low) / STEPS, SMALLEST_SCALE))
            self._parameters(name, scale, np.uint8(round(-low / scale)))
            self._node("QuantizeLinear", name, name, "quantised")
            self._node("DequantizeLinear", f"{name}_quantised", name, "dequantised")
            self._scales[name] = scale
        return self._scales[name]

    def _constant(self, name, array, scales, dtype):
        """A constant as integers of a scale for each entry of its first axis."""
        limits = np.iinfo(dtype)
        by_channel = scales.reshape(-1, *(1,) * (array.ndim - 1)).astype("float64")
        integers = np.clip(np.rint(array / by_channel), -limits.max, limits.max).astype(dtype)
        self._tensor(f"{name}_quantised", integers)
        self._parameters(name, scales.astype("float32"), np.zeros(len(scales), dtype))
        self._node("DequantizeLinear", f"{name}_quantised", name, "dequantised", axis=0)

    def _parameters(self, name, scale, zero):
        self._tensor(f"{name}_scale", scale)
        self._tensor(f"{name}_zero", zero)

    def _tensor(self, name, array):
        from onnx import numpy_helper

        self.tensors.append(numpy_helper.from_array(np.asarray(array), name))

    def _node(self, op, source, name, result, **attributes):
        from onnx import helper

        inputs, output = [source, f"{name}_scale", f"{name}_zero"], f"{name}_{result}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
