"""Gradients that are too long are scaled down together (Pascanu et al. 2013, section 3.2).

https://arxiv.org/abs/1211.5063. The direction of the step stays.
"""

import mxnet as mx

from .adam import square


def clip_gradients(gradients, largest, share):
    """Scale `gradients`, a list of NDArray, in place where their norm is above `largest`.

    The norm is that of all numbers together, each times `share`: of a step's mean gradient where
    they are sums. As PyTorch's `clip_grad_norm_`, the factor is `largest` / (norm + 1e-6), at most
    1. Nothing is read from the device. A norm that is not finite makes all gradients nan, so that
    the loop ends: no step is made of what overflowed.
    """
    norm = share * mx.nd.sqrt(mx.nd.add_n(*map(square, gradients)))
    norm = norm + 0 * norm  # infinity becomes nan, not a factor of 0
    factor = mx.nd.minimum(largest / (norm + 1e-6), 1.0)
    for gradient in gradients:
        mx.nd.broadcast_mul(gradient, factor.reshape((1,) * gradient.ndim), out=gradient)
