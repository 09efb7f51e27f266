"""How the networks of GluonCV and of Gluon's model zoo call their stages Res2 to Res5.

A family is a row of `STAGES`: the places of Res2, Res3, ..., by path or by the prefix of their
parameters. Networks that are a flat list of blocks have a row in `FLAT`.
"""

FIRST = 2  # the number of a row's first stage

STAGES = (
    # ResNet v1b to v1s, ResNeSt, R(2+1)D, networks for pixels and videos on these; prefixes of I3D
    ("layer1", "layer2", "layer3", "layer4"),
    # prefixes of ResNet v1 and v2, SE-ResNet, ResNeXt, SENet, DenseNet, and those for CIFAR
    ("stage1", "stage2", "stage3", "stage4"),
    # SlowFast: the slow path, which has the non-local blocks of its authors (their section 4.1)
    ("slow_res2", "slow_res3", "slow_res4", "slow_res5"),
)


def _of_class(name):
    return lambda layers: [(path, layer) for path, layer in layers if type(layer).__name__ == name]


# The blocks among the layers of `features`, by the network's class in GluonCV or Gluon.
FLAT = {
    # A stem of three layers; then six a block: a depthwise and a pointwise convolution with theirs.
    "MobileNet": lambda layers: layers[8::6],
    "MobileNetV2": _of_class("LinearBottleneck"),
    "_MobileNetV3": _of_class("_ResUnit"),
}
PICTURE = (224, 224)  # at which strides are counted


def stages_of(traced):
    """The stages of a network: {"res4": (path of the stage's end, [paths of its blocks])}.

    Empty where it is of no family. Any network with such attributes or prefixes is of it.
    """
    kind = type(traced.net)
    if kind.__name__ in FLAT and kind.__module__.startswith(("gluoncv.", "mxnet.")):
        return _flat_stages(traced, FLAT[kind.__name__])
    for row in STAGES:
        found = [traced.find(place) for place in row]
        if found[0]:
            return {
                f"res{number}": (path, traced.sequence(path))
                for number, path in enumerate(found, FIRST)
                if path
            }
    return {}


def _flat_stages(traced, pick):
    """The stages of a flat list: blocks of stride 4 are Res2, of stride 8 Res3."""
    stages = {}
    shape = (*traced.input_shape[:2], *PICTURE)
    for path, _ in pick([(p, traced.blocks[p]) for p in traced.sequence("features")]):
        stride = PICTURE[0] // traced.shapes(path, shape)[0][0][2]
        blocks = stages.get(stride, (None, []))[1]
        stages[stride] = (path, [*blocks, path])
    return {f"res{number}": stages[2**number] for number in range(2, 6) if 2**number in stages}
