"""A network as a program of PyTorch, which runs without this project, and its parameters for it.

The program is the network as it predicts, captured by `torch.export`; `program_file` reads it.
"""

import io
import warnings

import numpy as np
import torch
from torch import nn

from ..plan.parameters import parameter_shapes
from ..pytorch import Network, from_mxnet
from ..utils.errors import InputError, naming
from ..weights.names import without_kinds

# Convolutions are fastest with channels last: forwards took 0.93 to 0.98 of the time with channels
# first at batch 1, 0.79 at batch 8.
FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def network_of(spec, classes, arrays):
    """The network of `spec` in PyTorch, as it predicts, with `arrays` ("arg:NAME", "aux:NAME").

    Raises InputError where they are not the parameters of such a network.
    """
    arrays = without_kinds(arrays)
    expected = parameter_shapes(spec, classes)
    odd = [name for name in {**expected, **arrays} if (name in arrays) != (name in expected)]
    odd += [name for name in expected if name in arrays and arrays[name].shape != expected[name]]
    if odd:
        raise InputError(
            f"{spec.name} was changed by hand, as {odd[0]!r} shows: PyTorch's is made of the spec "
            "alone, leave --pytorch out"
        )
    network = Network(spec, classes)
    network.load_state_dict(from_mxnet(arrays, spec.ndim))
    return network.requires_grad_(False).eval()


def write_program(path, network, files):
    """Write the program of a network: a batch of `files`' deployment's input -> its output.

    Nothing that only tracing needs is in it: no example, no place in the source of this project, no
    condition that the sizes of the example fulfil by chance. Raises InputError where the disk does
    not take it.
    """
    deployment = files.manifest.deployment
    varying = {
        axis: torch.export.Dim.DYNAMIC for axis, n in enumerate(deployment.shape) if n is None
    }
    # Height and width that differ, lest one be taken for the other.
    shape = files.larger_shape
    data = torch.zeros(shape, dtype=getattr(torch, deployment.dtype))
    with torch.no_grad():
        program = torch.export.export(
            _Prepared(network, files.manifest), (data,), dynamic_shapes=(varying,)
        )
    for node in program.graph.nodes:
        node.meta = {"val": node.meta["val"]} if "val" in node.meta else {}
    ranges = program.range_constraints
    for size, bounds in ranges.items():
        ranges[size] = type(bounds)(1, bounds.upper)
    program.example_inputs = None
    program._guards_code = []
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No complete tensor found")  # of axes in another order
        torch.export.save(program, file)
    _write(path, file.getvalue())


def _write(path, data):
    with naming(path):
        path.write_bytes(data)


class _Prepared(nn.Module):
    """A network and what its program does around it: normalise pictures, order axes, softmax."""

    def __init__(self, network, manifest):
        super().__init__()
        self._pictures = manifest.deployment.takes_pictures
        self._channels_first = manifest.deployment.channels_first
        self._probabilities = manifest.deployment.probabilities
        self._format = FORMATS.get(len(manifest.deployment.shape), torch.contiguous_format)
        self.network = network.to(memory_format=self._format)
        if self._pictures:
            preprocess = manifest.preprocess
            axes = len(manifest.deployment.shape) - 2 if self._channels_first else 0
            for name, value in (("mean", preprocess.mean), ("scale", preprocess.scales)):
                value = torch.from_numpy(np.array(value, "float32"))
                self.register_buffer(name, value.reshape(-1, *(1,) * axes))
        self.eval()

    def forward(self, data):
        """The deployment's input, as the graph's is called -> logits, or probabilities."""
        if self._pictures:
            data = (data.to(torch.float32) - self.mean) * self.scale
            data = data if self._channels_first else data.movedim(-1, 1)
        outputs = self.network(data.contiguous(memory_format=self._format))
        return outputs.softmax(1) if self._probabilities else outputs
