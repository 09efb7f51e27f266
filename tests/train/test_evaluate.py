import csv
import json

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import get_model
from gluon_glore.data.image import decode_image, resize_short
from gluon_glore.data.records import RecordDataset, write_records
from gluon_glore.export import export_model
from gluon_glore.layers.basic import pool_mean_max
from gluon_glore.model_zoo.load import load_network
from gluon_glore.utils.files import sha256
from gluon_glore.weights.manifest import read_manifest
from tests.helpers.damaged_records import SAMPLES, TESTED, write_damaged
from tests.helpers.exports import TINY, exported
from tests.helpers.horovod import horovodrun, needs_horovod
from train.digit_pairs import encode_png
from train.engine.picture_scores import bootstrap_interval
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


ANIMALS = ("ant", "bee", "cat", "dog", "eel", "fox", "gnu")
KNOWN = (2, 4, 5)  # cat, eel, fox


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    """A network of seven classes, pictures, and its logits of each picture, `(24, 7)`."""
    folder = tmp_path_factory.mktemp("animals")
    net = exported(folder / "unsure", "tiny", classes=ANIMALS, plain=True)
    net.output.weight.set_data(net.output.weight.data() * 40)
    export_model(net, folder / "net", read_manifest(folder / "unsure"), plain=True)
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 1 + 10 * i, (64, 64)).astype(np.uint8) for i in range(24)]
    x = np.stack([TINY.normalize(picture[..., None]) for picture in pictures])
    return folder / "net", [encode_png(p) for p in pictures], net(mx.nd.array(x)).asnumpy()


def labelled(path, animals, labels, names=()):
    """Records of the animals' pictures; the names of the labels beside them."""
    write_records(path, zip(animals[1], labels))
    if names:
        path.with_suffix(".classes.txt").write_text("".join(f"{name}\n" for name in names))
    return path


def scores(animals, tmp_path, *options):
    """The results, and the lines of the predictions' file, of the animals' network."""
    table = tmp_path / "out.csv"
    result = evaluated(tmp_path, animals[0], "--predictions", table, *options)
    with open(table, newline="", encoding="utf-8") as file:
        return result, list(csv.DictReader(file))


def test_predictions_and_results_are_those_of_the_network(animals, tmp_path, capsys):
    net, _, logits = animals
    labels = np.where(np.arange(24) % 2, logits.argmax(axis=1), np.arange(24) % 7)
    data = labelled(tmp_path / "val.rec", animals, labels, ANIMALS)
    result, rows = scores(animals, tmp_path, "--data", data)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    assert [row["name"] for row in rows] == [f"{data} record {i}" for i in range(24)]
    assert [int(row["label"]) for row in rows] == labels.tolist()
    for row, own in zip(rows, shares):
        best = [int(row[f"class{i}"]) for i in range(1, 6)]
        assert best == sorted(range(7), key=lambda c: -own[c])[:5]
        assert [float(row[f"score{i}"]) for i in range(1, 6)] == pytest.approx(own[best], abs=2e-5)
        assert row["class1_name"] == ANIMALS[best[0]]
    right = np.array([row["label"] == row["class1"] for row in rows])
    assert 0.5 <= right.mean() < 1 and right.mean() == result["top1"]
    among = [row["label"] in [row[f"class{i}"] for i in range(1, 6)] for row in rows]
    assert np.mean(among) == result["top5"]
    assert result["top1_interval"] == list(bootstrap_interval(right))
    error = 0
    for m in range(15):
        inside = [i for i in range(24) if m / 15 < shares[i].max() <= (m + 1) / 15]
        error += abs(sum(right[i] - shares[i].max() for i in inside)) / 24
    assert result["calibration_error"] == pytest.approx(error, abs=1e-5)
    assert result["weights_sha256"] == sha256(net / "tiny-0000.params")
    assert result["versions"]["mxnet"] == mx.__version__ and result["run"] == str(net)
    low, high = result["top1_interval"]
    assert capsys.readouterr().out.startswith(
        f"tiny: top-1 {result['top1']:.4f} (95 % interval {low:.4f} to {high:.4f}), top-5 "
        f"{result['top5']:.4f}, calibration error {result['calibration_error']:.4f}, loss "
    )


def test_a_line_of_predictions_is_a_picture_that_could_be_read(animals, tmp_path):
    folder, pictures, logits = animals
    damaged = [*pictures[:7], pictures[7][:-30], *pictures[8:]]
    data = labelled(tmp_path / "val.rec", (folder, damaged), logits.argmax(axis=1))
    result, rows = scores(animals, tmp_path, "--data", data, "--max-bad", 0.1)
    assert [int(row["name"].split()[-1]) for row in rows] == [*range(7), *range(8, 24)]
    assert (result["samples"], result["bad_records"], result["top1"]) == (23, 1, 1)


