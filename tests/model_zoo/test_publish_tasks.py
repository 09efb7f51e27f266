"""Entries of networks of pixels and of videos: runs published, measured and verified."""

import json
import shutil

import numpy as np
import pytest
import yaml

from gluon_glore import InputError, get_model
from gluon_glore.inference.recognize import load_recognizer
from gluon_glore.inference.segment import load_segmenter
from gluon_glore.model_zoo.catalogue import FILE, read_catalogue
from gluon_glore.model_zoo.entry import check_golden, measure
from gluon_glore.model_zoo.load import load_network
from gluon_glore.model_zoo.publish import publish
from gluon_glore.model_zoo.verify import verify
from gluon_glore.weights.manifest import read_manifest
from gluon_glore.weights.run_folder import checkpoints
from tests.helpers.networks import assert_same
from tests.helpers.places import ROOT
from tests.helpers.scene_folders import like_voc
from tests.helpers.street_scenes import write_scenes
from tests.helpers.zoo import change_file
from train import cityscapes, evaluate_kinetics, evaluate_segmentation, kinetics
from train.moving_digits import write_moving_digits
from train.pack_video import pack_videos


def train(task, config, out, *settings):
    settings = [f"--set={setting}" for setting in (*settings, "optim.epochs=1")]
    assert task.main(["--config", str(ROOT / config), "--out", str(out), *settings]) == 0
    return out


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """Small street scenes in Cityscapes' folders."""
    root = tmp_path_factory.mktemp("streets") / "data"
    write_scenes(root, "train", 8)
    write_scenes(root, "val", 5, seed=1)
    return root


@pytest.fixture(scope="module")
def scene_run(streets, tmp_path_factory):
    """A run on them, whose network learned with an auxiliary head."""
    settings = (f"data.root={streets}", "data.size=[32,40]", "loss.auxiliary=0.4")
    return train(cityscapes, "configs/camvid.yaml", tmp_path_factory.mktemp("scenes"), *settings)


