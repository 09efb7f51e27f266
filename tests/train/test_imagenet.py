import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import gluon_glore
from gluon_glore.__main__ import main as command_line
from gluon_glore.data.records import write_records
from gluon_glore.export import export_model
from gluon_glore.model_zoo.load import load_network
from gluon_glore.weights import load_arrays, named_arrays, plain_names, set_weights
from gluon_glore.weights.run_folder import checkpoints
from tests.helpers.class_folders import write_class_folders
from tests.helpers.places import ROOT
from tests.helpers.runs import CONFIG, options, rows, train, weights
from train import evaluate
from train.digit_pairs import encode_png


def test_a_run_leaves_metrics_summary_and_checkpoints(tmp_path, settings):
    assert train(tmp_path, settings) == 0
    steps = [row for row in rows(tmp_path) if row["kind"] == "train"]
    assert [row["step"] for row in steps] == list(range(12))
    assert [row["epoch"] for row in steps] == [0] * 6 + [1] * 6
    assert all(row["loss"] > 0 and row["images_per_second"] > 0 for row in steps)
    evaluations = [row for row in rows(tmp_path) if row["kind"] == "eval"]
    assert [(row["epoch"], row["samples"]) for row in evaluations] == [(0, 70), (1, 70)]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["top1"] == evaluations[-1]["top1"]
    assert 0 <= summary["top1"] <= 1
    assert summary["epochs"] == 2 and summary["images_per_second"] > 0
    assert summary["config"]["optim"]["batch_size"] == 32
    assert summary["versions"]["mxnet"] == "1.9.1"
    assert summary["best_top1"] == max(row["top1"] for row in evaluations)
    assert 0 <= summary["waiting"] <= 1 and summary["seconds"] > 0
    assert summary["top5"] is None  # of two classes
    assert [path.name for path in checkpoints(tmp_path)] == ["epoch-0001", "epoch-0002"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoints",
        "config.yaml",
        "curves.png",
        "metrics.jsonl",
        "summary.json",
    ]


def test_a_resumed_run_is_bit_equal_to_the_uninterrupted_one(tmp_path, settings):
    assert train(tmp_path / "whole", settings) == 0
    # The same run, which dies in its second epoch.
    interrupted = subprocess.Popen(
        [sys.executable, "-m", "train.imagenet", "--config", CONFIG]
        + ["--out", str(tmp_path / "parts"), *options(settings)],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    while not checkpoints(tmp_path / "parts"):
        assert interrupted.poll() is None
    interrupted.kill()
    interrupted.wait()
    assert [path.name for path in checkpoints(tmp_path / "parts")] == ["epoch-0001"]
    assert train(tmp_path / "parts", settings, "--resume") == 0
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)


