"""Pre-activation ResNet, plain, with GloRe units and with non-local blocks.

He et al., Identity Mappings in Deep Residual Networks, ECCV 2016
(https://arxiv.org/abs/1603.05027); the changes are those of the GloRe paper's released networks:
stride on the 3x3 convolution, BatchNorm eps 1e-4, no BatchNorm on the data. To reproduce a row of
the paper, train it with the config of configs/imagenet that names it.
"""

from .network import family_of, make_symbol


def get_symbol(num_classes=None, model="resnet50_glore_2_3", image_shape=None):
    """The logits of a registered ResNet, see `symbols.network.make_symbol`."""
    return make_symbol(
        num_classes, model, image_shape, lambda spec: family_of(spec) == "resnet", "ResNet"
    )
