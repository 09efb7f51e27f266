import json

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import get_model
from gluon_glore.data.image import decode_image, resize_short
from gluon_glore.data.records import RecordDataset
from gluon_glore.layers.basic import pool_mean_max
from gluon_glore.model_zoo.load import load_network
from tests.helpers.damaged_records import SAMPLES, TESTED, write_damaged
from tests.helpers.horovod import horovodrun, needs_horovod
from train.evaluate import main


def evaluated(tmp_path, *arguments):
    assert main([*map(str, arguments), "--out", str(tmp_path / "result.json")]) == 0
    return json.loads((tmp_path / "result.json").read_text())


def test_as_it_was_trained_a_run_gives_its_own_accuracy(trained_run, tmp_path):
    result = evaluated(tmp_path, trained_run)
    assert result["top1"] == json.loads((trained_run / "summary.json").read_text())["top1"]
    assert (result["samples"], result["bad_records"], result["size"]) == (70, 0, [64, 64])


def test_larger_pictures_and_mean_max_pooling_give_what_the_network_gives_by_hand(
    trained_run, digit_pairs, tmp_path
):
    result = evaluated(
        tmp_path, trained_run, "--size", 96, "--resize", 110, "--pooling", "mean_max"
    )
    net, manifest = load_network(trained_run)
    dataset = RecordDataset(digit_pairs / "val.rec", 2)
    losses = []
    for i in range(len(dataset)):
        data, label = dataset[i]
        picture = resize_short(decode_image(data, 1), 110)[7:103, 7:103]
        x = mx.nd.array(manifest.preprocess.normalize(picture)[None])
        for block in list(net.features)[:-1]:
            x = block(x)
        features = x.asnumpy()
        pooled = (features.mean(axis=(2, 3)) + features.max(axis=(2, 3))) / 2
        losses.append(-mx.nd.log_softmax(net.output(mx.nd.array(pooled))).asnumpy()[0, label])
    assert result["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert (result["size"], result["resize"]) == ([96, 96], 110)
    averaged = evaluated(tmp_path, trained_run, "--size", 96, "--resize", 110)
    assert abs(averaged["loss"] - result["loss"]) > 1e-3


@pytest.mark.parametrize("hybridize", [False, True])
def test_mean_max_pooling_is_the_mean_of_mean_and_maximum(hybridize):
    net = get_model("resnet18_glore_0_1", classes=3)
    net.initialize()
    pool_mean_max(net)
    if hybridize:
        net.features[-1].hybridize()
    x = mx.nd.random.normal(shape=(2, 4, 5, 7))
    expected = (x.asnumpy().mean(axis=(2, 3)) + x.asnumpy().max(axis=(2, 3))) / 2
    assert np.allclose(net.features[-1](x).asnumpy(), expected, atol=1e-6)


def test_bad_records_are_left_out_and_counted(trained_run, tmp_path, capsys):
    path = write_damaged(tmp_path / "damaged.rec")
    result = evaluated(tmp_path, trained_run, "--data", path)
    assert (result["samples"], result["bad_records"]) == (TESTED, SAMPLES - TESTED)
    assert capsys.readouterr().err.count("skipped ") == 3
    assert main([str(trained_run), "--data", str(path), "--max-bad", "0"]) == 2
    assert "more than 0 of 300 records are bad" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "96", "--resize", "95"], "--resize 95: 0, or at least the crop's 96 pixels"),
        (["--size", "96"], "picture of 64x64 pixels, the network takes 96x96"),
        (["--data", "none.rec"], "none.rec: no such file"),
        (["--size", "7"], "input of 7x7 is too small for the strides of tiny_glore_0_1"),
    ],
)
def test_what_does_not_fit_is_one_error_and_exit_2(trained_run, options, message, capsys):
    assert main([str(trained_run), *options]) == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert message in error


def test_figures_are_said_where_their_file_cannot_be_written(trained_run, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert main([str(trained_run), "--out", str(tmp_path / "file" / "result.json")]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("tiny_glore_0_1: top-1 ")
    (error,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert str(tmp_path / "file") in error
    assert (tmp_path / "file").read_text() == "mine"


def test_a_checkpoint_does_not_know_its_data(trained_run, capsys):
    assert main([str(trained_run / "checkpoints" / "epoch-0001")]) == 2
    assert "does not say its validation set: give --data FILE.rec" in capsys.readouterr().err


@needs_horovod
def test_two_processes_see_what_one_sees(trained_run, tmp_path):
    out = tmp_path / "two.json"
    done = horovodrun("-m", "train.evaluate", str(trained_run), "--out", str(out))
    assert done.returncode == 0, done.stderr
    one, two = evaluated(tmp_path, trained_run), json.loads(out.read_text())
    assert two["loss"] == pytest.approx(one.pop("loss"), rel=1e-5)
    assert min(one.pop("images_per_second"), two["images_per_second"]) > 0
    assert {**two, **one} == two
