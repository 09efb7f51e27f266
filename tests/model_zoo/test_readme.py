import dataclasses

from gluon_glore import get_spec
from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess
from gluon_glore.model_zoo.readme import readme
from gluon_glore.weights.card import Card
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


def test_it_says_all_that_the_card_and_the_network_say():
    text = readme(MANIFEST)
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


def test_that_of_a_card_that_says_little_has_no_empty_parts():
    text = readme(dataclasses.replace(MANIFEST, card=Card("x")))
    assert "| sha256 of the source | - |" in text and "| licence | not said |" in text
    assert "| accuracy measured | not measured |" in text
    assert "Checked" not in text and "Changed" not in text


def test_that_of_a_network_of_videos_says_its_clips():
    spec = get_spec("tiny_3d_glore_0_1")
    manifest = dataclasses.replace(MANIFEST, spec=spec, clip=Clip(8, 3, 25.0))
    assert "| clips | 8 frames, 3 apart, of 25 a second |" in readme(manifest)
    assert "| clips |" not in readme(MANIFEST)


def test_texts_stay_in_their_cells():
    card = Card("a | b\n# c", notes=("one\n\n# two",))
    text = readme(dataclasses.replace(MANIFEST, card=card))
    assert "| source | a \\| b # c |" in text and "- one # two\n" in text
