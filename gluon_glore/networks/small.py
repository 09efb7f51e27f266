"""The smallest networks, all ours, a row each: they train on a CPU within minutes."""

import dataclasses

from ..plan.head import as_fcn
from ..plan.spec import NetSpec
from ..plan.stages import Stage, Stem
from .registry import register_model


@register_model
def tiny():
    """Three-stage ResNet of 32, 64, 96 channels for 64x64 grey pictures; ours, trains on a CPU."""
    return NetSpec(
        stages=(Stage(1, 32, 2), Stage(1, 64, 2), Stage(2, 96, 1)),
        stem=Stem(channels=32, kernel=3, stride=2, pool=0),
        bottleneck=False,
        in_channels=1,
        input_size=(64, 64),
        classes=2,
    )


@register_model
def tiny_glore_0_1():
    """`tiny` with one unit of 64 nodes before the last residual unit; ours."""
    return tiny().with_units("glore", res4=(1,), mid_channels=64)


@register_model
def tiny_nl_0_1():
    """`tiny` with one non-local block before the last residual unit; ours."""
    return tiny().with_units("nonlocal", res4=(1,))


@register_model
def mini():
    """ResNet-14 of 16, 32, 32 channels for 32x32 grey pictures, of the ablations; ours."""
    return NetSpec(
        stages=(Stage(1, 16, 2), Stage(2, 32, 1), Stage(3, 32, 1)),
        stem=Stem(channels=16, kernel=3, stride=2, pool=0),
        bottleneck=False,
        in_channels=1,
        input_size=(32, 32),
        classes=2,
    )


@register_model
def mini_wide():
    """`mini` with a Res4 of 35 channels: what a unit of 32 nodes costs, spent on width; ours."""
    narrow = mini()
    return dataclasses.replace(narrow, stages=(*narrow.stages[:2], Stage(3, 35, 1)))


@register_model
def tiny_3d():
    """Three-stage 3-D ResNet of 32, 64, 96 channels for clips of 8 grey 64x64 frames; ours.

    Time is never strided. A location sees 33 pixels of the frame: not two opposite borders.
    """
    stages = zip((32, 64, 96), ((1, 2, 2), (1, 2, 2), 1), (16, 32, 32))
    return NetSpec(
        stages=tuple(Stage(1, *row, temporal=(1,)) for row in stages),
        stem=Stem(channels=16, kernel=(3, 5, 5), stride=(1, 2, 2), pool=0),
        in_channels=1,
        input_size=(8, 64, 64),
        classes=2,
    )


@register_model
def tiny_3d_glore_0_1():
    """`tiny_3d` with one unit of 24 nodes behind its last residual unit; ours."""
    return tiny_3d().with_units("glore", res4=(1,))


@register_model
def tiny_3d_nl_0_1():
    """`tiny_3d` with one non-local block behind its last residual unit, keys subsampled; ours."""
    return tiny_3d().with_units("nonlocal", res4=(1,), subsample=2)


@register_model
def cifar_resnet14():
    """Three-stage ResNet of 32, 64, 128 channels for 32x32 pictures; ours, trains on a CPU.

    Stem stride and widths are what oneDNN runs fast: a ResNet-20 of 16, 32, 64 channels takes
    2.7 times as long.
    """
    return NetSpec(
        stages=(Stage(2, 32, 1), Stage(2, 64, 2), Stage(2, 128, 2)),
        stem=Stem(channels=32, kernel=3, stride=2, pool=0),
        bottleneck=False,
        input_size=(32, 32),
        classes=10,
    )


@register_model
def cifar_resnet14_glore_1_0():
    """`cifar_resnet14` with one unit of 32 nodes in its middle stage; ours."""
    return cifar_resnet14().with_units("glore", res3=(1,), mid_channels=32)


@register_model
def fcn_tiny_glore_1():
    """FCN on `tiny` for 96x96 colour pictures, with one unit of 32 nodes in its head; ours.

    A location of its last stage is 4 x 4 pixels. Classes are those of `train.digit_scenes`.
    """
    coloured = dataclasses.replace(tiny(), in_channels=3)
    return as_fcn(coloured, channels=64, units=1, mid_channels=32, classes=11, input_size=(96, 96))


@register_model
def cifar_resnet10():
    """Three-stage ResNet of 32, 64, 128 channels, for 32x32 pictures at full size; ours."""
    return dataclasses.replace(
        cifar_resnet14(),
        stages=(Stage(1, 32, 1), Stage(1, 64, 2), Stage(2, 128, 2)),
        stem=Stem(channels=32, kernel=3, stride=1, pool=0),
    )


@register_model
def cifar_resnet10_glore_0_1():
    """`cifar_resnet10` with one unit of 32 nodes between the units of its last stage; ours."""
    return cifar_resnet10().with_units("glore", res4=(1,), mid_channels=32)