@pytest.fixture(scope="module")
def scene_entry(scene_run, tmp_path_factory):
    return publish(scene_run, tmp_path_factory.mktemp("zoo") / "zoo", "streets")


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Small videos of moving digits, in class folders."""
    pytest.importorskip("av", reason="PyAV is not installed")
    directory = tmp_path_factory.mktemp("moving") / "digits"
    write_moving_digits(directory, train=8, test=6)
    return directory


@pytest.fixture(scope="module")
def video_run(digits, tmp_path_factory):
    settings = (f"data.train={digits}/train", f"data.val={digits}/val", "optim.batch_size=4")
    out = tmp_path_factory.mktemp("videos")
    return train(kinetics, "configs/moving_digits.yaml", out, *settings)


@pytest.fixture(scope="module")
def video_entry(video_run, tmp_path_factory):
    return publish(video_run, tmp_path_factory.mktemp("zoo") / "zoo", "moving")


def test_a_run_of_pixels_is_measured_on_its_own_scenes(scene_run, scene_entry, streets):
    manifest = read_manifest(scene_entry)
    summary = json.loads((scene_run / "summary.json").read_text())
    measured = manifest.card.measured
    assert manifest.score == measured["miou"] == pytest.approx(summary["miou"], abs=1e-9)
    assert measured["accuracy"] == pytest.approx(summary["accuracy"], abs=1e-9)
    assert (measured["samples"], measured["bad_records"]) == (5, 0)
    assert measured["data"] == "data/val (19 classes)"
    assert (manifest.clip, manifest.class_names[0]) == (None, "road")
    said = f"mean IoU {100 * summary['miou']:.2f} %"
    assert said in (scene_entry / "README.md").read_text()
    (row,) = read_catalogue(scene_entry.parent / FILE)
    assert row.name == "streets" and said in row.checked
    assert check_golden(scene_entry) < 1e-6
    net, _ = load_network(scene_run)
    assert_same(get_model("streets", pretrained=scene_entry), net)


def test_an_entry_of_pixels_is_found_on_a_mirror_and_segments(
    scene_run, scene_entry, root, monkeypatch
):
    monkeypatch.setenv("GLORE_MIRROR", scene_entry.parent.as_uri())
    picture = np.random.RandomState(0).randint(0, 256, (40, 52, 3)).astype("uint8")
    named, own = (load_segmenter(model) for model in ("streets", scene_run))
    assert np.array_equal(named.logits(picture), own.logits(picture))
    few = get_model("streets", pretrained=True, classes=3)
    assert few.classes == 3 and few.preprocess == own.manifest.preprocess


def test_runs_and_backbones_start_from_an_entry_of_pixels(
    scene_run, scene_entry, streets, tmp_path, capsys
):
    settings = (f"data.root={streets}", "data.size=[32,40]", f"model.pretrained={scene_entry}")
    train(cityscapes, "configs/camvid.yaml", tmp_path / "run", *settings, "loss.auxiliary=0.4")
    told = capsys.readouterr().err
    assert f"starts from {scene_entry}/streets-0000.params (streets)" in told
    assert "; new:" not in told
    features = get_model("streets", pretrained=scene_entry, features=("res3", "res5"))
    whole, _ = load_network(scene_run)
    own = whole.collect_params()
    for name, param in features.collect_params().items():
        ours = own[whole.prefix + name[len(features.prefix) :]] if name not in own else own[name]
        assert np.array_equal(param.data().asnumpy(), ours.data().asnumpy())


def test_verify_measures_scenes_in_whatever_folders(
    scene_run, scene_entry, streets, tmp_path, capsys
):
    voc = tmp_path / "voc.yaml"
    voc.write_text(yaml.safe_dump({"data": like_voc(streets, tmp_path / "voc")}))
    scores = []
    for data in (streets, scene_run / "config.yaml", voc):
        measured = verify(scene_entry, data=data)
        scores.append((measured["miou"], measured["accuracy"], measured["samples"]))
    before = read_manifest(scene_entry).card.measured
    assert scores == [(before["miou"], before["accuracy"], 5)] * 3
    last = capsys.readouterr().out.splitlines()[-1]
    told = f"measured: mean IoU {before['miou']:.4f}, {before['accuracy']:.4f} of the pixels right"
    assert last.startswith(f"{told} on 5 scenes of voc/ImageSets/Segmentation/val.txt (19 classes)")
    assert last.endswith(f", {measured['images_per_second']} images/s")
    out = tmp_path / "scores.json"
    assert evaluate_segmentation.main([str(scene_run), "--out", str(out)]) == 0
    assert json.loads(out.read_text())["miou"] == pytest.approx(before["miou"], abs=1e-12)


def other_order(data, tmp_path):
    """The scenes in folders of their own, whose classes are in another order."""
    keys = like_voc(data, tmp_path / "voc")
    names = (tmp_path / "voc" / "classes.txt").read_text().splitlines()
    (tmp_path / "voc" / "classes.txt").write_text("\n".join(names[::-1]))
    return stated(keys, tmp_path)


def fewer_classes(data, tmp_path):
    keys = like_voc(data, tmp_path / "voc")
    (tmp_path / "voc" / "classes.txt").write_text("road\nsky\n")
    return stated({**keys, "ignore": []}, tmp_path)


def stated(keys, tmp_path):
    (tmp_path / "data.yaml").write_text(yaml.safe_dump({"data": keys}))
    return tmp_path / "data.yaml"


def damaged_scene(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "copy")
    change = next((copy / "gtFine/val").rglob("*.png"))
    change.write_bytes(b"no picture")
    return copy


def unlabelled(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "copy")
    next((copy / "gtFine/val").rglob("*.png")).unlink()
    return copy


@pytest.mark.parametrize(
    "make, message",
    [
        (other_order, "its class 0 is 'road', that of the set is 'bicycle'"),
        (fewer_classes, "it tells 19 classes apart, the set 2"),
        (damaged_scene, "val: more than 0 of 5 scenes are bad, as .*labelIds.png: not a readable"),
        (unlabelled, "no such file, 1 of 5 pictures have no label"),
        (lambda data, _: data / "leftImg8bit", "no such folder, expected .*leftImg8bit"),
        (lambda data, _: "val.rec", "val.rec: no set of scenes, expected Cityscapes' folders, or"),
        (lambda data, path: stated([1], path), "data.yaml states no set of scenes: data"),
        (lambda data, path: stated({"root": 5}, path), "states no set of scenes: data.root"),
        (lambda data, path: stated({"val": "val"}, path), "states no set of scenes: .*root"),
        (lambda data, path: path / "none.yaml", "none.yaml: No such file"),
    ],
)
def test_scenes_that_can_not_be_used_leave_the_zoo_as_it_was(
    scene_run, streets, tmp_path, make, message
):
    data = make(streets, tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        publish(scene_run, tmp_path / "zoo", "streets", data)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "zoo").exists()


def test_a_damaged_run_or_one_that_says_no_set_is_not_published(scene_run, tmp_path):
    run = shutil.copytree(scene_run, tmp_path / "run")
    (run / "summary.json").write_text('{"config": {"data": {"val": 3}}}')
    with pytest.raises(InputError, match="does not say its validation set: give --data SCENES$"):
        publish(run, tmp_path / "zoo")
    change_file(checkpoints(run)[-1] / "weights.params")
    with pytest.raises(InputError, match="no checkpoint in it"):
        publish(run, tmp_path / "zoo")
    assert not (tmp_path / "zoo").exists()


def test_a_run_of_videos_is_measured_on_its_own(video_run, video_entry, digits, tmp_path):
    manifest, (of_run, _) = read_manifest(video_entry), (load_network(video_run)[1], 0)
    assert manifest.clip == of_run.clip and manifest.clip.stride == 3
    assert (
        manifest.card.notes == ()
        and "| clips | 8 frames, 3 apart |" in (video_entry / "README.md").read_text()
    )
    out = tmp_path / "scores.json"
    assert evaluate_kinetics.main([str(video_run), "--out", str(out)]) == 0
    measured = manifest.card.measured
    assert manifest.score == measured["top1"] == json.loads(out.read_text())["top1"]
    assert (measured["clips"], measured["crops"], measured["samples"]) == (10, 1, 6)
    assert measured["data"] == "digits/val (6 videos of 2 classes, from class folders)"
    assert "top5" not in measured
    assert check_golden(video_entry) < 1e-6
    net, _ = load_network(video_run)
    assert_same(get_model("moving", pretrained=video_entry), net)


def test_an_entry_of_videos_watches_as_its_run_does(
    video_run, video_entry, digits, root, monkeypatch
):
    monkeypatch.setenv("GLORE_MIRROR", video_entry.parent.as_uri())
    video = next((digits / "val").rglob("*.mp4"))
    named, own = (load_recognizer(model) for model in ("moving", video_run))
    assert np.array_equal(named.watch(video).probabilities, own.watch(video).probabilities)


def test_verify_measures_videos_in_files_or_packed(video_entry, digits, tmp_path, capsys):
    pack_videos(digits / "val", tmp_path / "val", short=64, quality=100)
    before = read_manifest(video_entry).card.measured
    found = [verify(video_entry, data=data) for data in (digits / "val", tmp_path / "val.rec")]
    assert [measured["samples"] for measured in found] == [6, 6]
    assert found[0]["top1"] == before["top1"]
    assert found[1]["data"].startswith(f"{tmp_path.name}/val.rec (sha256 ")
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"measured: top-1 {found[1]['top1']:.4f} on 6 videos of ")
    assert last.endswith(
        f", by 10 clips of each in 1 crop, {found[1]['videos_per_second']} videos/s"
    )


def no_video(digits, tmp_path):
    copy = shutil.copytree(digits / "val", tmp_path / "val")
    next(copy.rglob("*.mp4")).write_bytes(b"no video")
    return copy


def other_classes(digits, tmp_path):
    copy = shutil.copytree(digits / "val", tmp_path / "val")
    next(copy.iterdir()).rename(copy / "another")
    return copy


@pytest.mark.parametrize(
    "make, message",
    [
        (no_video, "val: more than 0 of 6 videos are bad, as .*mp4: "),
        (other_classes, "another"),
        (lambda digits, tmp_path: tmp_path / "none", "none: No such file"),
        (lambda digits, tmp_path: ("a", "b"), "^a, b: one source of videos is taken$"),
    ],
)
def test_videos_that_can_not_be_used_are_one_line(
    video_run, video_entry, digits, tmp_path, make, message
):
    data = make(digits, tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        measure(video_entry, data)
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(InputError, match=message):
        publish(video_run, tmp_path / "zoo", data=data)
    assert not (tmp_path / "zoo").exists()


def test_packed_pictures_are_no_videos(video_entry, digit_pairs, tmp_path):
    for suffix in (".rec", ".idx"):
        shutil.copy(digit_pairs / f"val{suffix}", tmp_path / f"val{suffix}")
    (tmp_path / "val.classes.txt").write_text("opposite\nsame\n")
    with pytest.raises(InputError, match="0 of 70 videos are bad, as .*record 0: not a packed vid"):
        measure(video_entry, tmp_path / "val.rec")
