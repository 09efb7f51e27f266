"""The learning rate as a pure function of the step."""

import math


def learning_rate(optim, step, steps_per_epoch):
    """Learning rate of `step` (from 0) under an `Optim` configuration."""
    if optim.epoch_samples:
        steps_per_epoch = optim.epoch_samples / optim.batch_size
    epoch = step / steps_per_epoch
    peak = optim.lr * optim.batch_size / optim.lr_batch if optim.lr_batch else optim.lr
    if epoch < optim.warmup:
        return peak * min(1, (step + 1) / (optim.warmup * steps_per_epoch))
    if optim.schedule == "cosine":
        return peak * 0.5 * (1 + math.cos(math.pi * epoch / optim.epochs))
    if optim.schedule == "poly":
        return peak * (1 - epoch / optim.epochs) ** optim.power
    return peak * optim.factor ** sum(epoch >= boundary for boundary in optim.steps)
