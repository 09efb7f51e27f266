"""SE-ResNet, plain and with GloRe units.

Hu et al., Squeeze-and-Excitation Networks, CVPR 2018 (https://arxiv.org/abs/1709.01507), on the
GloRe paper's pre-activation ResNet: attention behind the third convolution, reduction 16, two
dense layers with bias. To reproduce a row of the paper, train it with the config of
configs/imagenet that names it.
"""

from .network import family_of, make_symbol


def get_symbol(num_classes=None, model="se_resnet50_glore_0_3", image_shape=None):
    """The logits of a registered SE-ResNet, see `symbols.network.make_symbol`."""
    return make_symbol(
        num_classes, model, image_shape, lambda spec: family_of(spec) == "se_resnet", "SE-ResNet"
    )
