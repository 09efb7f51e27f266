import argparse

import pytest

from gluon_glore.__main__ import main
from gluon_glore.cli.options import DEFAULT, add_pixels, pixels_of
from gluon_glore.data.pixels import Pixels
from gluon_glore.model_zoo import find_weights as finding
from tests.helpers.without_mxnet import needs_mxnet


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


@pytest.mark.parametrize("command", ["predict", "serve", "show"])
def test_the_network_that_is_taken_where_none_is_named_is_in_the_help(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert f"name ({DEFAULT})" in text


@pytest.mark.parametrize(
    "command",
    [
        ["predict", "--model", "resnet50"],
        pytest.param(["show", "--model", "resnet50", "--out", "out"], marks=needs_mxnet),
    ],
)
def test_missing_pictures_are_named_before_weights_are_downloaded(
    command, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("GLORE_HOME", str(tmp_path / "root"))
    monkeypatch.setenv("GLORE_MIRROR", "http://127.0.0.1:1")
    (tmp_path / "there.png").touch()
    none, gone, there = (str(tmp_path / f"{name}.png") for name in ("none", "gone", "there"))
    lines = [f"{none}: No such file or directory", f"{gone}: No such file or directory"]
    assert main([*command, none, there, gone]) == 2
    assert capsys.readouterr() == ("", f"error: {'; '.join(lines)}\n")
    assert not (tmp_path / "root").exists()

    def unreachable(*_, **__):
        raise finding.Unreachable("asked")

    monkeypatch.setattr("gluon_glore.model_zoo.catalogue.download", unreachable)
    assert main([*command, there]) == 2  # what is there is not the reason
    assert capsys.readouterr().err.startswith("error: asked; give a local file (--weights FILE")


@pytest.mark.parametrize("command", ["predict", pytest.param("show", marks=needs_mxnet)])
def test_a_picture_and_a_model_that_are_both_missing_are_an_error_of_a_line(
    command, tmp_path, capsys
):
    model, picture = str(tmp_path / "none"), tmp_path / "there.png"
    words = [command, "--model", model, str(picture)]
    words += ["--out", str(tmp_path / "out")] if command == "show" else []
    assert main(words) == 2
    assert capsys.readouterr().err == f"error: {picture}: No such file or directory\n"
    picture.touch()
    assert main(words) == 2
    assert capsys.readouterr().err.startswith(f"error: {model}: no such directory")
    assert not (tmp_path / "out").exists()
