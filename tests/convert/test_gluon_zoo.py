import gluoncv
import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon.model_zoo import vision

from benchmarks.networks import settle
from gluon_glore import InputError, Network, get_model
from gluon_glore.convert.gluon_zoo import write_release
from gluon_glore.convert.mxnet_release import read_release
from gluon_glore.weights import set_weights
from tests.helpers.networks import initialize


def by_place(net, path):
    net.save_parameters(path)


def by_name(net, path):
    net.collect_params().save(path)


@pytest.mark.parametrize(
    ("zoo", "save"), [(vision, by_place), (gluoncv.model_zoo, by_name)], ids=["mxnet", "gluoncv"]
)
def test_a_file_of_parameters_alone_gives_their_networks_logits(tmp_path, zoo, save):
    theirs = zoo.get_model("resnet18_v2", classes=7)
    initialize(theirs)
    x = mx.nd.random.normal(shape=(2, 3, 32, 32))
    settle(theirs, x)
    save(theirs, str(tmp_path / "w.params"))
    symbol, params, assumed = write_release(tmp_path / "w.params", tmp_path, "w-symbol.json")
    assert "graph is taken to be that of MXNet's own resnet18_v2" in assumed
    found = read_release(symbol, params)
    assert found.classes == 7 and found.spec.stem.norm_input and found.spec.shared_norm
    ours = Network(found.spec)
    arrays = {name: mx.nd.array(array) for name, array in found.arrays.items()}
    set_weights(ours.collect_params(), arrays, "test")
    expected = theirs(x).asnumpy()
    assert np.abs(ours(x).asnumpy() - expected).max() < 1e-4 * expected.std()


NARROW = [8, 8, 16, 24, 32]


def saved(net, path):
    net.initialize()
    net(mx.nd.zeros((1, 3, 32, 32)))
    net.save_parameters(str(path))
    return path


def test_a_file_that_is_none_of_theirs_is_refused_and_named(tmp_path):
    post = saved(vision.ResNetV1(vision.BasicBlockV1, [2] * 4, NARROW), tmp_path / "v1.params")
    said = "v1.params: parameters alone, it looks like .* resnet18_v1 .*; v1-symbol.json is needed"
    with pytest.raises(InputError, match=said):
        write_release(post, tmp_path, "v1-symbol.json")
    narrow = vision.ResNetV2(vision.BasicBlockV2, [2] * 4, NARROW)
    with pytest.raises(InputError, match="narrow.params: parameters alone"):
        write_release(saved(narrow, tmp_path / "narrow.params"), tmp_path, "narrow-symbol.json")
    assert not (tmp_path / "symbol.json").exists()


def test_it_is_found_by_a_name_that_is_not_registered(tmp_path):
    """The file is read off, and its pixels are asked for; a registered network says what it is."""
    file = saved(vision.resnet18_v2(classes=3), tmp_path / "v2.params")
    with pytest.raises(InputError, match="v2.params: neither it nor the catalogue says its pixels"):
        get_model("resnet18_v2", pretrained=file, root=tmp_path / "home")
    with pytest.raises(InputError, match=r"looks like MXNet's or GluonCV's resnet18_v2; python -m"):
        get_model("resnet18", pretrained=file)
