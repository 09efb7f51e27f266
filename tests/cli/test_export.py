import dataclasses
import json

import cv2
import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon.data.vision.transforms import ToTensor

from gluon_glore import InputError, get_model, load_classifier, load_runtime
from gluon_glore.__main__ import main
from gluon_glore.data.image import Preprocess
from gluon_glore.model_zoo.load import load_own_network
from gluon_glore.model_zoo.publish import publish
from gluon_glore.networks import registry
from gluon_glore.networks.small import mini
from gluon_glore.weights.manifest import read_manifest
from tests.helpers.any_networks import classifier, exported_by_gluon

ROWS = {"colour": 3, "grey": 1, "layers": 4}  # rows of networks, and their channels
NUMBERS = ["--mean", "0", "--std", "255", "--resize", "0"]
CLASSES = 3


def row(name, channels):
    """A function that registers `mini` for pictures of so many channels."""

    def make():
        """`mini` for other pictures."""
        return dataclasses.replace(mini(), in_channels=channels, classes=CLASSES)

    make.__name__ = name
    return make


@pytest.fixture(autouse=True)
def rows(monkeypatch):
    for name, channels in ROWS.items():
        monkeypatch.setitem(registry._ROWS, name, row(name, channels))


def pictures_of(channels, count):
    """uint8 `(count, 32, 32, channels)`: noise about a level that is its class's, and classes."""
    rng = np.random.RandomState(channels)
    labels = np.arange(count) % CLASSES
    levels = 60 + 60 * labels[:, None, None, None]
    noise = rng.normal(0, 20, (count, 32, 32, channels))
    return np.clip(levels + noise, 0, 255).astype("uint8"), labels


def trained(name):
    """A network trained as many do it: a loop of one's own, pixels as `ToTensor` makes them."""
    mx.random.seed(0)
    pictures, labels = pictures_of(ROWS[name], 24)
    x = ToTensor()(mx.nd.array(pictures, dtype="uint8"))
    net = get_model(name)
    net.initialize(mx.init.Xavier())
    net.hybridize()
    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    trainer = mx.gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.003})
    for _ in range(40):
        with mx.autograd.record():
            lost = loss(net(x), mx.nd.array(labels))
        lost.backward()
        trainer.step(len(x))
    return net


@pytest.fixture(scope="module")
def own_loop(tmp_path_factory):
    """{network: (its file of `save_parameters`, share of new pictures that it names right)}."""
    folder, made = tmp_path_factory.mktemp("own"), {}
    with pytest.MonkeyPatch.context() as patch:
        for name, channels in ROWS.items():
            patch.setitem(registry._ROWS, name, row(name, channels))
            net = trained(name)
            net.save_parameters(str(folder / f"{name}.params"))
            pictures, labels = pictures_of(channels, 30)
            logits = net(ToTensor()(mx.nd.array(pictures, dtype="uint8"))).asnumpy()
            right = (logits.argmax(axis=1) == labels).mean()
            made[name] = (folder / f"{name}.params", right)
    return made


def export(name, weights, out, *options):
    return main(["export", name, "--weights", str(weights), "--out", str(out), *options])


def predicted(model, channels, folder, capsys):
    """The share of new pictures that `predict` names right with an exported folder."""
    pictures, labels = pictures_of(channels, 30)
    folder.mkdir(exist_ok=True)
    for i, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{i:02d}.png"), picture[..., ::-1])
    capsys.readouterr()
    arguments = ["predict", str(folder), "--model", str(model), "--format", "json", "--top", "1"]
    assert main(arguments) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return np.mean([int(r["top"][0]["class"]) == y for r, y in zip(rows, labels)])


@pytest.mark.parametrize("name", ["colour", "grey"])
@pytest.mark.parametrize("how", [NUMBERS, ["--pixels", "0-1", "--resize", "0", "--crop", "32"]])
def test_a_network_of_ones_own_loop_predicts_as_well_as_in_the_loop(
    own_loop, name, how, tmp_path, capsys
):
    weights, right = own_loop[name]
    assert right == 1
    assert export(name, weights, tmp_path / "out", *how) == 0
    assert predicted(tmp_path / "out", ROWS[name], tmp_path / "in", capsys) == right
    assert "(pixel - [" in (tmp_path / "out" / "README.md").read_text()


def test_other_pixels_than_those_of_the_loop_cost_the_accuracy(own_loop, tmp_path, capsys):
    """So the test above would see wrong ones."""
    weights, right = own_loop["colour"]
    assert export("colour", weights, tmp_path / "out", "--pixels", "paper", "--resize", "0") == 0
    assert predicted(tmp_path / "out", 3, tmp_path / "in", capsys) < right


@pytest.mark.parametrize("name", ROWS)
def test_weights_that_say_no_pixels_are_refused_by_name(own_loop, name, tmp_path, capsys):
    weights, _ = own_loop[name]
    for options, message in (
        ([], f"{weights}: nothing says how pixels are prepared for these weights: give --pixels"),
        (["--mean", "0"], "--std or --scale missing beside --mean 0: give --pixels paper (mean "),
        (["--resize", "0"], "--mean and --std or --scale missing beside --resize 0: give --pixels"),
        (["--mean", "0", "--std", "255"], "--resize is missing beside --mean 0 --std 255: pixels"),
        ([*NUMBERS[:-1], "3"], "--resize 3: 0, or at least the crop's 32 pixels"),
    ):
        assert export(name, weights, tmp_path / "out", *options) == 2
        err = capsys.readouterr().err
        assert err.startswith(f"error: {message}") and len(err.splitlines()) == 1, err
        assert not list(tmp_path.iterdir())


