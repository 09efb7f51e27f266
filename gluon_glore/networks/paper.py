"""The networks of the paper by name, a row each; their docstrings say where they are from.

Extra units stand behind the residual units whose numbers are given, counted from 1. The smallest
networks are rows of `small.py`. Who asks for networks by name takes `get_spec` and `list_models`
from here: importing this file registers all rows.
"""

import dataclasses

from ..plan.head import as_fcn
from ..plan.spec import NetSpec
from ..plan.stages import Stage, Stem
from . import small  # noqa: F401 - registers its rows
from .registry import get_spec, list_models, register_model

__all__ = ["get_spec", "list_models"]

# BatchNorm's in the authors' ResNets, as public copies of their symbols have it; not in their DPNs.
MOMENTUM = 0.92
STRIDES = (1, 2, 2, 2)
WIDTHS = (256, 512, 1024, 2048)
# Where the authors' networks have two units in Res3 and three in Res4, by their depth.
PLACES_50 = {"res3": (1, 3), "res4": (1, 3, 5)}
PLACES_101 = {"res3": (1, 3), "res4": (6, 12, 18)}


def _resnet(*blocks, **options) -> NetSpec:
    """A ResNet of so many residual units in Res2 to Res5."""
    return NetSpec(stages=tuple(map(Stage, blocks, WIDTHS, STRIDES)), momentum=MOMENTUM, **options)


def _resnext(*blocks, groups, width) -> NetSpec:
    """A ResNeXt of so many residual units a stage, with `groups` of `width` channels in Res2."""
    mids = (groups * width * 2**i for i in range(4))
    rows = zip(blocks, WIDTHS, STRIDES, mids)
    return NetSpec(stages=tuple(Stage(*row, groups=groups) for row in rows), momentum=MOMENTUM)


def _dpn(*blocks, width, groups, growth, stem) -> NetSpec:
    """A DPN of so many units a stage; `width` is that inside the units of Res2."""
    rows = zip(blocks, WIDTHS, STRIDES, (width * 2**i for i in range(4)), growth)
    stages = (Stage(*row, groups=groups, growth=inc) for *row, inc in rows)
    return NetSpec(stages=tuple(stages), stem=Stem(channels=stem), family="dpn")


@register_model
def resnet18():
    """ResNet-18, pre-activation (He et al. 2016)."""
    stages = tuple(map(Stage, (2,) * 4, (64, 128, 256, 512), STRIDES))
    return NetSpec(stages=stages, bottleneck=False, momentum=MOMENTUM)


@register_model
def resnet18_glore_0_1():
    """ResNet-18 with one unit of 128 nodes in the middle of Res4 (paper, Figure 7)."""
    return resnet18().with_units("glore", res4=(1,), mid_channels=128)


@register_model
def resnet50():
    """ResNet-50, pre-activation, stride on the 3x3 (paper, Table 2)."""
    return _resnet(3, 4, 6, 3)


@register_model
def se_resnet50():
    """SE-ResNet-50, reduction 16 (paper, Table 2; Hu et al. 2018)."""
    return dataclasses.replace(resnet50(), squeeze_excite=16)


# Section 4.2: where "R50+Ours(n, m)" has its n units in Res3 and m in Res4; whose choice that is.
PLACES_4_2 = {
    (1, 0): ({"res3": (2,)}, "ours"),
    (0, 1): ({"res4": (3,)}, "ours"),
    (1, 3): ({"res3": (2,), "res4": (1, 3, 5)}, "ours"),
    (0, 3): ({"res4": (1, 3, 5)}, "of the released ResNet-50"),
    (0, 5): ({"res4": (1, 2, 3, 4, 5)}, "ours"),
    (2, 3): (PLACES_50, "of the released ResNet-50"),
}
TABLES_4_2 = {
    "resnet50_glore_0_1": "Table 1, g = 1",
    "resnet50_glore_0_3": "Table 2",
    "resnet50_glore_2_3": "Table 2",
    "se_resnet50_glore_0_3": "Table 2",
}


def _register_placed(plain, kind, numbers, layers=1):
    """Register a network of section 4.2, or of Table 1, which varies one unit's graph layers."""
    (res3, res4), (places, whose) = numbers, PLACES_4_2[numbers]
    # Non-local blocks start without zero gamma here (footnote 5); pre-activation units have none.
    name, options = {"glore": ("glore", {}), "nonlocal": ("nl", {"zero_gamma": False})}[kind]
    if layers > 1:
        options["graph_layers"] = layers

    def row():
        return plain().with_units(kind, **places, **options)

    row.__name__ = f"{plain.__name__}_{name}_{res3}_{res4}" + (f"_g{layers}" if layers > 1 else "")
    where = f"Table 1, g = {layers}" if layers > 1 else "section 4.2"
    where = TABLES_4_2.get(row.__name__, where)
    what = {"glore": "GloRe units", "nonlocal": "non-local blocks"}[kind]
    counts = [f"{count} in Res{stage}" for stage, count in ((3, res3), (4, res4)) if count]
    row.__doc__ = (
        f"{plain.__doc__.partition(',')[0]} with {what}, {' and '.join(counts)} "
        f"(paper, {where}; placement {whose})."
    )
    register_model(row)


