"""Every network with GloRe units, whatever its backbone.

Chen et al., Graph-Based Global Reasoning Networks, CVPR 2019 (https://arxiv.org/abs/1811.12814).
The unit itself is `symbols.units.glore`.
"""

from .network import make_symbol


def get_symbol(num_classes=None, model="resnet50_glore_2_3", image_shape=None):
    """The logits of a registered network with GloRe units, see `symbols.network.make_symbol`."""
    return make_symbol(
        num_classes,
        model,
        image_shape,
        lambda spec: any(extra.kind == "glore" for extra in spec.extras),
        "network with GloRe units",
    )
