"""Fully convolutional networks for segmentation, plain and with GloRe units in the head.

Long et al., CVPR 2015 (https://arxiv.org/abs/1411.4038), on the GloRe paper's pre-activation
ResNets with dilated convolutions in their last two stages; the unit stands between the head's two
3x3 convolutions (Chen et al., CVPR 2019, section 4.3). No auxiliary head: that is for training. To
reproduce a row of the paper, train it with the config of configs/cityscapes that names it.
"""

from .network import make_symbol


def get_symbol(num_classes=None, model="fcn_resnet50_glore_1_cityscapes", image_shape=None):
    """The logits `(B, num_classes, H, W)` of a registered FCN, see `symbols.network.make_symbol`.

    Height and width are the input's own.
    """
    return make_symbol(num_classes, model, image_shape, lambda spec: bool(spec.head), "FCN")
