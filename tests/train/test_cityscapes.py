"""Runs of the segmentation trainer, and what stops them."""

import json
import subprocess
import sys
from types import SimpleNamespace

import cv2
import mxnet as mx
import numpy as np
import pytest

from gluon_glore import (
    Network,
    as_fcn,
    get_model,
    get_spec,
    list_models,
    save_weights,
)
from gluon_glore.inference.segment import load_segmenter
from gluon_glore.model_zoo.load import load_network
from gluon_glore.model_zoo.publish import publish
from gluon_glore.weights.manifest import read_manifest
from gluon_glore.weights.run_folder import checkpoints
from tests.helpers.damaged_records import count_bad
from tests.helpers.horovod import horovodrun, needs_horovod, train_in_turn
from tests.helpers.networks import relative_error
from tests.helpers.places import ROOT
from tests.helpers.runs import ask, call_at, rows, same, story, weights
from tests.helpers.scene_folders import like_voc
from tests.helpers.street_scenes import SIZE, write_scenes
from train import cityscapes, evaluate, evaluate_cityscapes, evaluate_segmentation
from train.config.cityscapes import SceneConfig
from train.config.load import load_config
from train.engine.stop import STOPPED
from train.reporting.reporter import Reporter

CONFIG = ROOT / "configs" / "camvid.yaml"


@pytest.fixture
def root(tmp_path):
    write_scenes(tmp_path / "data", "train", 14)
    write_scenes(tmp_path / "data", "val", 5, seed=1)
    return tmp_path / "data"


def options(root, *more):
    """Two epochs of three steps of four scenes."""
    settings = [
        f"data.root={root}",
        "data.size=[32, 40]",
        "optim.epochs=2",
        "optim.batch_size=4",
        "log_every=1",
        *more,
    ]
    return [word for setting in settings for word in ("--set", setting)]


def train(out, root, *more, resume=False):
    arguments = ["--config", str(CONFIG), "--out", str(out), *options(root, *more)]
    return cityscapes.main(arguments + ["--resume"] * resume)


def test_a_run_learns_and_is_scored_alike_by_the_official_evaluator(tmp_path, root, capsys):
    pytest.importorskip("cityscapesscripts", reason="Cityscapes' own evaluator is not installed")
    assert train(tmp_path / "run", root, "optim.epochs=8") == 0
    told = rows(tmp_path / "run")
    trained = [row for row in told if row["kind"] == "train"]
    tested = [row for row in told if row["kind"] == "eval"]
    assert len(trained) == 24 and len(tested) == 8
    assert trained[-1]["loss"] < trained[0]["loss"] / 2
    assert tested[-1]["miou"] > 0.5 and 0.5 < trained[-1]["accuracy"] <= 1
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["miou"] == tested[-1]["miou"]
    assert "mean IoU, last" in capsys.readouterr().out

    _, manifest = load_network(tmp_path / "run")
    assert (manifest.class_names[0], len(manifest.class_names)) == ("road", 19)
    assert manifest.score == tested[-1]["miou"]
    segmenter = load_segmenter(tmp_path / "run")
    arguments = [str(tmp_path / "run"), "--data", str(root), "--out", str(tmp_path / "scores.json")]
    assert evaluate_cityscapes.main(arguments) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["miou"] == pytest.approx(tested[-1]["miou"], abs=1e-9)
    assert segmenter.runtime == "mxnet"

    capsys.readouterr()
    assert evaluate.main([str(tmp_path / "run")]) == 2
    assert "labels pixels: train.evaluate_segmentation scores it" in capsys.readouterr().err
    entry = publish(tmp_path / "run", tmp_path / "zoo")
    measured = read_manifest(entry).card.measured
    assert measured["miou"] == pytest.approx(scores["miou"], abs=1e-9)


@pytest.mark.parametrize("step", [1, 2, 4])
def test_a_run_stopped_after_any_step_goes_on_bit_equal(tmp_path, root, step, monkeypatch):
    how = ["loss.auxiliary=0.4", "loss.hard_below=0.7", "loss.keep=0.2"]
    assert train(tmp_path / "whole", root, *how) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "train", call_at(step, ask))
        assert train(tmp_path / "parts", root, *how) == STOPPED
    assert train(tmp_path / "parts", root, *how, resume=True) == 0
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))
    assert story(tmp_path / "parts") == story(tmp_path / "whole")
    assert any(":auxiliary" in name for name in weights(tmp_path / "whole"))


def settings(keys):
    return [f"data.{name}={value}" for name, value in keys.items()]


