"""A network run once with a symbol: which blocks it has, and the shapes that they give.

Nothing is computed or initialised, and shapes that wait for an input go on waiting.
"""

import warnings
from collections import defaultdict

import mxnet as mx

from ..plan.units import EXTRA_UNITS
from ..utils.errors import InputError

# Inputs that the networks of GluonCV take, by dimensions: a clip has the frames of the longest.
SIZES = {1: (224,), 2: (224, 224), 3: (128, 224, 224)}
COLORS = 3


class Trace:
    """The blocks of `net` by path, as "layer3.0", and the shapes that they give.

    `input_shape`, `(B, C, *space)`, is the input they are of. By default it is one large picture or
    clip, with the channels and dimensions of the first convolution. Raises InputError where the
    network can't be run with a symbol, or where its channels are the last axis.
    """

    def __init__(self, net, input_shape=None):
        self.net = net
        self.blocks = dict(_walk(net))
        self._outputs = _run(net, self.blocks.values())
        self.input_shape = input_shape or self._default_shape()

    def shapes(self, path):
        """The shapes that a block gives, one for each array of each time that it runs."""
        outputs = [mx.sym.Group(_flat(output)) for output in self._outputs[self.blocks[path]]]
        return [self._infer(output) for output in outputs]

    def _infer(self, symbol):
        """The shapes of a symbol's outputs."""
        shape = self.input_shape
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what it can't infer is refused below
                _, shapes, _ = symbol.infer_shape(data=tuple(shape))
            reason = "some shapes stay unknown"
        except mx.MXNetError as error:
            shapes, reason = None, str(error).strip().splitlines()[-1]
        if shapes is None:
            raise InputError(
                f"{self.net.name} does not take an input of {shape} ({reason}): give "
                "input_shape=(batch, channels, *space)"
            )
        return shapes

    def _default_shape(self):
        """An input for the first convolution that runs."""
        for block in self._outputs:
            weight = block._reg_params.get("weight")
            if weight is not None and weight.shape and len(weight.shape) > 2:
                layout = getattr(block, "_kwargs", {}).get("layout") or ""
                if layout.endswith("C"):
                    raise InputError(
                        f"{self.net.name} has its channels last, {layout}: units take "
                        "(batch, channels, *space)"
                    )
                return (1, weight.shape[1] or COLORS, *SIZES[len(weight.shape) - 2])
        raise InputError(
            f"{self.net.name} runs no convolution that would say what it takes: give "
            "input_shape=(batch, channels, *space)"
        )


def _walk(block, path=""):
    """(path, block) of all below a block, each before its children; units are left out."""
    for name, child in block._children.items():
        if name not in EXTRA_UNITS:
            yield path + name, child
            yield from _walk(child, f"{path}{name}.")


def _run(net, blocks):
    """What each block gives when the network is run with a symbol: {block: [outputs]}."""
    outputs = defaultdict(list)

    def note(block, _, output):
        outputs[block].append(output)

    hooks = [block.register_forward_hook(note) for block in set(blocks)]
    try:
        net(mx.sym.var("data"))
    except Exception as error:  # of the network's own code
        reason = str(error).strip().splitlines()
        raise InputError(
            f"{net.name} can't be run with a symbol, as hybridize does: "
            f"{reason[-1] if reason else type(error).__name__}"
        ) from error
    finally:
        for hook in hooks:
            hook.detach()
    return outputs


def _flat(output):
    """A block's output as a list of symbols."""
    if not isinstance(output, (list, tuple)):
        return list(output)
    return [symbol for part in output for symbol in _flat(part)]
