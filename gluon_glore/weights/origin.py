"""What a file of parameters looks like that is not the wanted network's: for messages only.

Registered networks are told by their layers. Of others' a few names that no other has tell the
family, and the number of convolutions the depth of a ResNet. Nobody vouches for a file, so it
"looks like" them.
"""

import re
from collections import Counter

from ..networks.paper import get_spec, list_models
from ..plan.extra_units import EXTRA_UNITS
from ..plan.parameters import parameter_shapes
from ..plan.spec import NAMES
from ..utils.extras import installed

# Convolutions of a ResNet by its depth, those of the shortcuts with them.
DEPTHS = {20: 18, 36: 34, 53: 50, 104: 101, 155: 152}
_IMPORT = "python -m gluon_glore import makes an entry of it"
_POST = "a post-activation network, to which insert_units adds units"
# A pattern that one of the names fits, and what the file then looks like; the first row counts.
_ROWS = (
    ("^num_update$", "a checkpoint's momentum, its weights.params lies beside it"),
    (
        "__conv_fwd_bias$|_quantize(_min|_max)?$",
        "an export optimised for inference, --plain exports a network's own parameters",
    ),
    ("^init_mean$", "GluonCV's export_block, preprocess=None exports the parameters alone"),
    (r"num_batches_tracked$|(^|\.)bn1\.weight$", "parameters with PyTorch's names, give its .pth"),
    (r"^bn_data_gamma$", f"MXNet's resnet symbol, with its -symbol.json beside it {_IMPORT}"),
    (
        r"^features\.5\.0\.se\.|^resnetv2\d*_stage1_dense",
        "GluonCV's se_resnet{depth}_v2, its attention has no biases",
    ),
    (
        r"^features\.5\.0\.bn1\.gamma$|^resnetv2\d*_stage1_",
        f"MXNet's or GluonCV's resnet{{depth}}_v2; {_IMPORT} (--name resnet{{depth}}_v2)",
    ),
    (r"^features\.2\.0\.bn1\.gamma$|^cifarresnetv2", "GluonCV's ResNet v2 for CIFAR"),
    (
        r"^features\.4\.0\.body\.0\.weight$|^resnetv1\d*_stage1_|^resnext\d*_",
        f"MXNet's or GluonCV's resnet{{depth}}_v1 or a ResNeXt, {_POST}",
    ),
    (r"^resnest\d*_|^layer1\.0\.conv2\.conv\.", f"GluonCV's ResNeSt, {_POST}"),
    (r"^resnetv1[c-s]_|^conv1\.0\.weight$", f"GluonCV's ResNet v1c, v1d, v1e or v1s, {_POST}"),
    (r"^resnetv1b_|^layer1\.0\.conv1\.weight$", f"GluonCV's resnet{{depth}}_v1b, {_POST}"),
    (
        "^(alexnet|cifar|darknet|densenet|googlenet|inception|mobilenet|senet|shufflenet|squeezenet"
        r"|vgg|xception)\w*_(conv|stage|batchnorm|dense)",
        "GluonCV's {family}",
    ),
)
_CLASSIFIERS = ("output.", "auxiliary", *(f"{names[-1]}_" for names in NAMES.values()))


def origin_of(arrays):
    """What the file of `arrays`, by name, looks like; "" where that can't be told.

    Needs names and shapes alone.
    """
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    for pattern, text in _ROWS:
        found = next(filter(None, (re.search(pattern, name) for name in shapes)), None)
        if found:
            depth = DEPTHS.get(sum(len(shape) == 4 for shape in shapes.values()), "")
            return text.format(depth=depth, family=found.group(1) if found.groups() else "")
    by_place = all("." in name for name in shapes)
    own = " or ".join(name for name in _alike(shapes, by_place) if _is_of(name, shapes, by_place))
    if by_place:
        return f"a file that Gluon's save_parameters wrote of {own or 'another network'}"
    return own


def _alike(shapes, by_place):
    """Registered networks with the convolutions, and as many units, as arrays of these shapes."""
    given = Counter(shapes.values())
    layers = {name.split(".")[1] for name in shapes if name.startswith("features.")}
    extras = {match.group(1) for match in map(re.compile(r"(\w+_extra)_").match, shapes) if match}
    for name in list_models():
        spec = get_spec(name)
        units = (*spec.plan(), *spec.head_plan())
        if by_place:  # beside the units stem, its BatchNorm, tail
            fits = len(layers) == len(units) + 3 + spec.stem.norm_input
        else:
            fits = extras == {unit.name for unit in spec.plan() if unit.kind in EXTRA_UNITS}
        if fits and not Counter(_kernels(spec)) - given:
            yield name


def _kernels(spec):
    """The shapes of a spec's kernels, those in extra units and heads left out."""
    yield _kernel(spec.stem_conv)
    for unit in spec.plan():
        if unit.kind not in EXTRA_UNITS:
            convs = (
                *unit.convs,
                getattr(unit, "shortcut", None) or getattr(unit, "projection", None),
            )
            yield from map(_kernel, filter(None, convs))


def _kernel(conv):
    return (conv.out_channels, conv.in_channels // conv.groups, *conv.kernel)


def _is_of(name, shapes, by_place):
    """Whether arrays of these shapes are a registered network's, of any number of classes.

    Places in its blocks are known where MXNet is installed.
    """
    if not by_place:
        own = parameter_shapes(get_spec(name))
    elif installed("mxnet"):
        from ..networks.network import Network

        params = Network(get_spec(name))._collect_params_with_prefix()
        own = {key: tuple(param.shape) for key, param in params.items()}
    else:
        return False
    return _without_classifier(own) == _without_classifier(shapes)


def _without_classifier(shapes):
    return {name: s for name, s in shapes.items() if not name.startswith(_CLASSIFIERS)}