def test_the_same_scenes_in_other_folders_train_and_score_alike(tmp_path, root, capsys):
    voc = like_voc(root, tmp_path / "voc")
    short = ["optim.epochs=1", "optim.batch_size=7"]
    assert train(tmp_path / "city", root, *short) == 0
    assert train(tmp_path / "voc_run", root, *short, *settings(voc)) == 0
    assert story(tmp_path / "voc_run") == story(tmp_path / "city")
    assert same(weights(tmp_path / "voc_run"), weights(tmp_path / "city"))
    told = capsys.readouterr().err
    assert f"training set: 14 scenes of 19 classes, {voc['root']}/{voc['train']}" in told

    scores = tmp_path / "scores.json"
    assert evaluate_segmentation.main([str(tmp_path / "voc_run"), "--out", str(scores)]) == 0
    (tested,) = [row for row in rows(tmp_path / "city") if row["kind"] == "eval"]
    result = json.loads(scores.read_text())
    assert {key: result[key] for key in ("miou", "accuracy")} == {
        key: tested[key] for key in ("miou", "accuracy")
    }
    assert f"| mean | {100 * tested['miou']:.2f} |" in capsys.readouterr().out


def test_the_networks_classes_are_those_of_the_set(tmp_path, root):
    voc = like_voc(root, tmp_path / "voc")
    (tmp_path / "classes.txt").write_text("23\tthe sky\n11\thouse\n7\tstreet\n")
    voc |= {"classes": str(tmp_path / "classes.txt"), "ignore": [0]}
    config = load_config(CONFIG, options(root, *settings(voc))[1::2], SceneConfig)
    comm = SimpleNamespace(rank=0)
    net, datasets = cityscapes.Segmentation().prepare(config, comm)
    assert net.classes == 3 and [len(scenes) for scenes in datasets] == [14, 5]
    manifest = cityscapes.Segmentation().manifest(config, net)
    assert manifest.class_names == ("the sky", "house", "street")
    assert set(np.unique(datasets[1][0][1])) == {0, 1, 2, 255}


def test_a_stop_within_an_evaluation_repeats_the_evaluation(tmp_path, root, monkeypatch):
    class Asking(cityscapes.Confusion):
        def add(self, *arrays):
            super().add(*arrays)
            ask()

    assert train(tmp_path / "whole", root) == 0
    with monkeypatch.context() as patch:
        patch.setattr(cityscapes, "Confusion", Asking)
        assert train(tmp_path / "parts", root) == STOPPED
    assert [path.name for path in checkpoints(tmp_path / "parts")] == ["epoch-0000-step-000003"]
    assert train(tmp_path / "parts", root, resume=True) == 0
    assert story(tmp_path / "parts") == story(tmp_path / "whole")
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))


def harm(root, split, number, what):
    picture = root / "leftImg8bit" / split / "town" / f"town_{number:06d}_000019_leftImg8bit.png"
    label = root / "gtFine" / split / "town" / f"town_{number:06d}_000019_gtFine_labelIds.png"
    if what == "half-written":
        picture.write_bytes(picture.read_bytes()[:-200])
        return picture, "not a readable picture"
    if what == "missing":
        label.unlink()
        return label, "no such file, 1 of"
    ids = cv2.imread(str(label), cv2.IMREAD_UNCHANGED)
    if what == "out of range":
        ids[3, 4] = 99
    else:
        ids = ids[:-1]
    assert cv2.imwrite(str(label), ids)
    return label, {"out of range": "99", "size": "47x72 pixels, the picture has 48x72"}[what]


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("what", ["half-written", "missing", "out of range", "size"])
def test_a_scene_that_can_not_be_used_is_named_and_nothing_is_written(
    tmp_path, root, split, what, capfd
):
    file, message = harm(root, split, 2, what)
    assert train(tmp_path / "run", root) == 2
    error = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(error) == 1 and f"{file}: " in error[0] and message in error[0]
    assert not (tmp_path / "run").exists()


def test_few_bad_scenes_are_skipped_named_and_written_down(tmp_path, root, capfd):
    first, _ = harm(root, "train", 3, "out of range")
    second, _ = harm(root, "val", 1, "half-written")
    assert train(tmp_path / "run", root, "data.max_bad=0.25") == 0
    assert [row["samples"] for row in rows(tmp_path / "run") if row["kind"] == "eval"] == [4, 4]
    written = (tmp_path / "run" / "bad_records.txt").read_text()
    error = capfd.readouterr().err
    for file in (first, second):
        assert written.count(f"{file}: ") == 1 and error.count(f"skipped {file}: ") == 1
    assert "evaluated 4 of 5 samples, 1 are bad" in error


