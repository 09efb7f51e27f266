"""Which precisions train here, float16 on GPUs, and a scale of the loss where gradients are small.

Micikevicius et al., Mixed Precision Training, 2018 (https://arxiv.org/abs/1710.03740).
"""

import mxnet as mx
from mxnet.contrib import amp

from gluon_glore.utils.cpu import processor_flags
from gluon_glore.utils.errors import InputError

FLAGS = {"avx512_bf16", "amx_bf16"}  # either multiplies bfloat16 by itself
FIRST_SCALE = {"float16": 65536.0}
DOUBLE_AFTER = 2000  # steps without an overflow


def check_precision(precision, flags=None, gpus=None):
    """Raise InputError where this machine can't train in `precision`.

    `flags` are the processor's, `gpus` their number; None asks the machine.
    """
    gpus = mx.context.num_gpus() if gpus is None else gpus
    if precision == "bfloat16":
        if gpus:
            raise InputError("optim.precision bfloat16 is for processors, on a GPU use float16")
        if not FLAGS & (processor_flags() if flags is None else flags):
            raise InputError(
                f"optim.precision bfloat16 needs a processor with {' or '.join(sorted(FLAGS))}, "
                "use float32"
            )
    if precision == "float16" and not gpus:
        raise InputError(
            "optim.precision float16 needs a GPU: MXNet has no float16 products on processors"
        )


def set_precision(precision):
    """Get ready for training in `precision`, before any network has run.

    For float16 MXNet casts what goes into convolutions and products: the parameters stay float32,
    and so are their gradients. This holds for the whole process and can't be taken back. bfloat16
    is a graph of its own, see `train.engine.bfloat16`. Raises InputError where the machine can't.
    """
    check_precision(precision)
    if precision == "float16":
        amp.init(precision)


def all_finite(arrays):
    """Whether no number in a list of NDArray, on one device, is infinite or nan."""
    # In parts: more than 200 arrays at once overrun MXNet's memory, unnoticed or not.
    parts = [arrays[i : i + 200] for i in range(0, len(arrays), 200)]
    checks = [mx.nd.multi_all_finite(*part, num_arrays=len(part)) for part in parts]
    return mx.nd.concat(*checks, dim=0).min().asscalar() > 0


class LossScale:
    """A factor on the loss, so that small gradients do not vanish in 16 bits.

    `scale` halves where gradients overflow, and doubles after `double_after` steps that did not.
    """

    def __init__(self, scale, double_after=DOUBLE_AFTER):
        self.scale = scale
        self._double_after = double_after
        self._steps = 0

    def accept(self, gradients):
        """Whether the gradients are finite, so that the step may be taken; adapts the scale.

        After the all-reduce all ranks see the same gradients and come to the same answer: what
        overflows on one is not finite in the sum.
        """
        finite = all_finite(gradients)
        self._steps = self._steps + 1 if finite else 0
        if not finite:
            self.scale /= 2
        elif self._steps == self._double_after:
            self.scale, self._steps = self.scale * 2, 0
        return finite


def make_loss_scale(optim, horovod):
    """The scale that the configuration asks for, None for no scaling."""
    first = optim.loss_scale or FIRST_SCALE.get(optim.precision)
    if not first and horovod.compression != "none":
        first = 1.0
    return LossScale(first) if first else None