for _plain in (resnet50, se_resnet50):
    for _numbers in PLACES_4_2:
        _register_placed(_plain, "glore", _numbers)
        _register_placed(_plain, "nonlocal", _numbers)
for _layers in (2, 3):
    _register_placed(resnet50, "glore", (0, 1), _layers)


@register_model
def resnet101():
    """ResNet-101, pre-activation (He et al. 2016)."""
    return _resnet(3, 4, 23, 3)


@register_model
def resnet101_glore_2_3():
    """ResNet-101 with two units in Res3, three in Res4 (placement: the authors' video network)."""
    return resnet101().with_units("glore", **PLACES_101)


@register_model
def resnet200():
    """ResNet-200, pre-activation (paper, Table 2)."""
    return _resnet(3, 24, 36, 3)


@register_model
def resnet200_glore_0_3():
    """ResNet-200 with three units in Res4 (paper, Table 2; placement of a port)."""
    return resnet200().with_units("glore", res4=(16, 24, 32))


@register_model
def resnet200_glore_2_3():
    """ResNet-200 with two units in Res3, three in Res4 (paper, Table 2; placement of a port)."""
    return resnet200().with_units("glore", res3=(12, 18), res4=(16, 24, 32))


@register_model
def resnext101_32x4d():
    """ResNeXt-101, 32 groups of 4 channels (paper, Table 2; Xie et al. 2017)."""
    return _resnext(3, 4, 23, 3, groups=32, width=4)


@register_model
def resnext101_32x4d_glore_2_3():
    """ResNeXt-101 with two units in Res3, three in Res4 (paper, Table 2; placed as ResNet-101)."""
    return resnext101_32x4d().with_units("glore", **PLACES_101)


@register_model
def dpn92():
    """DPN-92, 32 groups of 3 channels (Chen et al. 2017, Table 1)."""
    return _dpn(3, 4, 20, 3, width=96, groups=32, growth=(16, 32, 24, 128), stem=64)


@register_model
def dpn92_glore_2_3():
    """DPN-92 with two units in Res3, three in Res4 (placement ours)."""
    return dpn92().with_units("glore", res3=(1, 3), res4=(5, 10, 15))


@register_model
def dpn98():
    """DPN-98, 40 groups of 4 channels (paper, Table 2; Chen et al. 2017)."""
    return _dpn(3, 6, 20, 3, width=160, groups=40, growth=(16, 32, 32, 128), stem=96)


@register_model
def dpn98_glore_2_3():
    """DPN-98 with two units in Res3, three in Res4 (paper, Table 2; placement ours)."""
    return dpn98().with_units("glore", res3=(2, 4), res4=(5, 10, 15))


@register_model
def dpn131():
    """DPN-131, 40 groups of 4 channels (paper, Table 2; Chen et al. 2017)."""
    return _dpn(4, 8, 28, 3, width=160, groups=40, growth=(16, 32, 32, 128), stem=128)


@register_model
def dpn131_glore_2_3():
    """DPN-131 with two units in Res3, three in Res4 (paper, Table 2; placement ours)."""
    return dpn131().with_units("glore", res3=(4, 7), res4=(7, 14, 21))


def _video(*blocks) -> NetSpec:
    """A 3-D "lite" ResNet: in Res3 and Res4 each second unit sees neighbouring frames."""
    odd = (tuple(range(1, n + 1, 2)) for n in blocks[1:3])
    temporal = (tuple(range(1, blocks[0] + 1)), *odd, (2,))
    rows = zip(blocks, WIDTHS, ((1, 1, 1), (2, 2, 2), (1, 2, 2), (1, 2, 2)), temporal)
    return NetSpec(
        stages=tuple(Stage(*row, temporal=time) for *row, time in rows),
        stem=Stem(channels=32, kernel=(3, 5, 5), stride=(1, 2, 2), pool=(1, 3, 3)),
        input_size=(8, 224, 224),
        dropout=0.5,
        classes=400,
        momentum=MOMENTUM,
    )


@register_model
def resnet50_3d_kinetics400():
    """3-D "lite" ResNet-50, clips of 8 frames (paper, section 4.4; the authors' video network)."""
    return _video(3, 4, 6, 3)


