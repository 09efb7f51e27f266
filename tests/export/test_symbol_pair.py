import json
import shutil

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from gluon_glore import (
    InputError,
    export_model,
    load_classifier,
    load_network,
    load_recognizer,
    load_segmenter,
)
from gluon_glore.data.clips import Clip, read_views
from gluon_glore.data.image import Preprocess
from gluon_glore.data.signature import Signature
from gluon_glore.data.video import Video
from gluon_glore.export.runtimes import load_runtime
from tests.helpers.any_networks import (
    CLASSES,
    CLIP,
    TwoOutputs,
    classifier,
    exported_by_gluon,
    recognizer,
    saved_by_module,
    segmenter,
    with_values,
)
from tests.helpers.networks import relative_error
from tests.helpers.videos import moving, write_video

PIXELS = Preprocess((16, 16), 0, (1.0, 2.0, 3.0), 0.02)


def softmax(logits):
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def load(model, weights=None, **how):
    return load_network(model, weights, CLASSES, PIXELS, **how)


def test_what_gluon_exported_gives_the_networks_outputs(tmp_path):
    x, expected = exported_by_gluon(classifier(), tmp_path / "net")
    for model, weights in (
        (tmp_path / "net", None),
        (str(tmp_path / "net-symbol.json"), tmp_path / "net-0000.params"),
    ):
        block, manifest = load(model, weights)
        assert relative_error(block(x).asnumpy(), expected) < 1e-5
        assert (manifest.model, manifest.task, manifest.class_names) == ("net", "classify", CLASSES)


def test_a_checkpoint_of_module_loses_softmax_and_label_and_its_inputs_name(tmp_path, capsys):
    x, probabilities = saved_by_module(tmp_path / "mod", epoch=7)
    block, manifest = load(tmp_path / "mod")
    assert "mod: the softmax softmax is left out, its outputs here are logits" in (
        capsys.readouterr().err
    )
    logits = block(x).asnumpy()
    assert np.abs(softmax(logits) - probabilities).max() < 1e-6
    assert np.abs(logits - probabilities).max() > 0.1
    folder = export_model(block, tmp_path / "out", manifest, onnx=True)
    for name in ("mxnet", "onnxruntime", "openvino"):
        assert relative_error(load_runtime(folder, name)(x.asnumpy()), logits) < 1e-5
    again, found = load_network(folder)
    assert relative_error(again(x).asnumpy(), logits) < 1e-5 and found.task == "classify"
    symbol, arguments, statistics = mx.model.load_checkpoint(str(folder / "mod"), 0)
    assert set(arguments) | set(statistics) | {"data"} == set(symbol.list_inputs())
    assert set(statistics) == set(symbol.list_auxiliary_states())


def test_parameters_are_those_beside_it_where_there_is_one_file(tmp_path):
    exported_by_gluon(classifier(), tmp_path / "net", epoch=3)
    load(tmp_path / "net")
    shutil.copy(tmp_path / "net-0003.params", tmp_path / "net-0004.params")
    with pytest.raises(InputError, match="2 files net-NNNN.params beside it, say which: --params"):
        load(tmp_path / "net")
    for path in tmp_path.glob("*.params"):
        path.unlink()
    with pytest.raises(InputError, match="no net-0000.params beside it"):
        load(tmp_path / "net")


def test_a_registered_name_is_that_network_whatever_lies_beside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exported_by_gluon(classifier(), "tiny")
    with pytest.raises(InputError, match="weights of another network"):
        load_network("tiny", "tiny-0000.params", preprocess=Preprocess((16, 16), 0, (1.0,)))
    assert load("./tiny")[1].task == "classify"


