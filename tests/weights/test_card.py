import pytest

from gluon_glore import InputError
from gluon_glore.weights.card import Card, read_card

MEASURED = {"data": "val.rec", "top1": 0.7812, "top5": 0.94, "samples": 50000}
FULL = Card(
    source="https://example.org/a.tar",
    source_sha256="ab" * 32,
    origin="their authors",
    licence="MIT",
    claimed="top-1 78.1 %",
    measured=MEASURED,
    checked=("layers have counterparts", "logits agree"),
    notes=("gamma is 1",),
)


def test_a_card_comes_back_from_its_fields():
    for card in (FULL, Card("somewhere")):
        assert read_card(card.fields()) == card


def test_accuracies_without_top5_are_said_too():
    measured = {"data": "x", "top1": 1.0, "samples": 5}
    assert Card("x", measured=measured).measured_text == "top-1 100.00 % on 5 pictures of x"


SCENES = {"data": "camvid/val", "miou": 0.521, "accuracy": 0.899, "samples": 40}
VIDEOS = {"data": "val", "top1": 0.9, "top5": 1.0, "samples": 20, "clips": 10, "crops": 3}


@pytest.mark.parametrize(
    "measured, score, text",
    [
        (MEASURED, 0.7812, "top-1 78.12 %, top-5 94.00 % on 50000 pictures of val.rec"),
        (SCENES, 0.521, "mean IoU 52.10 %, 89.90 % of the pixels right on 40 scenes of camvid/val"),
        (
            VIDEOS,
            0.9,
            "top-1 90.00 %, top-5 100.00 % on 20 videos of val, by 10 clips of each in 3 crops",
        ),
        ({}, None, "not measured"),
    ],
)
def test_what_is_measured_is_said_by_what_the_network_does(measured, score, text):
    card = Card("x", measured=measured)
    assert (card.measured_text, card.score) == (text, score)
    assert read_card(card.fields()) == card


@pytest.mark.parametrize(
    "change",
    [
        {"source": None},
        {"source": 5},
        {"origin": ["x"]},
        {"licence": {"a": 1}},
        {"claimed": 0.78},
        {"checked": "text"},
        {"checked": 5},
        {"notes": [5]},
        {"measured": "text"},
        {"measured": {"top1": "high", "samples": 1, "data": "x"}},
        {"measured": {"top1": 0.5}},
        {"measured": {"data": "x", "samples": 1}},
        {"measured": {**SCENES, "miou": "high"}},
        {"measured": {"data": "x", "samples": 1, "miou": 0.5}},
        {"measured": {**VIDEOS, "clips": 0}},
        {"unknown": "x"},
    ],
)
def test_damaged_cards_are_refused(change):
    with pytest.raises(InputError, match="damaged model card"):
        read_card({**FULL.fields(), **change})


@pytest.mark.parametrize("fields", [None, 5, "text", [], {}, {"licence": "MIT"}])
def test_what_is_no_card_is_refused(fields):
    with pytest.raises(InputError, match="damaged model card"):
        read_card(fields)
