"""Optimizers that divide each gradient by its own size: AdamW and LAMB.

Both keep two means a number, of its gradients and of their squares, corrected for having begun at
zero. MXNet's Adam adds the weight decay to the gradient, its LAMB gives biases a trust ratio too.
"""

import mxnet as mx
import numpy as np


class _Adam(mx.optimizer.Optimizer):
    """What AdamW and LAMB share: both means of every parameter, and the steps it has taken."""

    def __init__(self, beta1, beta2, epsilon, **options):
        super().__init__(**options)
        # MXNet's operators take them as float32: what is computed from them here has to, too.
        self.beta1, self.beta2 = float(np.float32(beta1)), float(np.float32(beta2))
        self.epsilon = epsilon

    def create_state(self, index, weight):
        """The means of a parameter's gradients and of their squares."""
        return tuple(mx.nd.zeros_like(weight) for _ in range(2))


class AdamW(_Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101).

    As PyTorch's: a step takes the rate times the decay off each weight, then the rate times the
    corrected mean over `epsilon` and the root of the corrected mean of squares.
    """

    def update(self, index, weight, grad, state):
        """Take a parameter's step."""
        self._update_count(index)
        rate, steps = self._get_lr(index), self._index_update_count[index]
        decay = rate * self._get_wd(index)
        if decay:
            weight *= 1 - decay
        root = (1 - self.beta2**steps) ** 0.5
        mx.nd.adam_update(
            weight,
            grad,
            *state,
            out=weight,
            lr=rate * root / (1 - self.beta1**steps),
            beta1=self.beta1,
            beta2=self.beta2,
            epsilon=self.epsilon * root,  # the operator corrects nothing: both sides by this root
            wd=0,
            rescale_grad=self.rescale_grad,
        )


class Lamb(_Adam):
    """LAMB (You et al. 2020, https://arxiv.org/abs/1904.00962), for very large batches.

    The step of an array is Adam's with the decay added, and as long as the array itself times the
    rate: its trust ratio. Arrays whose names end in one of `whole` have none, as in the authors'
    recipes: biases and BatchNorm's gamma and beta. Nor has an array of zeros.
    """

    def __init__(self, whole, **options):
        super().__init__(**options)
        self._whole = whole

    def update(self, index, weight, grad, state):
        """Take a parameter's step."""
        self._update_count(index)
        rate = self._get_lr(index)
        step = mx.nd.lamb_update_phase1(
            weight,
            grad,
            *state,
            t=self._index_update_count[index],
            beta1=self.beta1,
            beta2=self.beta2,
            epsilon=self.epsilon,
            wd=self._get_wd(index),
            rescale_grad=self.rescale_grad,
        )
        if self.param_dict[index].name.endswith(self._whole):
            weight -= rate * step
            return
        lengths = (mx.nd.sqrt(square(array)) for array in (weight, step))
        mx.nd.lamb_update_phase2(weight, step, *lengths, lr=rate, out=weight)


def square(array):
    """The sum of an array's squares, `(1,)`, on its device.

    As a product: the sum that `norm` and `multi_sum_sq` keep in one float32 loses 4 digits of
    millions of squares.
    """
    flat = array.reshape(-1)
    return mx.nd.dot(flat, flat)
