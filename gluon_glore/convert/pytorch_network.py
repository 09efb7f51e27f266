"""PyTorch's networks, recognised from the names and shapes of their parameters.

They are registered networks, or others like those of the authors' release, whose strides and what
else names and shapes don't tell are taken for granted. This file does not import PyTorch.
"""

import re
from dataclasses import replace
from typing import Dict, Tuple

import numpy as np

from ..networks.paper import get_spec, list_models
from ..plan.parameters import parameter_shapes
from ..plan.spec import MID_DIVISOR, NetSpec
from ..plan.stages import Placement, Stage
from ..pytorch.names import counts_batches, our_name, their_name
from ..utils.errors import InputError, listed
from ..weights.fit import fit_all, fit_as_is
from ..weights.network_file import from_pytorch
from ..weights.pytorch_file import FLOATS
from .recognized import Recognized

# The authors' networks that give what a file doesn't tell, by the axes of the first kernel.
LIKE = {2: "resnet50_lite", 3: "resnet50_3d_kinetics400"}
_BLOCK = re.compile(r"(conv\d_B)\d+_(?!extra_)")
_UNIT = re.compile(r"conv([2-5])_B([0-9]{2,3})_extra_conv-proj__conv_weight")


def recognize(state: Dict[str, np.ndarray], path, name=None, spec=None) -> Recognized:
    """The network whose parameters `state`, from the file `path`, holds by PyTorch's names.

    `spec` or `name` is its own where that is known: of that network the file must have exactly the
    parameters, but for the number of classes, or be one of the authors'. Names may start with
    `module.`; units' 1x1 kernels may have 1 to 3 spatial axes. Raises InputError naming the first
    parameters that are missing, of another shape or of no layer, or the several registered networks
    that have them.
    """
    names = [name] if name in list_models() else list_models()
    fitting = _fitting(state, [spec] if spec else map(get_spec, names))
    if len(fitting) > 1:
        raise InputError(
            f"{path}: parameters of {' and of '.join(fitting)}, which only differ in what no "
            "file says: name one (--name)"
        )
    for spec, arrays in fitting.values():
        return Recognized(replace(spec, name="", source=""), arrays, tuple(_notes(state, spec)))
    try:
        return _like_authors(state, path)
    except InputError:
        if spec or name in list_models():  # what differs from that one says more
            fit_all(parameter_shapes(spec or get_spec(name)), from_pytorch(state), path)
        raise


def _fitting(state, specs):
    """`{name: (spec, arrays)}` of the networks, of these specs, that `state` is of."""
    try:
        given = from_pytorch(state)
    except InputError:
        return {}
    if any(array.dtype.name not in FLOATS for array in given.values()):
        return {}
    found = {}
    for spec in specs:
        classifier = given.get(f"{spec.names[-1]}_weight")
        if classifier is None or not classifier.size:
            continue
        spec = replace(spec, classes=len(classifier))
        shapes = parameter_shapes(spec)
        if shapes.keys() != given.keys():
            continue
        fitted = {key: fit_as_is(given[key], shape) for key, shape in shapes.items()}
        if all(array is not None for array in fitted.values()):
            arrays = {key: np.ascontiguousarray(a, np.float32) for key, a in fitted.items()}
            found[spec.name] = spec, arrays
    return found


def _like_authors(state, path):
    """The network of the authors' kind. Raises InputError as `recognize` does."""
    arrays, problems = _by_our_names(state)
    try:
        spec = _spec({name: array.shape for name, array in arrays.items()})
    except InputError as error:
        problems.insert(0, str(error))
    else:
        arrays, different = _fit(arrays, parameter_shapes(spec))
        problems += different
    if problems:
        raise InputError(
            f"{path}: not a network of the authors' PyTorch release: {listed(problems)}"
        )
    return Recognized(spec, arrays, tuple(_notes(state, spec)))


def _by_our_names(state):
    """`state` by our names, and a line for each parameter that can't be taken."""
    arrays, problems = {}, []
    for name, array in state.items():
        if counts_batches(name):
            continue
        name = name[len("module.") :] if name.startswith("module.") else name
        try:
            ours = our_name(name)
        except InputError:
            problems.append(f"{name[:80]!r} is of no layer")  # any text, lines too
            continue
        if ours in arrays:
            problems.append(f"{name} is there twice")
        if array.dtype.name not in FLOATS:
            problems.append(f"{name} is {array.dtype}, must be one of {', '.join(FLOATS)}")
        arrays[ours] = array
    return arrays, problems


