import argparse

import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.cli.show import add_commands
from gluon_glore.visualize.signed_colors import COLORS, DEFAULT, colored, colors_of, overlay, spread

# What people without one kind of cones see, of linear RGB: Machado et al., A Physiologically-based
# Model for Simulation of Color Vision Deficiency, 2009, severity 1.
SEEN = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def hues(colors, kind):
    """(a, b) of CIE Lab of each color, as people of that kind see it: brightness left out."""
    linear = (np.float32(colors) / 255) ** 2.2
    seen = np.clip(linear @ np.float32(SEEN[kind]).T, 0, 1) ** (1 / 2.2)
    return cv2.cvtColor(seen[None].astype(np.float32), cv2.COLOR_RGB2Lab)[0, :, 1:]


@pytest.mark.parametrize("kind", SEEN)
def test_signs_have_different_hues_for_color_blind_people_too(kind):
    """How bright a color is, is how large the number is, so it can't tell signs apart."""
    apart = {name: np.linalg.norm(np.subtract(*hues(row, kind))) for name, row in COLORS.items()}
    assert apart["blue-orange"] > 60
    if kind != "tritanopia":
        assert apart["blue-orange"] > 2 * apart["paper"]


def test_of_each_pair_the_brightest_is_the_largest_of_either_sign():
    for colors in COLORS.values():
        values = colored(np.float32([[4, 2, 0, -2, -4]]), colors)[0].max(axis=1)
        assert values[0] > values[1] > values[2] < values[3] < values[4] and values[2] < 50
        assert colors.of(2) == colors.positive and colors.of(-2) == colors.negative


def test_colors_go_by_name_and_others_are_refused():
    assert colors_of(DEFAULT) is COLORS["blue-orange"]
    with pytest.raises(InputError, match="colors are blue-orange or paper, given 'jet'"):
        colors_of("jet")


def test_in_the_papers_colors_positive_is_red_negative_green_nothing_dark():
    paper = COLORS["paper"]
    colors = colored(np.float32([[4, 2, 0, -2, -4]]), paper)[0].astype(int)
    assert tuple(colors[0]) > (250, 0, 0) and tuple(colors[0][1:]) < (100, 100)
    assert colors[4][1] > 200 and max(colors[4][[0, 2]]) < 120
    assert colors[2].max() < 50
    brightness = colors.max(axis=1)
    assert brightness[0] > brightness[1] > brightness[2] < brightness[3] < brightness[4]
    assert colored(np.zeros((2, 2), np.float32)).max() < 50


def test_the_picture_shines_through_where_a_map_is_zero():
    picture = np.full((8, 8, 1), 200, np.uint8)
    painted = overlay(picture, np.float32([[0, 1], [0, -1]]), COLORS["paper"])
    assert painted.shape == (8, 8, 3) and len(set(painted[2, 0].tolist())) == 1
    assert 40 < painted[2, 0, 0] < 100
    red, green = painted[0, 4].astype(int), painted[4, 4].astype(int)
    assert red[0] - red[1] > 100 and green[1] - green[0] > 100


@pytest.mark.parametrize("size, places", [((32, 48), (4, 6)), ((224, 224), (14, 14))])
def test_a_location_lies_where_its_strided_convolution_is_centred(size, places):
    stride = size[0] // places[0]
    values = np.zeros(places, np.float32)
    values[1, 2] = 1
    at = spread(values, size)
    assert at.shape == size and at[stride, 2 * stride] == 1 and (at == 1).sum() == 1
    assert at[stride, 2 * stride + stride // 2] == pytest.approx(0.5, abs=0.02)
    values[:] = 0
    values[-1, -1] = 1  # and what lies behind the last has its value
    assert (spread(values, size)[-stride:, -stride:] == 1).all()


def test_the_command_line_offers_all_of_them():
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    for name in COLORS:
        given = ["show", "a.png", "--out", "out", "--colors", name]
        assert parser.parse_args(given).colors == name
    assert parser.parse_args(["show", "a.png", "--out", "out"]).colors == DEFAULT
