import argparse

import pytest

from gluon_glore.cli.options import add_pixels, pixels_of
from gluon_glore.data.pixels import Pixels


def parsed(*words):
    parser = argparse.ArgumentParser()
    add_pixels(parser)
    return pixels_of(parser.parse_args(words))


@pytest.mark.parametrize(
    ("words", "pixels"),
    [
        ("", None),
        ("--pixels torchvision", Pixels("torchvision")),
        ("--mean 0 --std 255 --resize 0", Pixels(mean=(0.0,), std=(255.0,), resize=0)),
        (
            "--mean 1 2 3 --scale 0.5 --crop 64x96 --resize 70",
            Pixels(mean=(1.0, 2.0, 3.0), scale=(0.5,), resize=70, crop=(64, 96)),
        ),
        ("--pixels 0-1 --crop 8", Pixels("0-1", crop=(8, 8))),
    ],
)
def test_the_options_of_pixels_are_what_they_say(words, pixels):
    assert parsed(*words.split()) == pixels


@pytest.mark.parametrize(
    "words", ["--pixels tf", "--mean nan", "--resize -1", "--crop 8x", "--std"]
)
def test_what_is_no_number_is_refused_at_once(words, capsys):
    with pytest.raises(SystemExit):
        parsed(*words.split())
    assert f"argument {words.split()[0]}: " in capsys.readouterr().err