def test_pixels_are_told_once(own_loop, tmp_path, capsys):
    weights, _ = own_loop["grey"]
    assert export("grey", weights, tmp_path / "out", *NUMBERS, "--plain") == 0
    folder = str(tmp_path / "out")
    for arguments in (
        ["predict", "-", "--model", folder, *NUMBERS],
        ["export", folder, "--out", str(tmp_path / "two"), *NUMBERS],
    ):
        assert main(arguments) == 2
        assert "its own weights and class names and pixels" in capsys.readouterr().err
    inside = str(tmp_path / "out" / "grey-0000.params")  # the manifest lies beside it
    assert export("grey", inside, tmp_path / "two", "--pixels", "0-255", "--resize", "0") == 2
    assert "its manifest says how pixels are prepared, (pixel - [0.0]) * 0.0039" in (
        capsys.readouterr().err
    )
    assert export("grey", inside, tmp_path / "two", *NUMBERS) == 0  # the same
    assert read_manifest(tmp_path / "two").preprocess == read_manifest(folder).preprocess


def test_a_network_of_four_channels_runs_on_arrays(own_loop, tmp_path, capsys):
    weights, right = own_loop["layers"]
    options = ["--mean", "0", "--std", "255", "255", "255", "255", "--resize", "0", "--onnx"]
    for more in ([], ["--with-preprocess"]):
        out = tmp_path / f"out{len(more)}"
        assert export("layers", weights, out, *options, *more) == 0
        assert "32x32 cropped" in (out / "README.md").read_text()
        assert "4-channel pictures" in (out / "README.md").read_text()
        preprocess = read_manifest(out).preprocess
        assert preprocess == Preprocess((32, 32), 0, (0.0,) * 4, (1 / 255,) * 4)
        pictures, labels = pictures_of(4, 30)
        x = pictures if more else np.stack([preprocess(picture) for picture in pictures])
        for runtime in ("mxnet", "onnxruntime"):
            logits = load_runtime(out, runtime)(x)
            assert (logits.argmax(axis=1) == labels).mean() == right == 1
        found = load_classifier(out).classify_all(list(pictures[:3]), top=1)
        assert [top[0][0] for top in found] == ["0", "1", "2"]
        capsys.readouterr()
        assert main(["predict", str(tmp_path), "--model", str(out)]) == 2
        assert "pictures are decoded to 3 channels or 1, the network takes 4" in (
            capsys.readouterr().err
        )


DESCRIPTION = """
input: [3, 16, 16]
pixels: 0-1
resize: 16
class_names: [a, b, c]
"""
TOLD = ["--input", "3x16x16", "--pixels", "0-1", "--resize", "16"]


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """A folder with a symbol of another network, a file of names, a description and a picture."""
    monkeypatch.chdir(tmp_path)
    exported_by_gluon(classifier(), "net")
    (tmp_path / "names.txt").write_text("a\nb\nc\n")
    (tmp_path / "net.yaml").write_text(DESCRIPTION)
    cv2.imwrite("a.jpg", pictures_of(3, 1)[0][0][:, :20])
    return tmp_path


def test_a_symbol_is_exported_checked_and_asked(pair, capsys):
    told = [*TOLD, "--class-names", "names.txt"]
    assert main(["export", "net", "--params", "net-0000.params", *told, "--out", "one"]) == 0
    assert main(["export", "net-symbol.json", "--describe", "net.yaml", "--out", "two"]) == 0
    assert read_manifest("one").class_names == read_manifest("two").class_names == ("a", "b", "c")
    assert read_manifest("one").preprocess == read_manifest("two").preprocess
    assert main(["check", "one"]) == 0
    capsys.readouterr()
    answers = set()
    for model in (["one"], ["net", *told], ["net", "--describe", "net.yaml"]):
        assert main(["predict", "a.jpg", "--format", "json", "--model", *model]) == 0
        row = json.loads(capsys.readouterr().out)
        answers.add(tuple((top["class"], round(top["probability"], 4)) for top in row["top"]))
    assert len(answers) == 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["net"], "nothing says how pixels are prepared for these weights: give --pixels"),
        (["net", *TOLD[2:]], "--input is missing: channels x height x width"),
        (["net", *TOLD, "--describe", "net.yaml"], "net.yaml says input, pixels and class names"),
        (["net", "--describe", "names.txt"], "names.txt: the fields input, output,"),
        (["net", *TOLD, "--stride", "2"], "--stride and --rate are of videos"),
        (["net", *TOLD, "--any-size", "--input-size", "3", "2"], "does not take such an input"),
        (["tiny", *TOLD], "tiny is no symbol file: leave --input, --output, --stride and --rate"),
        (["one", *TOLD], "one holds its own weights and class names and pixels, give no others"),
    ],
)
def test_what_a_symbol_cannot_be_is_refused(pair, capsys, arguments, message):
    (pair / "one").mkdir()
    assert main(["export", *arguments, "--out", "out"]) == 2
    err = capsys.readouterr().err.splitlines()
    assert message in err[-1] and err[-1].startswith("error: ")
    assert not (pair / "out").exists()


def test_what_needs_a_spec_refuses_other_networks(pair):
    assert main(["export", "net", "--describe", "net.yaml", "--out", "one", "--plain"]) == 0
    with pytest.raises(InputError, match="net is no network of this project"):
        load_own_network("one")
    with pytest.raises(InputError, match="net is no network of this project"):
        publish("one", "zoo")
