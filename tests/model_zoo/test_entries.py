"""The entries that come with the package: whole, small, and of use at once, without a network."""

import importlib.util
import json
import re

import cv2
import numpy as np
import pytest

from gluon_glore.__main__ import main
from gluon_glore.data.image import write_png
from gluon_glore.model_zoo.catalogue import SHIPPED, shipped
from gluon_glore.model_zoo.default import DEFAULTS
from gluon_glore.model_zoo.entry import check_golden
from gluon_glore.model_zoo.readme import CARD, readme
from gluon_glore.networks.paper import get_spec, list_models
from gluon_glore.utils.files import sha256
from gluon_glore.weights.golden import TOLERANCE
from gluon_glore.weights.manifest import MANIFEST, labels_pixels, params_of, read_manifest
from tests.helpers.places import ROOT
from tests.helpers.without_mxnet import needs_mxnet

ROWS = shipped()
MOST = 2e6  # bytes of an entry
FEWER = {"fcn_mini_glore_1_cityscapes": 40}  # samples that it was measured on: CamVid has no more
each = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
PYTORCH = importlib.util.find_spec("torch") is not None


def test_there_is_a_network_of_pictures_one_of_pixels_and_one_of_videos():
    found = [read_manifest(row.packaged) for row in ROWS]
    pixels = [manifest.model for manifest in found if labels_pixels(manifest)]
    videos = [manifest.model for manifest in found if manifest.clip]
    assert pixels and videos and len(found) > len(pixels + videos)
    assert len({manifest.model for manifest in found}) == len(found)


def test_every_folder_is_in_the_catalogue_and_every_row_is_a_folder():
    assert {row.packaged for row in ROWS} == {path for path in SHIPPED.iterdir() if path.is_dir()}


@each
def test_an_entry_is_whole_and_small(row):
    manifest = read_manifest(row.packaged)  # which checks its files
    files = {path.name: path for path in row.packaged.iterdir()}
    assert files.keys() == {*manifest.sha256, MANIFEST, CARD}
    assert sum(path.stat().st_size for path in files.values()) < MOST
    assert row.packaged.name == f"{row.name}-{row.sha256[:8]}"
    assert sha256(params_of(row.packaged, manifest)) == row.sha256


@each
def test_an_entry_says_whose_it_is_what_it_reaches_and_no_place_of_a_machine(row):
    manifest = read_manifest(row.packaged)
    assert manifest.card.licence == row.licence and re.match(r"MIT(;|$)", row.licence)
    assert manifest.card.origin == row.origin == "this project"
    assert 0.5 < manifest.card.score <= 1
    assert manifest.card.measured["samples"] >= FEWER.get(row.name, 400)
    card = (row.packaged / CARD).read_text(encoding="utf-8")
    names = [line for line in readme(manifest).splitlines() if "BatchNorm momentum" not in line]
    assert [line for line in card.splitlines() if "BatchNorm momentum" not in line] == names
    for file in ("config.yaml", "metrics.jsonl", MANIFEST, CARD):
        text = (row.packaged / file).read_text(encoding="utf-8")
        assert not re.search(r"(?:^|[\s'\":])/(?:tmp|home|work|root|data)\b", text), file


@each
def test_an_entry_is_that_of_the_registered_network(row):
    assert row.name in list_models()
    spec, manifest = get_spec(row.name), read_manifest(row.packaged)
    assert manifest.spec.stages == spec.stages and manifest.spec.extras == spec.extras
    assert manifest.spec.head == spec.head


@each
def test_its_data_and_their_licence_are_told_in_the_docs(row):
    text = (ROOT / "docs/weights.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{row.name}` \| .*\| .*\| .*\|$", text, re.M)


@needs_mxnet
@each
def test_it_gives_its_golden_logits_in_mxnet(row):
    assert check_golden(row.packaged) < TOLERANCE


@pytest.mark.skipif(not PYTORCH, reason="PyTorch is not installed")
@each
def test_it_gives_its_golden_logits_in_pytorch(row):
    import torch

    from gluon_glore.pytorch import get_model
    from gluon_glore.weights.golden import compare_logits, read_golden

    net = get_model(row.name, pretrained=True).eval()
    x, expected = read_golden(row.packaged)
    with torch.no_grad():
        logits = net(torch.from_numpy(np.ascontiguousarray(x))).numpy()
    assert compare_logits(logits, expected, row.packaged) < TOLERANCE


@needs_mxnet
@each
def test_get_model_takes_it_by_its_name(row, monkeypatch, tmp_path):
    from gluon_glore import get_model

    monkeypatch.setenv("GLORE_HOME", str(tmp_path / "root"))
    net = get_model(row.name, pretrained=True)
    assert net.classes == len(read_manifest(row.packaged).class_names)
    assert net.preprocess == row.preprocess


@needs_mxnet
def test_predict_shows_the_digits_of_a_scene_and_the_ways_of_a_video_offline(
    monkeypatch, tmp_path, capsys
):
    pytest.importorskip("sklearn", reason="scikit-learn has the digits")
    pytest.importorskip("av", reason="PyAV writes and reads the videos")
    from train.digit_pairs import load_digits
    from train.digit_scenes import draw_scene
    from train.moving_digits import CLASS_NAMES, draw_videos, encode_video

    monkeypatch.setenv("GLORE_HOME", str(tmp_path / "root"))
    monkeypatch.setenv("GLORE_MIRROR", "http://127.0.0.1:9")  # not to be asked
    _, unseen = load_digits()
    right = []
    for number in range(4):
        pixels, ids = draw_scene(unseen, np.random.default_rng([7, number]))
        write_png(tmp_path / "scenes" / f"{number}.png", pixels)
        write_png(tmp_path / "labels" / f"{number}.png", ids)
    (tmp_path / "films").mkdir()
    for number, (frames, label) in enumerate(draw_videos(unseen[0], 6, 7)):
        (tmp_path / f"films/{number}-{CLASS_NAMES[label]}.mp4").write_bytes(encode_video(frames))

    painted = str(tmp_path / "painted")
    scenes = ["predict", str(tmp_path / "scenes"), "--model", "fcn_tiny_glore_1", "--out", painted]
    assert main(scenes) == 0
    for number in range(4):
        found = cv2.imread(f"{painted}/{number}_labelIds.png", cv2.IMREAD_UNCHANGED)
        ids = cv2.imread(str(tmp_path / f"labels/{number}.png"), cv2.IMREAD_UNCHANGED)
        right.append((found == ids).mean())
    assert min(right) > 0.95
    capsys.readouterr()
    films = ["predict", str(tmp_path / "films"), "--model", "tiny_3d_glore_0_1", "--top", "1"]
    assert main([*films, "--format", "json"]) == 0
    out, err = capsys.readouterr()
    told = [json.loads(line) for line in out.splitlines()]
    assert err == "" and len(told) == 6
    for row in told:
        assert row["file"].endswith(f"-{row['top'][0]['class']}.mp4")
    assert not (tmp_path / "root").exists()


def test_the_first_default_of_those_there_is_a_network_of_pictures():
    name = next(name for name in DEFAULTS if name in {row.name for row in ROWS})
    manifest = read_manifest(next(row.packaged for row in ROWS if row.name == name))
    assert not labels_pixels(manifest) and not manifest.clip