def test_scenes_without_a_labelled_pixel_can_not_choose_a_checkpoint(tmp_path, root, capsys):
    for label in (root / "gtFine" / "val").rglob("*.png"):
        assert cv2.imwrite(str(label), np.zeros(SIZE, np.uint8))
    assert train(tmp_path / "run", root) == 2
    assert "leftImg8bit/val: no labelled pixel in it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.name=resnet50", "resnet50 classifies pictures, not their pixels"),
        ("model.name=fcn_small", "unknown network 'fcn_small', closest: fcn_small"),
        ("data.size=[4, 64]", "at least 8x8"),
        ("data.root=nowhere", "nowhere: no such folder, expected "),
        ("data.train=other", "leftImg8bit/other: no such folder, expected "),
        ("data.classes=classes.txt", "data.pictures is needed where data.classes is given"),
        ("optim.recompute=2", "optim.recompute is for classification networks"),
        ("optim.label_smoothing=0.1", "optim.label_smoothing is for classification networks"),
        ("loss.keep=0.5", "keep 0.5 needs hard_below above 0"),
        ("loss.auxiliary=-1", "loss.auxiliary must not be below 0"),
        ("augment.scale=[2, 1]", "augment.scale must rise"),
        ("augment.jitter=[0, 0, 2]", "augment.jitter is three shares"),
        ("model.classes=3", "unknown config key model.classes"),
        ("optim.batch_size=15", "14 training pictures do not fill one batch of 15"),
        ("model.pretrained=no.params", "no.params: no such parameter file"),
    ],
)
def test_what_does_not_fit_is_one_error_and_exit_2(tmp_path, root, setting, message, capsys):
    assert train(tmp_path / "run", root, setting) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not list(tmp_path.glob("run/checkpoints/*"))


def test_a_backbone_starts_from_a_classification_network(tmp_path, root, monkeypatch, capsys):
    def make(name):
        backbone = get_model(name, classes=7)
        backbone.initialize()
        backbone(mx.nd.zeros((1, 3, 64, 64)))
        save_weights(backbone, tmp_path / f"{name}.params")
        return {name: param.data().asnumpy() for name, param in backbone.collect_params().items()}

    theirs = make("resnet18")
    make("resnet50")
    spec = as_fcn(get_spec("resnet18"), units=1, channels=16, mid_channels=4)
    monkeypatch.setattr(cityscapes, "get_spec", lambda name: spec)
    how = ["optim.lr=1.0e-12", "optim.epochs=1", "optim.weight_decay=0"]
    assert train(tmp_path / "run", root, *how, f"model.pretrained={tmp_path}/resnet18.params") == 0
    saved = weights(tmp_path / "run")
    mine = {name.split(":")[-1]: saved[name] for name in saved if name.startswith("weights")}
    for name, array in theirs.items():
        if "running" not in name and not name.startswith("classifier"):
            assert np.allclose(mine[name], array, atol=1e-9), name
    assert train(tmp_path / "bad", root, f"model.pretrained={tmp_path}/resnet50.params") == 2
    assert "resnet50.params" in capsys.readouterr().err


def test_a_checkpoint_without_the_backbone_is_refused(tmp_path, root, capsys):
    part = Network(as_fcn(get_spec("resnet18"), channels=8), classes=19)
    part.initialize()
    head = {n: p.data() for n, p in part.collect_params().items() if n.startswith("classifier")}
    mx.nd.save(str(tmp_path / "head.params"), head)
    assert train(tmp_path / "run", root, f"model.pretrained={tmp_path}/head.params") == 2
    assert "no backbone of fcn_small_glore_1_cityscapes in it" in capsys.readouterr().err


def test_the_views_of_a_step_do_not_depend_on_the_ranks(root):
    config = load_config(CONFIG, options(root)[1::2], SceneConfig)
    task = cityscapes.Segmentation()

    def step(rank, ranks):
        scenes = cityscapes.Scenes(root, "train")
        return next(task.training_batches(scenes, count_bad(scenes), config, 1, rank, ranks))

    pictures, labels = step(0, 1)
    assert pictures.shape == (4, 3, 32, 40) and labels.shape == (4, 32, 40)
    for part, whole in zip(zip(step(0, 2), step(1, 2)), (pictures, labels)):
        assert np.array_equal(np.concatenate(part), whole)


def test_every_scene_is_evaluated_once_over_all_ranks(root):
    seen = []
    for rank in range(3):
        scenes = cityscapes.Scenes(root, "val")
        seen += cityscapes.scenes_in_turn(scenes, count_bad(scenes), 2, rank, 3, lambda: False)
    scenes = cityscapes.Scenes(root, "val")
    order = [0, 3, 1, 4, 2]
    assert len(seen) == 5
    for (picture, label), index in zip(seen, order):
        assert np.array_equal(picture, scenes[index][0])
        assert np.array_equal(label, scenes[index][1])


