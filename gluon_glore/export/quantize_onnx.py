"""An ONNX file whose convolutions compute with 8-bit integers, all else in floating point.

In front of a convolution its input is rounded to unsigned integers, a range for the whole tensor,
and its weights are signed ones, a scale for each output channel (QuantizeLinear and
DequantizeLinear pairs, which ONNX Runtime and OpenVINO fuse with the convolution). Its output is
rounded too where no ReLU follows, or ONNX Runtime would convolve in floating point.
"""

import numpy as np

STEPS = 255  # of an unsigned integer
LARGEST = 127  # signed weight
SMALLEST_SCALE = 1e-8  # where all values are zero


def convolutions(model):
    """The convolutions of an ONNX model that can be quantised: {output: tensors to be rounded}.

    Those are the ones whose weights are constants.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    readers = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, set()).add(node.op_type)
    found = {}
    for node in model.graph.node:
        if node.op_type == "Conv" and set(node.input[1:]) <= weights:
            (output,) = node.output
            found[output] = (node.input[0], *([] if readers[output] == {"Relu"} else [output]))
    return found


def quantize(model, ranges, chosen):
    """A copy of an ONNX model with the convolutions `chosen`, by their outputs, in 8-bit integers.

    `ranges` has (low, high), zero within, of all tensors that `convolutions` names.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    rounded = convolutions(model)
    writer = _Writer({tensor.name: tensor for tensor in graph.initializer}, ranges)
    for node in graph.node:
        if node.output[0] not in chosen:
            writer.nodes.append(node)
            continue
        (output,) = node.output
        writer.quantize(node)
        if output in rounded[output]:
            node.output[0] = f"{output}_exact"
            writer.nodes.append(node)
            writer.round(node.output[0], output, output)
        else:
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
        self._scales = {}  # by the name of the input, of those that are rounded already

    def quantize(self, conv):
        """Make a convolution read its input, weights and bias as integers."""
        data, weight, *bias = conv.input
        rounded = f"{data}_rounded"
        if data not in self._scales:
            self._scales[data] = self.round(data, rounded, data)
        array = self._array(weight)
        largest = np.abs(array).reshape(len(array), -1).max(axis=1)
        scales = np.maximum(largest / LARGEST, SMALLEST_SCALE).astype("float32")
        inputs = [rounded, self._constant(weight, array, scales, np.int8)]
        for name in bias:
            scales = self._scales[data] * scales
            inputs.append(self._constant(name, self._array(name), scales, np.int32))
        del conv.input[:]
        conv.input.extend(inputs)

    def round(self, source, result, name):
        """Make a tensor `result` of `source`, rounded to 8 bits over the range of `name`.

        Returns the width of a step.
        """
        low, high = self._ranges[name]
        scale = np.float32(max((high - low) / STEPS, SMALLEST_SCALE))
        parameters = self._parameters(result, scale, np.uint8(round(-low / scale)))
        self._node("QuantizeLinear", [source, *parameters], f"{result}_quantized")
        self._node("DequantizeLinear", [f"{result}_quantized", *parameters], result)
        return scale

    def _array(self, name):
        from onnx import numpy_helper

        return numpy_helper.to_array(self._weights[name])

    def _constant(self, name, array, scales, dtype):
        """The name of a new tensor, the constant `name` held as integers.

        Each index of its first axis has a scale.
        """
        most = np.iinfo(dtype).max
        by_channel = scales.reshape(-1, *(1,) * (array.ndim - 1)).astype("float64")
        integers = np.clip(np.rint(array / by_channel), -most, most).astype(dtype)
        result = f"{name}_rounded"
        parameters = self._parameters(result, scales, np.zeros(len(scales), dtype))
        stored = self._tensor(f"{result}_quantized", integers)
        self._node("DequantizeLinear", [stored, *parameters], result, axis=0)
        return result

    def _parameters(self, name, scale, zero):
        return self._tensor(f"{name}_scale", scale), self._tensor(f"{name}_zero", zero)

    def _tensor(self, name, array):
        from onnx import numpy_helper

        self.tensors.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def _node(self, op, inputs, output, **attributes):
        from onnx import helper

        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
