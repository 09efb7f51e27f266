import dataclasses

import pytest

from gluon_glore import InputError, get_spec
from gluon_glore.data.image import Preprocess
from gluon_glore.weights.card import Card, markdown, read_card
from gluon_glore.weights.manifest import Manifest

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
MANIFEST = Manifest(
    "resnet50_glore_2_3",
    ("cat", "dog"),
    Preprocess(mean=(1.0, 2.0, 3.0), scale=0.25),
    sha256={"golden.npz": "0", "resnet50_glore_2_3-0000.params": "1"},
    spec=dataclasses.replace(get_spec("resnet50_glore_2_3"), eps=2e-5),
    card=FULL,
)


def test_a_card_comes_back_from_its_fields():
    for card in (FULL, Card("somewhere")):
        assert read_card(card.fields()) == card


def test_markdown_says_all_that_the_card_and_the_network_say():
    text = markdown(MANIFEST)
    for field in dataclasses.fields(Card):
        value = getattr(FULL, field.name)
        for part in [value] if isinstance(value, str) else value:
            assert field.name == "measured" or part in text
    for said in (
        "# resnet50_glore_2_3",
        "| input | 224x224, 3 channels |",
        "| pixels | (pixel - [1.0, 2.0, 3.0]) * 0.25 |",
        "| classes | 2 |",
        "| extra units | glore: Res3 1,3; Res4 1,3,5 |",
        "| BatchNorm eps | 2e-05 |",
        "| accuracy measured | top-1 78.12 %, top-5 94.00 % on 50000 pictures of val.rec |",
        "## Checked\n\n- layers have counterparts\n- logits agree\n",
        "## Changed on the way\n\n- gamma is 1\n",
        'get_model("resnet50_glore_2_3", pretrained="resnet50_glore_2_3-0000.params")',
    ):
        assert said in text


def test_markdown_of_a_card_that_says_little_has_no_empty_parts():
    text = markdown(dataclasses.replace(MANIFEST, card=Card("x")))
    assert "| sha256 of the source | - |" in text and "| licence | not said |" in text
    assert "| accuracy measured | not measured |" in text
    assert "Checked" not in text and "Changed" not in text


def test_texts_stay_in_their_cells():
    card = Card("a | b\n# c", notes=("one\n\n# two",))
    text = markdown(dataclasses.replace(MANIFEST, card=card))
    assert "| source | a \\| b # c |" in text and "- one # two\n" in text


def test_accuracies_without_top5_are_said_too():
    measured = {"data": "x", "top1": 1.0, "samples": 5}
    assert Card("x", measured=measured).measured_text == "top-1 100.00 % on 5 pictures of x"


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