@pytest.mark.parametrize("given", ["data", "names", "more"])
def test_on_a_subset_the_logits_of_other_classes_are_left_out(animals, tmp_path, given, capsys):
    """Cats, eels and foxes, in another order than the network's."""
    own = ("fox", "cat", "eel")
    labels = np.arange(24) % 3
    beside = () if given == "names" else own
    data = labelled(tmp_path / "val.rec", animals, labels, beside)
    names = tmp_path / "names.txt"
    chosen = KNOWN if given != "more" else (0, *KNOWN)
    names.write_text("\n".join(own if given != "more" else ("eel", "ant", "fox", "cat")))
    subset = "data" if given == "data" else names
    result, rows = scores(animals, tmp_path, "--data", data, "--subset", subset)
    expected = []
    for row, label, logits in zip(rows, labels, animals[2]):
        of = ANIMALS.index(own[label])
        shares = {c: np.exp(logits[c]) / sum(np.exp(logits[d]) for d in chosen) for c in chosen}
        best = sorted(chosen, key=lambda c: -shares[c])
        assert (int(row["label"]), row["label_name"]) == (of, own[label])
        assert [int(row[f"class{i + 1}"]) for i in range(len(chosen))] == best
        assert float(row["score1"]) == pytest.approx(shares[best[0]], abs=2e-5)
        expected.append((best[0] == of, -np.log(shares[of])))
    top1, loss = np.mean(expected, axis=0)
    assert result["top1"] == pytest.approx(top1) and result["loss"] == pytest.approx(loss, rel=1e-4)
    assert (result["classes"], result["network_classes"]) == (len(chosen), 7)
    labels_of = names if given == "names" else tmp_path / "val.classes.txt"
    assert result["labels"] == str(labels_of)
    line = f" on {len(chosen)} of the network's 7 classes (labels as in {labels_of})\n"
    assert capsys.readouterr().out.endswith(line)


def test_a_folder_is_scored_on_a_subset_as_its_records_are(animals, tmp_path, capsys):
    own, labels = ("cat", "eel", "fox"), np.arange(24) % 3
    data = labelled(tmp_path / "val.rec", animals, labels, own)
    for i, (picture, label) in enumerate(zip(animals[1], labels)):
        file = tmp_path / "photos" / own[label] / f"{i:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture)
    packed, _ = scores(animals, tmp_path, "--data", data, "--subset", "data")
    names = tmp_path / "names.txt"
    names.write_text("fox\neel\ncat\n")
    for subset, place in (("data", tmp_path / "photos"), (names, names)):
        given = ("--data", tmp_path / "photos", "--subset", subset)
        result, rows = scores(animals, tmp_path, *given)
        assert {row["label_name"] for row in rows} == set(own)
        for key in ("top1", "calibration_error"):
            assert result[key] == pytest.approx(packed[key])
        assert result["loss"] == pytest.approx(packed["loss"], rel=1e-5)
        assert result["labels"] == str(place) and result["classes"] == 3
    (tmp_path / "photos/yak").mkdir()
    (tmp_path / "photos/yak/0.png").write_bytes(animals[1][0])
    for subset, error in (
        ("data", "photos: 'yak' is none of the 7 classes of"),
        (names, "class 'yak' is not among the 3 names given"),
    ):
        options = ["--data", str(tmp_path / "photos"), "--subset", str(subset)]
        assert main([str(animals[0]), *options]) == 2
        assert error in capsys.readouterr().err


def test_other_names_are_refused_without_a_subset_and_the_option_is_named(
    animals, tmp_path, capsys
):
    hint = "; or score the network on these classes alone: --subset data"
    for names, hinted in ((("fox", "cat", "eel"), True), (("fox", "cat", "yak"), False)):
        data = labelled(tmp_path / "val.rec", animals, [0] * 24, names)
        assert main([str(animals[0]), "--data", str(data)]) == 2
        error = capsys.readouterr().err
        assert "3 class names, not the 7 of" in error and error.endswith(f"{hint}\n") == hinted
    assert main([str(animals[0]), "--data", str(data), "--subset", "data"]) == 2
    assert "val.classes.txt line 3: 'yak' is none of the 7 classes" in capsys.readouterr().err
    data = labelled(tmp_path / "bare.rec", animals, [3] * 24)
    assert main([str(animals[0]), "--data", str(data), "--subset", "data"]) == 2
    assert "bare.rec: no class names beside it" in capsys.readouterr().err
    (tmp_path / "names.txt").write_text("fox\ncat\neel\n")
    options = ["--data", str(data), "--subset", str(tmp_path / "names.txt")]
    assert main([str(animals[0]), *options]) == 2
    assert "label 3 is out of range, 0 to 2 allowed for 3 classes" in capsys.readouterr().err


def test_where_no_picture_can_be_read_there_is_no_score(animals, tmp_path, capsys):
    data = labelled(tmp_path / "val.rec", (None, [b"no picture"] * 3), [0] * 3)
    out = tmp_path / "out.csv"
    options = ["--data", str(data), "--max-bad", "1", "--predictions", str(out)]
    assert main([str(animals[0]), *options]) == 2
    assert "val.rec: none of its 3 pictures can be read" in capsys.readouterr().err
    assert not out.exists()


@needs_horovod
def test_two_processes_see_what_one_sees(trained_run, tmp_path):
    out, table = tmp_path / "two.json", tmp_path / "two.csv"
    files = ["--out", str(out), "--predictions", str(table)]
    done = horovodrun("-m", "train.evaluate", str(trained_run), *files)
    assert done.returncode == 0, done.stderr
    one = evaluated(tmp_path, trained_run, "--predictions", tmp_path / "one.csv")
    tables = (tmp_path / "one.csv", table)
    (header, *of_one), (same, *of_two) = (list(csv.reader(file.open())) for file in tables)
    assert header == same
    scores = [i for i, name in enumerate(header) if name.startswith("score")]
    for one_row, two_row in zip(of_one, of_two, strict=True):
        # Of as many threads the bytes are the same; here a process has as many as there are cores.
        for i in scores:
            assert float(two_row[i]) == pytest.approx(float(one_row[i]), abs=2e-6)
            two_row[i] = one_row[i]
        assert two_row == one_row
    two = json.loads(out.read_text())
    assert two["loss"] == pytest.approx(one.pop("loss"), rel=1e-5)
    assert two["calibration_error"] == pytest.approx(one.pop("calibration_error"), rel=1e-4)
    assert min(one.pop("images_per_second"), two["images_per_second"]) > 0
    assert {**two, **one} == two
