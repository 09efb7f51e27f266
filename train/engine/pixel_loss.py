"""The loss of segmentation: cross entropy of every pixel that counts."""

import math

from mxnet import autograd, nd

from gluon_glore.utils.errors import InputError

from ..config.checks import check_pixel_loss


class PixelLoss:
    """`loss(logits (B, C, H, W), labels (B, H, W))` -> losses `(B,)`, float32.

    A picture's loss is the mean over its pixels that count, 0 where there are none. The mean is not
    taken over the batch, so that a step's gradients are the same however many ranks share it; a
    pixel weighs more in a picture with few that count. Labels are 0 to C - 1 or `ignore`.

    Parameters
    ----------
    ignore : pixels with this label do not count.
    hard_below : above 0, pixels whose own class has at least this probability do not count either:
        online hard example mining (Shrivastava et al. 2016, https://arxiv.org/abs/1604.03540).
    keep : but at least this share of a picture's pixels that are not ignored does, the hardest.
    auxiliary : above 0, logits are a pair, the second those of an auxiliary classifier, whose loss
        is added times this number; without mining, for it is to reach all pixels early on (PSPNet,
        Zhao et al. 2017, section 3.3).

    Raises InputError where `hard_below` or `keep` is no share, or one needs the other.
    """

    def __init__(self, ignore=255, hard_below=0.0, keep=0.0, auxiliary=0.0):
        check_pixel_loss(hard_below, keep, auxiliary)
        self._ignore = ignore
        self._hard_below = hard_below
        self._keep = keep
        self._auxiliary = auxiliary

    def __call__(self, logits, labels):
        """The losses `(B,)`. Raises InputError where `auxiliary` is set and logits are no pair."""
        if not self._auxiliary:
            return self._mean(logits, labels, self._hard_below)
        if isinstance(logits, nd.NDArray):
            raise InputError(
                f"auxiliary {self._auxiliary} needs a network with an auxiliary classifier"
            )
        main, second = logits
        second = self._mean(second, labels, 0.0)
        return self._mean(main, labels, self._hard_below) + self._auxiliary * second

    def _mean(self, logits, labels, hard_below):
        """The mean loss `(B,)` of each picture's pixels that count."""
        losses = _cross_entropy(logits, labels)
        with autograd.pause():  # which pixels count is no function to be trained
            counts = labels != self._ignore
            if hard_below:
                counts = counts * self._hard(losses.detach(), counts)
            shares = counts / nd.maximum(counts.sum(axis=(1, 2), keepdims=True), 1)
        return (losses * shares).sum(axis=(1, 2))

    def _hard(self, losses, valid):
        """1 for each pixel of `(B, H, W)` to learn from, by its loss."""
        hard = losses > -math.log(self._hard_below)
        if not self._keep:
            return hard
        ranked = nd.sort((losses * valid).reshape((0, -1)), axis=1, is_ascend=False)
        last = nd.ceil(valid.sum(axis=(1, 2)) * self._keep) - 1
        least = nd.pick(ranked, last, axis=1).reshape((0, 1, 1))
        return nd.broadcast_logical_or(hard, nd.broadcast_greater_equal(losses, least))


def pixel_accuracy(logits, labels, ignore=255):
    """Share of each picture's pixels, but ignored ones, whose likeliest class is right; or 0.

    Logits `(B, C, H, W)`, labels `(B, H, W)` -> `(B,)`.
    """
    valid = labels != ignore
    right = (logits.argmax(axis=1) == labels) * valid
    return right.sum(axis=(1, 2)) / nd.maximum(valid.sum(axis=(1, 2)), 1)


def _cross_entropy(logits, labels):
    """Cross entropy of each pixel, `(B, H, W)`; that of an ignored pixel means nothing."""
    logp = nd.log_softmax(logits.astype("float32", copy=False), axis=1)
    return -nd.pick(logp, labels, axis=1, mode="clip")  # a label that is no class reads a near one
