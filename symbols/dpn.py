"""Dual path networks, plain and with GloRe units on the residual path.

Chen et al., Dual Path Networks, NIPS 2017 (https://arxiv.org/abs/1707.01629), unchanged. Both
paths are one tensor, the residual path first. To reproduce a row of the paper, train it with the
config of configs/imagenet that names it.
"""

from .network import family_of, make_symbol


def get_symbol(num_classes=None, model="dpn98_glore_2_3", image_shape=None):
    """The logits of a registered DPN, see `symbols.network.make_symbol`."""
    return make_symbol(
        num_classes, model, image_shape, lambda spec: family_of(spec) == "dpn", "DPN"
    )
