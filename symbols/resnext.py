"""ResNeXt, plain and with GloRe units.

Xie et al., Aggregated Residual Transformations for Deep Neural Networks, CVPR 2017
(https://arxiv.org/abs/1611.05431); pre-activation like the GloRe paper's ResNets, else unchanged.
To reproduce a row of the paper, train it with the config of configs/imagenet that names it.
"""

from .network import family_of, make_symbol


def get_symbol(num_classes=None, model="resnext101_32x4d_glore_2_3", image_shape=None):
    """The logits of a registered ResNeXt, see `symbols.network.make_symbol`."""
    return make_symbol(
        num_classes, model, image_shape, lambda spec: family_of(spec) == "resnext", "ResNeXt"
    )