@pytest.mark.parametrize(
    "how, message",
    [
        ({"preprocess": None}, "nothing says how pixels are prepared"),
        ({"class_names": ("a",)}, "net: 3 classes, given 1 names"),
        ({"signature": Signature((3, 20, 20))}, r"cropped to \(16, 16\)"),
        ({"signature": Signature((1, 16, 16))}, "does not take such an input"),
        ({"signature": Signature(output="nothing")}, "the network has 1 outputs, 0 .*fwd"),
        ({"weights": "other-0000.params"}, "one input, and parameters for all others; .*conv"),
        ({"weights": "nothing.params"}, "nothing.params: no such parameter file"),
        ({"model": "nothing"}, "nothing: no such directory, nor a symbol file .*nothing-symbol"),
        ({"model": "nothing-symbol.json"}, "no such symbol file"),
        ({"model": "broken-symbol.json", "weights": "net-0000.params"}, "not an MXNet symbol"),
        ({"model": "strange-symbol.json", "weights": "net-0000.params"}, "mxnet can't load it"),
        ({"model": "empty-symbol.json", "weights": "net-0000.params"}, "it computes nothing"),
        ({"model": "twice-symbol.json", "weights": "net-0000.params"}, "two .* are called data"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(tmp_path, how, message):
    exported_by_gluon(classifier(), tmp_path / "net")
    exported_by_gluon(with_values(nn.Dense(3), (3, 16, 16)), tmp_path / "other")
    (tmp_path / "broken-symbol.json").write_text("{}")
    text = (tmp_path / "net-symbol.json").read_text()
    (tmp_path / "strange-symbol.json").write_text(text.replace("Convolution", "Revolution"))
    mx.sym.var("data").save(str(tmp_path / "empty-symbol.json"))
    (mx.sym.var("data") + mx.sym.var("data")).save(str(tmp_path / "twice-symbol.json"))
    given = {"model": "net", "weights": None, "class_names": CLASSES, "preprocess": PIXELS, **how}
    given["model"] = tmp_path / given["model"]
    given["weights"] = given["weights"] and tmp_path / given["weights"]
    with pytest.raises(InputError, match=message) as error:
        load_network(**given)
    assert len(str(error.value).splitlines()) == 1


def test_probabilities_are_found_by_their_values_too(tmp_path):
    net = classifier(nn.HybridLambda(lambda F, x: F.softmax(x)), nn.Flatten())
    exported_by_gluon(net, tmp_path / "net")
    with pytest.raises(InputError, match="net gives probabilities"):
        load(tmp_path / "net")
    nodes = json.loads((tmp_path / "net-symbol.json").read_text())["nodes"]
    dense = next(node["name"] for node in nodes if node["op"] == "FullyConnected")
    block, _ = load(tmp_path / "net", signature=Signature(output=dense))
    x = mx.nd.array(np.random.RandomState(2).normal(size=(2, 3, 16, 16)))
    assert np.abs(softmax(block(x).asnumpy()) - net(x).asnumpy()).max() < 1e-6


def test_an_output_of_several_is_chosen(tmp_path):
    both = with_values(TwoOutputs(), (3, 16, 16))
    x, _ = exported_by_gluon(both, tmp_path / "net")
    with pytest.raises(InputError, match="the network has 2 outputs"):
        load(tmp_path / "net")
    block, _ = load(tmp_path / "net", signature=Signature(output=1))
    assert relative_error(block(x).asnumpy(), both(x)[1].asnumpy()) < 1e-5


def test_a_symbol_answers_pictures_as_its_network_does(tmp_path):
    net, picture = classifier(), np.random.RandomState(0).randint(0, 256, (20, 24, 3))
    picture = picture.astype("uint8")
    exported_by_gluon(net, tmp_path / "net")
    found = load_classifier(tmp_path / "net", None, CLASSES, preprocess=PIXELS)
    crop = picture[2:18, 4:20].astype("float32")
    x = (crop - np.array([1, 2, 3], "float32")) * np.float32(0.02)
    expected = softmax(net(mx.nd.array(x.transpose(2, 0, 1)[None])).asnumpy())[0]
    top = dict(found.classify(picture, 3))
    assert np.allclose([top[name] for name in CLASSES], expected, atol=1e-5)
    with pytest.raises(InputError, match="net: fails on a batch"):
        found.network(np.zeros((1, 5, 16, 16), "float32"))


def test_a_symbol_that_labels_pixels_sees_windows_of_the_size_it_was_told(tmp_path):
    net = segmenter()
    exported_by_gluon(net, tmp_path / "net")
    found = load_segmenter(tmp_path / "net", None, CLASSES, preprocess=PIXELS)
    picture = np.random.RandomState(0).randint(0, 256, (16, 40, 3)).astype("uint8")
    seen = []
    run = found.network
    object.__setattr__(found, "network", lambda x: seen.append(x.shape) or run(x))
    assert found.classes(picture).shape == (16, 40)
    assert set(seen) == {(1, 3, 16, 16)} and len(seen) > 2
    x = mx.nd.array(PIXELS.normalize(picture[:, :16].copy())[None])
    inside = net(x).asnumpy()[0].argmax(axis=0)[:, :5]
    assert np.array_equal(found.classes(picture)[:, :5], inside)


def test_a_symbol_of_videos_watches_clips_of_its_frames(tmp_path):
    net = recognizer()
    exported_by_gluon(net, tmp_path / "net", CLIP)
    video = write_video(tmp_path / "a.mp4", moving(20, (16, 16)))
    signature = Signature(CLIP, stride=3)
    found = load_recognizer(tmp_path / "net", None, CLASSES, preprocess=PIXELS, signature=signature)
    assert found.clip == Clip(4, 3)
    seen = found.watch(video, clips=1)
    with Video(video) as frames:
        x = read_views(frames, Clip(4, 3), PIXELS, found.clip.even_starts(1, 20, 25))
    expected = softmax(net(mx.nd.array(x)).asnumpy())[0]
    assert np.allclose(seen.probabilities, expected, atol=1e-5)
    with pytest.raises(InputError, match="--stride is missing"):
        load("net", signature=Signature(CLIP))