@register_model
def resnet50_3d_glore_2_3_kinetics400():
    """3-D ResNet-50 with two units in Res3, three in Res4 (paper, Table 5; placed as released)."""
    return resnet50_3d_kinetics400().with_units("glore", **PLACES_50, arrangement="post")


@register_model
def resnet50_3d_nl_2_3_kinetics400():
    """3-D ResNet-50 with five non-local blocks (paper, Table 5; placed as the GloRe units).

    Keys and values are subsampled: with that it costs 1.6 G more than GloRe units in the order of
    the paper's equations, as in the table.
    """
    return resnet50_3d_kinetics400().with_units("nonlocal", **PLACES_50, subsample=2)


@register_model
def resnet101_3d_kinetics400():
    """3-D "lite" ResNet-101, clips of 8 frames (paper, section 4.4; the authors' video network)."""
    return _video(3, 4, 23, 3)


@register_model
def resnet101_3d_glore_2_3_kinetics400():
    """3-D ResNet-101 with two units in Res3, three in Res4 (paper, Table 5; placed as released)."""
    return resnet101_3d_kinetics400().with_units("glore", **PLACES_101, arrangement="post")


@register_model
def resnet101_3d_nl_2_3_kinetics400():
    """3-D ResNet-101 with five non-local blocks (paper, Table 5; as in ResNet-50)."""
    return resnet101_3d_kinetics400().with_units("nonlocal", **PLACES_101, subsample=2)


MULTI_GRID = (4, 8, 16)


@register_model
def fcn_resnet50_cityscapes():
    """FCN on a dilated ResNet-50 (paper, Table 3, plain row)."""
    return as_fcn(resnet50())


@register_model
def fcn_resnet50_multigrid_cityscapes():
    """FCN on a dilated ResNet-50, dilation 4, 8, 16 in Res5 (paper, Table 3: multi-grid)."""
    return as_fcn(resnet50(), multi_grid=MULTI_GRID)


@register_model
def fcn_resnet50_glore_1_cityscapes():
    """FCN with multi-grid and one unit of 64 nodes in its head (paper, Table 3)."""
    return as_fcn(resnet50(), multi_grid=MULTI_GRID, units=1)


@register_model
def fcn_resnet50_glore_2_cityscapes():
    """FCN with multi-grid and two units in its head (paper, Table 3; one after the other: ours)."""
    return as_fcn(resnet50(), multi_grid=MULTI_GRID, units=2)


@register_model
def fcn_resnet101_multigrid_cityscapes():
    """FCN with multi-grid on a dilated ResNet-101: Table 4's network without its unit."""
    return as_fcn(resnet101(), multi_grid=MULTI_GRID)


@register_model
def fcn_resnet101_glore_1_cityscapes():
    """FCN on a dilated ResNet-101 with one unit of 64 nodes in its head (paper, Table 4)."""
    return as_fcn(resnet101(), multi_grid=MULTI_GRID, units=1)


def _fcn_small(widths=(32, 64, 128, 128), **options):
    """A ResNet-18 of these widths, half its own and in Res5 a quarter, for 240x320 pixels.

    The stem is as wide as Res2, the small head as Res5.
    """
    stages = tuple(map(Stage, (2,) * 4, widths, STRIDES))
    backbone = NetSpec(stages=stages, stem=Stem(channels=widths[0]), bottleneck=False)
    return as_fcn(backbone, channels=widths[-1], input_size=(240, 320), **options)


@register_model
def fcn_small_cityscapes():
    """FCN on a dilated, narrow ResNet-18, classes of Cityscapes; ours, trains on a CPU."""
    return _fcn_small()


@register_model
def fcn_small_glore_1_cityscapes():
    """`fcn_small_cityscapes` with one unit of 32 nodes in its head; ours."""
    return _fcn_small(units=1, mid_channels=32)


@register_model
def fcn_mini_glore_1_cityscapes():
    """`fcn_small_glore_1_cityscapes` of fewer channels, 0.68 M parameters; ours."""
    return _fcn_small((24, 48, 80, 80), units=1, mid_channels=32)


def _lite(video) -> NetSpec:
    """The 2-D network of a 3-D one, with ImageNet's classes."""
    return dataclasses.replace(video.flattened(), dropout=0.0, classes=1000)


@register_model
def resnet50_lite():
    """2-D ResNet-50 whose ImageNet weights inflate into `resnet50_3d_kinetics400`; ours."""
    return _lite(resnet50_3d_kinetics400())


@register_model
def resnet101_lite():
    """2-D ResNet-101 whose ImageNet weights inflate into `resnet101_3d_kinetics400`; ours."""
    return _lite(resnet101_3d_kinetics400())
