"""How the networks of GluonCV and of Gluon's model zoo call their stages Res2 to Res5.

A family is a row. The places of Res2, Res3, ... are paths or parameter prefixes, as a user gives
them. Networks without such places are a flat list of blocks: there a stage is what has a stride.
"""

FIRST = 2  # the number of a row's first stage

STAGES = (
    # ResNet v1b to v1s, ResNeSt, R(2+1)D, and the networks for pixels and videos that have these
    ("layer1", "layer2", "layer3", "layer4"),
    # ResNet v1, v2, SE, ResNeXt, SENet, DenseNet, those of CIFAR: prefixes of their parameters
    ("stage1", "stage2", "stage3", "stage4"),
    # I3D
    ("res_layers.0", "res_layers.1", "res_layers.2", "res_layers.3"),
    # SlowFast: the slow path, where its authors put non-local blocks; the other is "fast_res4"
    ("slow_res2", "slow_res3", "slow_res4", "slow_res5"),
)


def _of_class(name):
    return lambda layers: [layer for layer in layers if type(layer[1]).__name__ == name]


# The blocks among the layers of `features`, by the network's class.
FLAT = {
    # Behind the stem, 3 layers, a block is 6: a depthwise and a pointwise convolution with theirs.
    "MobileNet": lambda layers: layers[8::6],
    "MobileNetV2": _of_class("LinearBottleneck"),
    "_MobileNetV3": _of_class("_ResUnit"),
}


def flat_stage(traced, number):
    """The paths of the blocks of stage `number` in a flat network; none where it is no such one.

    They are those whose output has the stage's stride, 4 for Res2, 8 for Res3.
    """
    pick = FLAT.get(type(traced.net).__name__)
    if pick is None:
        return []
    features = [(f"features.{i}", block) for i, block in enumerate(traced.net.features)]
    height = traced.input_shape[2]
    return [path for path, _ in pick(features) if height // traced.shapes(path)[0][0][2] == 2**number]