STEP = """
import dataclasses, sys
import train
import mxnet as mx
import numpy as np
from gluon_glore import Network, get_spec
from gluon_glore.layers.basic import freeze_norm
from train.cityscapes import Segmentation, make_network
from train.config.cityscapes import Loss, SceneConfig, SceneModel
from train.engine.comm import make_comm

comm = make_comm()
out = sys.argv[1]
spec = dataclasses.replace(get_spec("fcn_small_glore_1_cityscapes"), dropout=0.0)
loss = Loss(auxiliary=0.4, hard_below=0.7, keep=0.1)
spec = dataclasses.replace(spec, head=dataclasses.replace(spec.head, auxiliary=4))
config = SceneConfig(loss=loss)
net = Network(spec, 19)
mx.random.seed(3)
net.initialize()
for name, param in net.collect_params().items():
    if name == "head_extra1_fc-2__bn_gamma":
        param.set_data(mx.nd.ones(param.shape))
optimizer = mx.optimizer.SGD(learning_rate=0.05, momentum=0.9)
trainer = comm.trainer(net.collect_params(), optimizer)
comm.broadcast(param.data() for param in net.collect_params().values())
net.hybridize(static_alloc=True, static_shape=True)
take = Segmentation().make_step(config, net, comm)
rng = np.random.RandomState(5)
kept = {}
for step in range(2):
    x = rng.normal(1, 2, (4, 3, 64, 72)).astype("float32")
    y = rng.randint(0, 19, (4, 64, 72)).astype("float32")
    y[:, :20] = 255  # ranks do not hold as many labelled pixels
    y[3] = 255
    share = 4 // comm.size
    mine = slice(comm.rank * share, (comm.rank + 1) * share)
    _, losses = take(net, trainer, mx.nd.array(x[mine]), mx.nd.array(y[mine]), step)
    kept[f"loss{step}"] = comm.sum(losses.sum().asnumpy())
    if step == 0:
        for name, param in net.collect_params().items():
            if param.grad_req != "null":  # after the all-reduce: sums
                kept[f"gradient {name}"] = param.grad().asnumpy()
            else:
                kept[name] = param.data().asnumpy()
if comm.rank == 0:
    np.savez(out, **kept)
comm.shutdown()
"""


@needs_horovod
def test_a_synchronised_step_on_two_ranks_is_that_of_one_process(tmp_path):
    """Loss, gradients and running statistics; with auxiliary head, hard pixels, ignored ones."""
    script = tmp_path / "step.py"
    script.write_text(STEP)
    two = horovodrun(str(script), str(tmp_path / "two.npz"))
    assert two.returncode == 0, two.stderr
    command = [sys.executable, str(script), str(tmp_path / "one.npz")]
    subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=True, timeout=300)
    one, two = np.load(tmp_path / "one.npz"), np.load(tmp_path / "two.npz")
    assert set(one.files) == set(two.files) and len(one.files) > 100
    gradients = [name for name in one.files if name.startswith("gradient")]
    for name in set(one.files) - set(gradients):
        assert relative_error(two[name], one[name]) < 1e-5, name
    whole = [np.concatenate([found[name].ravel() for name in gradients]) for found in (one, two)]
    assert np.linalg.norm(whole[1] - whole[0]) < 1e-5 * np.linalg.norm(whole[0])
    # Each on its own, but for sums of large numbers that come to nearly nothing.
    scale = np.median([np.abs(one[name]).max() for name in gradients])
    for name in gradients:
        error = np.abs(two[name] - one[name]).max()
        assert error < 3e-5 * max(np.abs(one[name]).max(), scale), name


@needs_horovod
def test_two_ranks_train_stop_and_go_on_as_without_the_stop(tmp_path, root):
    whole, parts = (
        ["--config", str(CONFIG), *options(root), "--out", str(tmp_path / out)]
        for out in ("whole", "parts")
    )
    short = [*parts, "--set", "optim.epochs=1"]
    rest = [*parts, "--resume", "--accept-changes"]
    done = train_in_turn("train.cityscapes", whole, short, rest)
    assert done.returncode == 0, done.stderr
    tested = [row for row in rows(tmp_path / "whole") if row["kind"] == "eval"]
    assert [row["samples"] for row in tested] == [5, 5]
    assert len(checkpoints(tmp_path / "parts")) == 2


def test_configs_of_the_tables_are_registered_networks():
    names = set()
    for path in (ROOT / "configs" / "cityscapes").glob("*.yaml"):
        config = load_config(path, (), SceneConfig)
        assert get_spec(config.model.name).head, path
        assert config.model.name == path.stem
        names.add(config.model.name)
    tables = {n for n in list_models() if "Table" in get_spec(n).source and get_spec(n).head}
    assert names == tables