def _spec(shapes: Dict[str, Tuple[int, ...]]) -> NetSpec:
    """The network with parameters of `shapes`, by our names, as far as they tell."""
    stem, in_channels, *kernel = _shape(shapes, "conv1__conv_weight", 4, 5)
    classes, _ = _shape(shapes, "classifier_weight", 2)
    like = get_spec(LIKE[len(kernel)])
    stages = tuple(
        _stage(f"conv{number}_B", stage, shapes, axes=2 + like.ndim)
        for number, stage in enumerate(like.stages, start=2)
    )
    units = sorted(match.groups() for match in map(_UNIT.fullmatch, shapes) if match)
    return replace(
        like,
        stem=replace(like.stem, channels=stem, kernel=tuple(kernel)),
        stages=stages,
        extras=tuple(_placement(int(s), after, stages, shapes) for s, after in units),
        in_channels=in_channels,
        classes=classes,
        name="",
        source="",
    )


def _stage(prefix, like, shapes, axes) -> Stage:
    """A stage as its parameters' shapes tell; its stride is that of the authors' stage `like`."""
    mid, per_group, *kernel = _shape(shapes, f"{prefix}01_conv-m2__conv_weight", axes)
    out = _shape(shapes, f"{prefix}01_conv-m3__conv_weight", axes)[0]
    # Of every parameter in them, so that the one missing is named, not the last block.
    blocks = len({m.group() for m in map(_BLOCK.match, shapes) if m and m[1] == prefix})
    openings = {
        block: shapes.get(f"{prefix}{block:02d}_conv-m1__conv_weight", ())[2:]
        for block in range(1, blocks + 1)
    }
    temporal = tuple(block for block, opening in openings.items() if opening == (3, 1, 1))
    return replace(
        like,
        blocks=blocks,
        out_channels=out,
        mid_channels=None if mid == out // 4 else mid,
        groups=mid // per_group,
        temporal=temporal if kernel == [1, 3, 3] else None,
    )


def _placement(stage, after, stages, shapes) -> Placement:
    """The GloRe unit behind block `after` of a stage."""
    name = f"conv{stage}_B{after}_extra_conv-proj__conv_weight"
    nodes = _shape(shapes, name, 3, 4, 5)[0]
    options = (("arrangement", "post"),)
    if nodes != stages[stage - 2].out_channels // MID_DIVISOR["glore"]:
        options += (("mid_channels", nodes),)
    return Placement("glore", stage, int(after), options)


def _shape(shapes, name, *axes):
    """The shape of a required parameter. Raises InputError where it has not one of `axes` axes."""
    if name not in shapes:
        raise InputError(f"{their_name(name)} is missing")
    if len(shapes[name]) not in axes or 0 in shapes[name]:
        allowed = " or ".join(map(str, axes))
        raise InputError(
            f"{their_name(name)} is {shapes[name]}, must have {allowed} axes of at least 1"
        )
    return shapes[name]


def _fit(arrays, shapes):
    """The arrays in float32 and `shapes`, and a line for each parameter that differs."""
    problems = [f"{their_name(name)} is missing" for name in shapes if name not in arrays]
    fitted = {}
    for name, array in arrays.items():
        if name not in shapes:
            problems.append(f"{their_name(name)} is of no layer")
            continue
        fit = fit_as_is(array, shapes[name])
        if fit is None:
            problems.append(f"{their_name(name)} is {array.shape}, must be {shapes[name]}")
        else:
            fitted[name] = np.ascontiguousarray(fit, np.float32)
    return fitted, problems


def _notes(state, spec):
    """Yield a line for each thing left out, changed or assumed."""
    counters = sum(map(counts_batches, state))
    if counters:
        yield f"left out: {counters} num_batches_tracked, which MXNet has not"
    others = {array.dtype.name for name, array in state.items() if not counts_batches(name)}
    if others - {"float32"}:
        yield f"now float32: parameters of {', '.join(sorted(others - {'float32'}))}"
    stages = enumerate(spec.stages, start=2)
    strides = {"stem": spec.stem_conv.stride} | {f"Res{n}": stage.stride for n, stage in stages}
    told = ", ".join(f"{place} {_by(stride)}" for place, stride in strides.items())
    like = f"the registered {spec.name}" if spec.name else "the authors' networks"
    pool = f"max pool {_by(spec.stem_pool.kernel)}" if spec.stem_pool else "no pool"
    yield (
        f"not in the file, so as in {like}: strides ({told}), {pool}, input "
        f"{_by(spec.input_size)}, dropout {spec.dropout:g}"
        + (", units without normalize" if spec.extras and not spec.name else "")
    )


def _by(sizes):
    return "x".join(map(str, sizes)) if isinstance(sizes, tuple) else str(sizes)
