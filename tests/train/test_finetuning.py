"""From a folder of pictures to a network that predicts, in two commands: docs/finetune.md.

Digits that the package embeds, for whom no data set is at hand: the weights that come with it tell
pairs of digits apart; what is learned here, from 120 pictures, is how many of three are alike.
"""

import json

import pytest

from gluon_glore.__main__ import main as command_line
from gluon_glore.data.image import encode_png
from tests.helpers.runs import rows, train
from train.digit_pairs import CLASS_NAMES, draw_pictures, load_digits


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Class folders of three digits a picture: train/ of 40 a class, val/ of 70 other digits."""
    root = tmp_path_factory.mktemp("triples")
    for use, digits, count in zip(("train", "val"), load_digits(), (120, 210)):
        for i, (picture, label) in enumerate(draw_pictures(digits, count, 5, digits=3)):
            place = root / use / CLASS_NAMES[3][label]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{i}.png").write_bytes(encode_png(picture))
    return root


def test_two_commands_lead_from_a_folder_to_a_network_above_one_of_random_weights(
    folder, tmp_path, capsys
):
    settings = [
        f"data.train={folder}/train",
        f"data.val={folder}/val",
        'data.class_names=""',
        "model.classes=0",
        "optim.epochs=3",
        "optim.batch_size=20",
    ]
    tuned = ["model.pretrained=zoo", "model.new_classifier=true"]
    assert train(tmp_path / "random", settings) == 0
    capsys.readouterr()
    assert train(tmp_path / "tuned", [*settings, *tuned]) == 0
    said = capsys.readouterr().err.splitlines()
    (starts,) = [line for line in said if line.startswith("starts from ")]
    assert starts.endswith("(tiny_glore_0_1); new: classifier; left out: classifier")
    assert command_line(["export", str(tmp_path / "tuned"), "--out", str(tmp_path / "net")]) == 0
    # The exported network, from pictures to names, is as good as the run says.
    places = sorted((folder / "val").glob("*/*.png"))
    capsys.readouterr()
    predict = ["predict", "--model", str(tmp_path / "net"), "--format", "json", *map(str, places)]
    assert command_line(predict) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    right = sum(
        answer["top"][0]["class"] == place.parent.name
        for answer, place in zip(answers, places, strict=True)
    )
    scores = {run: rows(tmp_path / run)[-1]["top1"] for run in ("random", "tuned")}
    assert right / len(places) == pytest.approx(scores["tuned"], abs=1 / len(places))
    # Of 210 pictures; a third would be chance, whose deviation is 0.03.
    assert scores["random"] < 0.45
    assert scores["tuned"] > scores["random"] + 0.15
    assert scores["tuned"] > 0.5
