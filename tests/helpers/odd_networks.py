"""Small networks of every option that a plan has, for walks that compare its spellings."""

from dataclasses import replace

from gluon_glore import as_fcn, get_spec
from gluon_glore.plan.head import FCNHead
from tests.helpers.families import FAMILIES, small_spec
from tests.helpers.small_video import small as small_video

UNITS = {
    "pre": ("glore", {}),
    "graph layers": ("glore", {"graph_layers": 3, "normalize": True}),
    "two masks": ("glore", {"shared_projection": False, "arrangement": "post"}),
    "pooled way in": ("glore", {"pool_stride": 2, "shared_projection": False, "normalize": True}),
    "extend first": ("glore", {"arrangement": "post", "extend_first": True, "zero_gamma": False}),
    "non-local": ("nonlocal", {"zero_gamma": False, "mid_channels": 5}),
    "subsampled": ("nonlocal", {"subsample": 2}),
}
BOTH_PATHS = ("glore", {"both_paths": True})
PASSED_BY = ("nonlocal", {"subsample": 2})  # by the dense path


def _with_norms(ndim):
    """A norm of the pixels, and one for the first convolution and the shortcut of each unit."""
    spec = small_spec("resnet", ndim, 4, None)
    return replace(spec, stem=replace(spec.stem, norm_input=True), shared_norm=True)


def _with_unit(ndim, units):
    spec = small_spec("resnet", ndim, 4, units)
    return replace(spec, input_size=(8, 17, 15)) if ndim == 3 else spec  # frames enough to pool


def _head(**changes):
    spec = get_spec("fcn_small_glore_1_cityscapes")
    return replace(spec, classes=4, input_size=(49, 66), **changes)


ODD = {
    **{f"{ndim}-D {f}": small_spec(f, ndim, 4, None) for f in FAMILIES for ndim in (1, 2, 3)},
    **{
        f"{ndim}-D {name}": _with_unit(ndim, units)
        for name, units in UNITS.items()
        for ndim in (1, 2, 3)
    },
    **{f"{ndim}-D norms": _with_norms(ndim) for ndim in (1, 2, 3)},
    **{f"{ndim}-D both paths": small_spec("dpn", ndim, 4, BOTH_PATHS) for ndim in (1, 2, 3)},
    **{f"{ndim}-D passed by": small_spec("dpn", ndim, 4, PASSED_BY) for ndim in (1, 2, 3)},
    "clips": small_video(),
    "clips, pooled way in": small_video().with_units("glore", res2=(1,), pool_stride=2),
    "clips, unit": small_video().with_units("glore", res3=(2,), arrangement="post"),
    "clips, non-local": small_video().with_units("nonlocal", res2=(1, 2), subsample=2),
    "clips, 3x3x3": small_video(temporal=None, stride=(1, 2, 2)),
    "no pool": replace(small_spec("resnet18", 2, 4, None), stem=get_spec("cifar_resnet14").stem),
    "auxiliary": _head(head=FCNHead(channels=12, units=2, mid_channels=3, auxiliary=4)),
    "multi-grid": as_fcn(
        replace(get_spec("cifar_resnet14"), name="grid"),
        multi_grid=(1, 2),
        channels=8,
        classes=3,
        input_size=(33, 41),
    ),
    "another norm": replace(small_spec("resnet", 2, 4, UNITS["pre"]), eps=0.125, momentum=0.75),
}
