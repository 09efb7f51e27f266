"""A small network of each family, in each number of dimensions."""

from gluon_glore import NetSpec, Stage, Stem

SPACES = {1: (33,), 2: (17, 15), 3: (4, 17, 15)}


FAMILIES = {
    "resnet18": {"bottleneck": False},
    "resnet": {},
    "resnext": {"groups": 2},
    "se_resnet": {"squeeze_excite": 4},
    "dpn": {"family": "dpn", "growth": 12},
}


def small_spec(family, ndim, channels, units):
    """A two-stage network of a family in 1, 2 or 3 dimensions; odd widths cut oneDNN's blocks."""
    options = dict(FAMILIES[family])
    stage = {key: options.pop(key) for key in ("groups", "growth") if key in options}
    spec = NetSpec(
        stages=(Stage(1, 4 * channels, 1, **stage), Stage(2, 8 * channels, 2, **stage)),
        stem=Stem(channels=channels, kernel=3, stride=1),
        in_channels=2,
        input_size=SPACES[ndim],
        name="small",
        classes=3,
        **options,
    )
    return spec.with_units(units[0], res3=(1,), **units[1]) if units else spec


def small(family, ndim, channels, units):
    """The Gluon network of `small_spec`."""
    from gluon_glore import Network

    return Network(small_spec(family, ndim, channels, units))
