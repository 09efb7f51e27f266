"""A small 3-D network."""

from gluon_glore import NetSpec, Stage, Stem


def small(kernel=(3, 5, 5), temporal=(1,), stride=(2, 2, 2), **options):
    """A 3-D network of two stages, 9 frames."""
    return NetSpec(
        stages=(Stage(2, 16, 1, temporal=temporal), Stage(2, 32, stride, temporal=temporal)),
        stem=Stem(8, kernel, (1, 2, 2), (1, 3, 3)),
        in_channels=2,
        input_size=(9, 32, 32),
        name="small",
        **{"classes": 5, **options},
    )