def test_a_run_is_exported_and_both_predict_the_same(tmp_path, settings, digit_pairs, capsys):
    assert train(tmp_path / "run", settings, "--set", "optim.epochs=1") == 0
    pictures = sorted(map(str, (digit_pairs / "pictures").glob("*.png")))
    assert command_line(["export", str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 0
    outputs = []
    for model in ("run", "out"):
        capsys.readouterr()
        assert command_line(["predict", "--model", str(tmp_path / model), *pictures]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) == 12
    assert "same" in outputs[0] and "different" in outputs[0]


def test_a_finished_run_that_is_resumed_evaluates_again(tmp_path, settings):
    assert train(tmp_path, settings, "--set", "optim.epochs=1") == 0
    first = json.loads((tmp_path / "summary.json").read_text())
    assert train(tmp_path, settings, "--set", "optim.epochs=1", "--resume") == 0
    again = json.loads((tmp_path / "summary.json").read_text())
    assert again["top1"] == first["top1"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.name=tiny_glore_1_0", "unknown network 'tiny_glore_1_0', closest: tiny_glore_0_1"),
        ("data.train=none.rec", "none.rec: no such file"),
        ("data.mean=[1, 2, 3]", "data.mean: tiny_glore_0_1 takes 1 channels, given 3 means"),
        ("optim.batch_size=500", "192 training pictures do not fill one batch of 500"),
        ("model.classes=3", "classes.txt: 3 classes, given 2 names"),
        ("model.classes=1", "label 1 is out of range, 0 to 0 allowed"),
        ("data.size=[96, 96]", "picture of 64x64 pixels, the network takes 96x96"),
        ("data.class_names=none.txt", "none.txt: No such file"),
        ("optim.lr=1.0e+30", "the loss is"),
        ("optim.precision=float16", "optim.precision float16 needs a GPU"),
        ("optim.lr_mult.none=2", "optim.lr_mult: no parameter has 'none' in its name"),
        ("model.pretrained=none.params", "none.params: no such parameter file"),
        ("optim.learning=1", "unknown config key optim.learning"),
    ],
)
def test_what_does_not_fit_is_one_error_and_exit_2(tmp_path, settings, setting, message, capsys):
    more = ["--set", setting]
    if setting == "model.classes=1":  # the names file has two
        more += ["--set", 'data.class_names=""']
    assert train(tmp_path / "run", settings, *more) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert not checkpoints(tmp_path / "run")


@pytest.fixture
def named(tmp_path, digit_pairs, settings):
    """Settings of a run on copies of the small set, whose names lie beside the records."""
    for use in ("train", "val"):
        for suffix in ("rec", "idx"):
            shutil.copy(digit_pairs / f"{use}.{suffix}", tmp_path)
        (tmp_path / f"{use}.classes.txt").write_text("unlike\nalike\n")
    files = [f"data.{use}={tmp_path}/{use}.rec" for use in ("train", "val")]
    return [*settings, *files, 'data.class_names=""', "optim.epochs=1"]


def test_the_names_beside_the_training_set_are_the_networks(tmp_path, named, capsys):
    assert train(tmp_path / "run", named) == 0
    assert load_network(tmp_path / "run")[1].class_names == ("unlike", "alike")
    said = (
        "training set: 192 pictures of 2 classes, {0}/train.rec; validation set: 70 pictures of 2"
    )
    assert capsys.readouterr().err.count(said.format(tmp_path)) == 1
    # Scored by another set, whose labels are other classes.
    (tmp_path / "val.classes.txt").write_text("alike\nunlike\n")
    assert evaluate.main([str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert f"val.classes.txt: 2 class names, not the 2 of {tmp_path}/run" in error
    assert "label 0 is 'alike', not 'unlike'" in error


@pytest.mark.parametrize(
    ("file", "names", "message"),
    [
        ("val", "alike\n", "val.classes.txt: 1 class names, not the 2 of .*'unlike' is missing"),
        ("val", "alike\nunlike\n", "val.classes.txt: .*label 0 is 'alike', not 'unlike'"),
        ("val", "nested\n", "val.classes.txt: 1 class names, .*: python -m train.pack SRC .*/val "),
        ("train", "a\nb\nc\n", "train.classes.txt: 2 classes, given 3 names: set model.classes"),
    ],
)
def test_sets_of_other_names_are_refused(tmp_path, named, file, names, message, capsys):
    (tmp_path / f"{file}.classes.txt").write_text(names)
    assert train(tmp_path / "run", named) == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert re.search(message, error)
    assert not (tmp_path / "run").exists()


def test_a_folder_is_trained_on_and_scored_again_by_what_was_set_aside_of_it(tmp_path, capsys):
    photos = write_class_folders(tmp_path / "photos", cat=12, dog=14, eel=20)
    data = [f"data.train={photos}", 'data.val=""', "data.val_share=0.25", "model.classes=0"]
    more = ["optim.epochs=1", "optim.batch_size=16", "seed=3", 'data.class_names=""']
    assert train(tmp_path / "run", [*data, *more]) == 0
    said = capsys.readouterr().err
    assert f"model.classes: 3, the class names of {photos}\n" in said
    assert "training set: 34 pictures of 3 classes, from " in said
    assert "; validation set: 12 pictures of 3 classes, from " in said
    assert (
        "34 files are read and decoded each epoch, " in said
        and "train.pack SRC OUT --resize" in said
    )
    assert load_network(tmp_path / "run")[1].class_names == ("cat", "dog", "eel")
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["config"]["model"]["classes"] == 3
    assert evaluate.main([str(tmp_path / "run"), "--out", str(tmp_path / "own.json")]) == 0
    own = json.loads((tmp_path / "own.json").read_text())
    (row,) = [row for row in rows(tmp_path / "run") if row["kind"] == "eval"]
    assert [own[key] for key in ("loss", "top1", "samples")] == [row["loss"], row["top1"], 12]
    # Another folder, by the network's names; and one whose pictures are not those of the run.
    (tmp_path / "list.txt").write_text("dog/000.png 1\neel/003.png 2\n")
    scored = ["--data", str(tmp_path / "list.txt"), "--root", str(photos)]
    capsys.readouterr()
    assert evaluate.main([str(tmp_path / "run"), *scored]) == 0
    assert f"on 2 of 2 pictures of {tmp_path}/list.txt" in capsys.readouterr().out
    (photos / "dog").rename(photos / "emu")
    assert evaluate.main([str(tmp_path / "run"), "--data", str(photos)]) == 2
    assert "class 'emu' is not among the 3 names" in capsys.readouterr().err
    shutil.rmtree(photos / "emu")
    assert evaluate.main([str(tmp_path / "run")]) == 2
    assert "24 pictures beside those set aside, 34 when" in capsys.readouterr().err


def test_labels_that_count_from_1_are_refused_though_few_are_out_of_range(
    tmp_path, settings, capsys
):
    picture = encode_png(np.zeros((64, 64), np.uint8))
    write_records(tmp_path / "a.rec", [(picture, 1 if i else 2) for i in range(96)])
    bad = ["data.max_bad=0.5", f"data.train={tmp_path}/a.rec"]
    assert train(tmp_path / "run", settings, *options(bad)) == 2
    error = capsys.readouterr().err
    assert "a.rec record 0: label 2 is out of range, 0 to 1 allowed for 2 classes" in error
    assert not (tmp_path / "run").exists()


def test_fine_tuning_takes_all_weights_of_a_file_but_the_classifiers_own(
    tmp_path, settings, capsys
):
    assert train(tmp_path / "first", settings, "--set", "optim.epochs=1") == 0
    file = checkpoints(tmp_path / "first")[-1] / "weights.params"
    # A rate of zero: what the run saves is what it started from.
    tuned = ["optim.epochs=1", "optim.lr_mult={.: 0}", f"model.pretrained={file}"]
    assert train(tmp_path / "same", settings, *options(tuned)) == 0
    fresh = [*tuned, "model.new_classifier=true", "model.classes=3", 'data.class_names=""']
    assert train(tmp_path / "new", settings, *options(fresh)) == 0
    before, same, new = (weights(tmp_path / run) for run in ("first", "same", "new"))
    trained = [n for n in before if n.startswith("weights") and "running" not in n]
    assert all(np.array_equal(before[name], same[name]) for name in trained)
    others = [name for name in trained if "classifier" not in name]
    assert len(trained) == len(others) + 2
    assert all(np.array_equal(before[name], new[name]) for name in others)
    assert new["weights.params:classifier_weight"].shape[0] == 3
    assert train(tmp_path / "no", settings, *options([*fresh, "model.new_classifier=false"])) == 2
    assert "weights of another network, 2 parameters differ" in capsys.readouterr().err


def test_broken_pictures_stop_the_run_by_name(tmp_path, settings, capsys):
    good = encode_png(np.zeros((64, 64), np.uint8))
    write_records(tmp_path / "b.rec", [(good, 0)] * 40 + [(b"broken", 1)] * 8)
    assert train(tmp_path / "run", settings, "--set", f"data.train={tmp_path}/b.rec") == 2
    assert "b.rec record 4" in capsys.readouterr().err


def test_a_run_is_not_overwritten_nor_resumed_by_another_network(tmp_path, settings, capsys):
    assert train(tmp_path, settings, "--set", "optim.epochs=1") == 0
    assert train(tmp_path, settings) == 2
    assert "holds a run: give --resume, or another --out" in capsys.readouterr().err
    assert (
        train(
            tmp_path,
            settings,
            "--resume",
            "--accept-changes",
            *options(["model.name=tiny", "optim.epochs=1"]),
        )
        == 2
    )
    assert "weights of another network, 25 parameters differ" in capsys.readouterr().err
    assert train(tmp_path / "new", settings, "--resume") == 2
    assert "no checkpoint in it" in capsys.readouterr().err


def test_the_command_line_prints_no_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "train.imagenet", "--config", "none.yaml", "--out", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 2
    assert done.stderr == "error: config none.yaml: No such file or directory\n"


def test_a_run_starts_from_the_zoo_with_the_network_of_its_weights(tmp_path, settings, monkeypatch):
    monkeypatch.setenv("GLORE_HOME", str(tmp_path / "home"))
    still = ["optim.epochs=1", "optim.lr_mult={.: 0}", "model.pretrained=zoo"]
    assert train(tmp_path / "zoo", settings, *options(still)) == 0
    zoo = gluon_glore.get_model("tiny_glore_0_1", pretrained=True).collect_params()
    run = load_arrays(checkpoints(tmp_path / "zoo")[-1] / "weights.params")
    assert all(
        np.array_equal(run[name].asnumpy(), param.data().asnumpy())
        for name, param in zoo.items()
        if "running" not in name
    )
    # Weights whose network has another eps than the registered one: the run's network has it too.
    net, manifest = load_network("tiny_glore_0_1")
    other = gluon_glore.Network(dataclasses.replace(net.spec, eps=0.25), 2)
    set_weights(other.collect_params(), plain_names(named_arrays(net)), "the zoo")
    export_model(other, tmp_path / "other", manifest, plain=True)
    still[2] = f"model.pretrained={tmp_path}/other/tiny_glore_0_1-0000.params"
    assert train(tmp_path / "run", settings, *options(still)) == 0
    assert load_network(tmp_path / "run")[0].spec.eps == 0.25
    results = [json.loads((tmp_path / d / "summary.json").read_text()) for d in ("zoo", "run")]
    assert results[0]["top1"] != results[1]["top1"]
