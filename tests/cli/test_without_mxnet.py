"""Commands that need no MXNet, in a process where it can't be imported; those that do say so."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from gluon_glore import list_models
from gluon_glore.data.image import write_png
from tests.helpers.places import ROOT
from tests.helpers.small_export import FOLDER, NAMES

COMMAND = """
import sys
sys.modules["mxnet"] = None  # importing it raises ModuleNotFoundError
from gluon_glore.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
RUNTIMES = ("openvino", "onnxruntime")


def run(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", COMMAND, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def said(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def answers(pictures, *options):
    told = said("predict", pictures, "--model", FOLDER, "--format", "json", *options)
    return [json.loads(line) for line in told.splitlines()]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A class folder of two pictures for each class of the small network."""
    place = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name in NAMES:
        (place / name).mkdir()
        for number in range(2):
            picture = rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)
            write_png(place / name / f"{number}.png", picture)
    return place


def test_networks_are_listed_and_counted():
    listed = said("list", "tiny*")
    assert [line.split()[0] for line in listed.splitlines()[1:]] == list_models("tiny*")
    assert "| `tiny_glore_0_1` | 64x64 | 2 | 0.44 | 0.033 |" in said("list", "tiny*", "--markdown")
    told = said("info", "resnet50_glore_2_3", "--units", "--classes", "10")
    assert "classes   10" in told and "conv4_B05_extra" in told


def test_an_exported_folder_is_checked_and_its_accuracy_measured(pictures):
    for runtime in RUNTIMES:
        pytest.importorskip(runtime, reason=f"{runtime} is not installed")
    told = said("check", FOLDER, "--data", pictures)
    assert "mxnet        not run: is not installed" in told
    for runtime in RUNTIMES:
        assert f"{runtime:12} agrees" in told
    (line,) = {line.strip() for line in told.splitlines() if "top-1" in line}  # the same of both
    right = [
        [row["class"] in answer["file"] for row in answer["top"]] for answer in answers(pictures)
    ]
    best, five = sum(first for first, *_ in right), sum(map(any, right))
    assert best and line == (
        f"top-1 {100 * best / 12:.2f} %, top-5 {100 * five / 12:.2f} % on 12 pictures of "
        f"{pictures.parent.name}/{pictures.name} (12 pictures of 6 classes, from class folders)"
    )


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_pictures_are_classified_on_every_runtime(runtime, pictures):
    pytest.importorskip(runtime, reason=f"{runtime} is not installed")
    found = answers(pictures, "--runtime", runtime)
    assert len(found) == 2 * len(NAMES)
    for answer in found:
        assert {row["class"] for row in answer["top"]} < set(NAMES)
        assert 0 < sum(row["probability"] for row in answer["top"]) <= 1.00001
    one = said("predict", pictures / "red/0.png", "--model", FOLDER, "--runtime", runtime)
    first = next(a for a in found if a["file"].endswith("red/0.png"))["top"][0]
    assert one.split()[1:3] == [first["class"], f"{first['probability']:.4f},"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "tiny_glore_0_1", "--out", "out"),
        ("show", "README.md", "--model", FOLDER, "--out", "out"),
        ("predict", "README.md", "--model", FOLDER, "--runtime", "mxnet"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_takes_mxnet_says_so_in_one_line(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").touch()
    done = run(*arguments)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith("error: ") and "mxnet is not installed: pip install '.[cpu]'" in line
    assert not (tmp_path / "out").exists()
