"""The symbol of a spec: stem, the units of the plan, tail, head if there is one, classifier."""

import mxnet as mx

import gluon_glore
from gluon_glore.layers.functional import flatten_locations, upsample
from gluon_glore.plan.spec import INPUT_NORM
from gluon_glore.plan.units import norm_of
from gluon_glore.utils.errors import InputError

from .layers import convolution, global_average_pool, max_pool, norm
from .units import spell


def family_of(spec):
    """The file of a spec's family: "fcn", "resnet", "resnext", "se_resnet" or "dpn"."""
    if spec.head:
        return "fcn"
    if spec.family == "dpn":
        return "dpn"
    if spec.squeeze_excite:
        return "se_resnet"
    return "resnext" if any(stage.groups > 1 for stage in spec.stages) else "resnet"


def make_symbol(num_classes, model, image_shape, belongs, family):
    """The logits `(B, num_classes)` of the registered network `model`.

    `belongs(spec)` tells whether the calling file has that network; `family` is what a message
    calls the networks of that file. `image_shape` is (channels, *pixels), or text like "3,224,224"
    as MXNet's own scripts pass it: channels and dimensions must be the network's, pixels enough
    for its strides. Raises InputError where the name is unknown or another file's, or the shape
    does not fit.
    """
    spec = gluon_glore.get_spec(model)
    if not belongs(spec):
        raise InputError(
            f"{model} is no {family}; symbols.get_symbol picks the file that spells it"
        )
    num_classes = spec.classes if num_classes is None else num_classes
    if num_classes < 1:
        raise InputError(f"num_classes must be at least 1, given {num_classes}")
    if image_shape is not None:
        _check_image_shape(spec, image_shape)
    return spell_network(spec, num_classes)


def spell_network(spec, num_classes):
    """The logits of a spec from the variable "data", `(B, num_classes)`.

    Of a spec with a head they are `(B, num_classes, H, W)`.
    """
    stem, stem_norm, tail, classifier = spec.names
    data = x = mx.sym.var("data")
    if spec.ndim == 1:
        x = flatten_locations(mx.sym, x, axes=1)
    if spec.stem.norm_input:
        axes = len(spec.stem_conv.kernel)  # of the clips that the stem reads, too
        x = norm(x, INPUT_NORM, spec.in_channels, axes, relu=False, **norm_of(spec))
    x = convolution(x, spec.stem_conv, stem)
    x = norm(x, stem_norm, spec.stem.channels, spec.axes, **norm_of(spec))
    if spec.stem_pool:
        x = max_pool(x, spec.stem_pool.of_last(spec.axes), "pool1")
    for stage, unit in spec.plan_by_stage():
        x = spell(x, unit, spec.frames_at(stage))
    x = norm(x, tail, spec.feature_channels, spec.axes, **norm_of(spec))
    for unit in spec.head_plan():
        x = spell(x, unit)
    if not spec.head:
        x = global_average_pool(x, "global-pool", spec.axes, spec.frames_at(1 + len(spec.stages)))
    if spec.dropout:
        x = mx.sym.Dropout(x, p=spec.dropout, name="dropout")
    if not spec.head:
        return mx.sym.FullyConnected(x, num_hidden=num_classes, name=classifier)
    x = mx.sym.Convolution(x, num_filter=num_classes, kernel=(1, 1), name=classifier)
    return upsample(mx.sym, x, data, spec.total_stride)


def _check_image_shape(spec, image_shape):
    """Raise InputError where a network does not take inputs of `image_shape`."""
    if isinstance(image_shape, str):
        image_shape = [int(n) for n in image_shape.split(",")]
    channels, *pixels = image_shape
    if channels != spec.in_channels or len(pixels) != spec.ndim:
        raise InputError(
            f"{spec.name} takes {spec.in_channels} channels of {spec.ndim} dimensions, "
            f"given image_shape {tuple(image_shape)}"
        )
    spec.check_input(pixels)
