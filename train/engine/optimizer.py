"""What an `Optim` configuration does to each parameter: optimizer, learning rate, multipliers."""

import math
import re

import mxnet as mx

from gluon_glore.utils.errors import InputError

from .adam import AdamW, Lamb

NOT_DECAYED = ("bias", "gamma", "beta")
EPSILON = {"adamw": 1e-8, "lamb": 1e-6}  # where the configuration says none


class Nesterov(mx.optimizer.NAG):
    """MXNet's NAG with the weight decay added to the gradient first.

    Its operator adds it before or after the step, depending on the layout that oneDNN has given the
    weight; a resumed run would differ.
    """

    def _update_impl(self, index, weight, grad, state, multi_precision=False):
        self._update_count(index)
        grad = self.rescale_grad * grad + self._get_wd(index) * weight
        rate = self._get_lr(index)
        mx.nd.nag_mom_update(weight, grad, state, out=weight, lr=rate, momentum=self.momentum, wd=0)


def make_optimizer(optim):
    """The optimizer `optim.optimizer`; the loop sets each step's rate.

    SGD has momentum, Nesterov's with `optim.nesterov`.
    """
    if optim.optimizer != "sgd":
        options = {name: getattr(optim, name) for name in ("beta1", "beta2")}
        options.update(epsilon=optim.epsilon or EPSILON[optim.optimizer], wd=optim.weight_decay)
        if optim.optimizer == "adamw":
            return AdamW(learning_rate=optim.lr, **options)
        return Lamb(NOT_DECAYED, learning_rate=optim.lr, **options)
    make = Nesterov if optim.nesterov else mx.optimizer.SGD
    optimizer = make(momentum=optim.momentum, wd=optim.weight_decay, learning_rate=optim.lr)
    if not (optim.nesterov or mx.context.num_gpus()):
        # By itself it updates four arrays with an operator that goes from one to the other at each
        # number: on processors that takes longer than one after the other, to the same bit.
        optimizer.aggregate_num = 1
    return optimizer


def set_multipliers(params, optim, new=()):
    """Set the factors of each parameter's rate and weight decay, which Gluon reads at every step.

    `new` are the names of those that no weights were taken over for: `optim.new_mult` is theirs.
    Raises InputError where a pattern of `optim.lr_mult` or `wd_mult` is found in no name.
    """
    trained = [param for param in params.values() if param.grad_req != "null"]
    for param in trained:
        param.lr_mult = optim.new_mult if param.name in new else 1.0
        spared = not optim.decay_all and param.name.endswith(NOT_DECAYED)
        param.wd_mult = 0.0 if spared else 1.0
    for key in ("lr_mult", "wd_mult"):
        for pattern, multiplier in getattr(optim, key).items():
            found = [param for param in trained if re.search(pattern, param.name)]
            if not found:
                names = f"{trained[0].name} ... {trained[-1].name}"
                raise InputError(f"optim.{key}: no parameter has {pattern!r} in its name ({names})")
            for param in found:
                setattr(param, key, getattr(param, key) * multiplier)


def learning_rate(optim, step, steps_per_epoch):
    """The learning rate of step `step`, counted from 0 over the run: a pure function."""
    if optim.epoch_samples:
        steps_per_epoch = optim.epoch_samples / optim.batch_size
    epoch = step / steps_per_epoch
    done, of = (step, optim.iterations) if optim.iterations else (epoch, optim.epochs)
    peak = optim.lr * optim.batch_size / optim.lr_batch if optim.lr_batch else optim.lr
    if epoch < optim.warmup or step < optim.warmup_steps:
        steps, start = optim.warmup_steps or optim.warmup * steps_per_epoch, optim.warmup_start
        first = 0 if start else 1  # a step at rate 0 would learn nothing
        return peak * (start + (1 - start) * min(1, (step + first) / steps))
    if optim.schedule == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * done / of))
    if optim.schedule == "poly":
        return peak * (1 - done / of) ** optim.power
    return peak * optim.factor ** sum(done >= boundary for boundary in optim.steps)
