"""The losses of classification, of labels and of soft targets.

Each takes logits `(B, C)` of any precision and targets, either labels `(B,)` or the shares of the
classes `(B, C)`, and gives losses `(B,)`, float32. With `smoothing` that share of a target is
spread over all classes (Szegedy et al. 2016, section 7, https://arxiv.org/abs/1512.00567).
"""

import mxnet as mx
from mxnet import gluon

_of_labels = gluon.loss.SoftmaxCrossEntropyLoss()


def cross_entropy(smoothing=0.0):
    """The loss: cross entropy of the softmax."""

    def loss(logits, targets):
        if not smoothing and targets.ndim == 1:
            return _of_labels(logits, targets)
        logp = mx.nd.log_softmax(logits.astype("float32", copy=False))
        own = mx.nd.pick(logp, targets) if targets.ndim == 1 else (targets * logp).sum(axis=1)
        if not smoothing:
            return -own
        return -((1 - smoothing) * own + smoothing * logp.mean(axis=1))

    return loss


def binary_cross_entropy(smoothing=0.0):
    """The loss: the mean over the classes of each one's binary cross entropy, by a sigmoid.

    Wightman et al., "ResNet strikes back", 2021 (https://arxiv.org/abs/2110.00476): each class is a
    question of its own. The mean, not the sum, as in that paper's code, so that its rates, epsilon
    and clipping hold: gradients are smaller than those of cross entropy by about the number of
    classes, which LAMB and AdamW even out, and SGD's `lr` has to.
    """

    def loss(logits, targets):
        logits = logits.astype("float32", copy=False)
        classes = logits.shape[1]
        if targets.ndim == 1:
            targets = mx.nd.one_hot(targets, classes)
        if smoothing:
            targets = (1 - smoothing) * targets + smoothing / classes
        # softplus(z) - t z; forms with |z| have no gradient where z is 0, as of a new classifier.
        return (mx.nd.Activation(logits, act_type="softrelu") - targets * logits).mean(axis=1)

    return loss


LOSSES = {"cross_entropy": cross_entropy, "bce": binary_cross_entropy}


def make_loss(optim):
    """The loss that an `optim` section asks for."""
    return LOSSES[optim.loss](optim.label_smoothing)
