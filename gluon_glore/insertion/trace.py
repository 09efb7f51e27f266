"""A network run once with a symbol: which blocks it has, and the shapes that they give.

Nothing is computed or initialised, and shapes that wait for an input go on waiting.
"""

import warnings
from collections import defaultdict

import mxnet as mx
from mxnet.gluon import nn

from ..networks.outputs import flat
from ..plan.extra_units import EXTRA_UNITS
from ..utils.errors import InputError
from ..utils.kinds import listed, whole

# Inputs that GluonCV's networks take, by dimensions; a clip has the frames of the longest.
SIZES = {1: (224,), 2: (224, 224), 3: (128, 224, 224)}
COLORS = 3
LARGEST = 2**20
INPUT = listed(whole(1, LARGEST), 3, 5)
GIVE = "give input_shape=(batch, channels, *space)"


class Trace:
    """The blocks of `net` by path, as "layer3.0", and the shapes that they give.

    `input_shape`, `(B, C, *space)`, is the input they are of. By default it is a large picture or
    clip with the channels and dimensions of the first convolution. Raises InputError where the
    network can't be run with a symbol, or has its channels last.
    """

    def __init__(self, net, input_shape=None):
        self.net = net
        self.name = type(net).__name__
        self.blocks = dict(_walk(net))
        self._outputs = _run(net, self.blocks.values())
        self._check_layout()
        if input_shape is None:
            input_shape = self._default_shape()
        INPUT.check(input_shape, "input_shape")
        self.input_shape = tuple(input_shape)

    def find(self, place):
        """The path of a block by its path or by the prefix of its parameters; None without one."""
        if place in self.blocks:
            return place
        prefixes = {f"{start}{place}".rstrip("_") + "_" for start in ("", self.net.prefix)}
        # The first is the outermost: blocks inside it may have no prefix of their own.
        return next((path for path, b in self.blocks.items() if b.prefix in prefixes), None)

    def sequence(self, path):
        """The paths of the blocks of a sequence, units left out; None of other blocks."""
        block = self.blocks[path]
        if not isinstance(block, nn.HybridSequential):
            return None
        return [f"{path}.{name}" for name in block._children if name not in EXTRA_UNITS]

    def shapes(self, path, input_shape=None):
        """The shapes of the arrays that a block gives, a list for each time that it runs.

        Raises InputError where the network does not take an input of that shape.
        """
        outputs = self._outputs[self.blocks[path]]
        return [self._infer(output, input_shape or self.input_shape) for output in outputs]

    def _infer(self, output, shape):
        """The shapes of a block's output, one symbol or a list of them."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of shapes that stay unknown: refused below
                _, shapes, _ = mx.sym.Group(flat(output)).infer_shape(data=shape)
            reason = "shapes stay unknown"
        except mx.MXNetError as error:
            shapes, reason = None, _last_line(error)
        if shapes is None:
            raise InputError(f"{self.name} does not take an input of {shape}, {GIVE}: {reason}")
        return shapes

    def _check_layout(self):
        for block in self._outputs:
            layout = getattr(block, "_kwargs", {}).get("layout") or ""
            if layout.endswith("C"):
                raise InputError(
                    f"{self.name} has its channels last, {layout}: units take (batch, channels, "
                    "*space)"
                )

    def _default_shape(self):
        """An input for the first convolution that runs."""
        for block in self._outputs:
            weight = block._reg_params.get("weight")
            if weight is not None and weight.shape and len(weight.shape) > 2:
                return (1, weight.shape[1] or COLORS, *SIZES[len(weight.shape) - 2])
        raise InputError(f"{self.name} runs no convolution that says what it takes: {GIVE}")


def _walk(block, path=""):
    """(path, block) of all below a block, each before what is in it; units are left out."""
    for name, child in block._children.items():
        if name not in EXTRA_UNITS:
            yield path + name, child
            yield from _walk(child, f"{path}{name}.")


def _run(net, blocks):
    """What each block gives when the network is run with a symbol, in that order."""
    outputs = defaultdict(list)
    fresh = [param for param in net.collect_params().values() if param._var is None]
    hooks = [
        block.register_forward_hook(lambda block, _, output: outputs[block].append(output))
        for block in set(blocks)
    ]
    try:
        net(mx.sym.var("data"))
    except Exception as error:  # it is the network's own code that runs
        raise InputError(
            f"{type(net).__name__} can't be run with a symbol, as hybridize does: "
            f"{_last_line(error)}"
        ) from error
    finally:
        for hook in hooks:
            hook.detach()
        for param in fresh:
            param._var = None  # it would keep the type and shape of now
    return outputs


def _last_line(error):
    """What an error says at its end; MXNet's begin with lines of its own code."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
