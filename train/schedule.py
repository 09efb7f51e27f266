"""The learning rate as a pure function of the step."""

import math


def learning_rate(optim, step, steps_per_epoch):
    """Learning rate of `step` (from 0) under an `Optim` configuration."""
    epoch = step / steps_per_epoch
    if epoch < optim.warmup:
        return optim.lr * (step + 1) / (optim.warmup * steps_per_epoch)
    if optim.schedule == "cosine":
        return optim.lr * 0.5 * (1 + math.cos(math.pi * epoch / optim.epochs))
    return optim.lr * optim.factor ** sum(epoch >= boundary for boundary in optim.steps)
