import shutil

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import HybridBlock, nn

from gluon_glore import InputError, get_model, get_spec, list_models, save_weights
from gluon_glore.model_zoo.catalogue import shipped
from gluon_glore.networks import registry
from gluon_glore.plan.spec import NetSpec
from gluon_glore.plan.stages import Stage, Stem
from tests.helpers.networks import assert_same, values
from tests.helpers.zoo import ENTRY, params_file, refused, write_published


def test_without_weights_a_network_is_uninitialised_and_has_its_own_classes():
    for name, classes in (("resnet18", 1000), ("tiny", 2)):
        net = get_model(name)
        assert net.classes == classes
        with pytest.raises(RuntimeError):
            net.output.weight.data()
    assert get_model("resnet18", classes=7).output.weight.shape[0] == 7
    with pytest.raises(InputError, match="unknown network 'resnet5', closest: resnet50"):
        get_model("resnet5")
    with pytest.raises(InputError, match="classes must be at least 1, or 0 .*, given -1"):
        get_model("tiny", classes=-1)


def test_classes_are_those_of_the_weights(made, root, tmp_path):
    net = get_model("tiny", classes=5)
    net.initialize()
    save_weights(net, tmp_path / "five.params")
    found = get_model("tiny", pretrained=tmp_path / "five.params")
    assert found.classes == 5
    assert_same(found, net)
    assert get_model(ENTRY, pretrained=made.folder / made.entry).classes == 2


def test_other_classes_have_a_new_classifier_and_the_rest_is_the_weights():
    old = values(get_model("tiny_glore_0_1", pretrained=True))
    net = get_model("tiny_glore_0_1", pretrained=True, classes=10)
    for name, value in values(net).items():
        if name.startswith("classifier"):
            assert value.shape[0] == 10
        else:
            assert np.array_equal(value, old[name]), name
    assert np.abs(values(net)["classifier_weight"]).max() > 0
    assert net(mx.nd.zeros((1, 1, 64, 64))).asnumpy().shape == (1, 10)
    same = get_model("tiny_glore_0_1", pretrained=True, classes=2)
    assert np.array_equal(values(same)["classifier_weight"], old["classifier_weight"])


def test_weights_go_where_they_are_told():
    place = mx.cpu(1)
    for classes in (None, 3):
        net = get_model("tiny_glore_0_1", pretrained=True, classes=classes, ctx=place)
        assert {param.list_ctx()[0] for param in net.collect_params().values()} == {place}


def test_weights_of_another_network_are_refused(made, root):
    entry = made.folder / made.entry
    assert (
        refused("tiny", entry) == f"{entry / params_file(ENTRY)}: weights of {ENTRY}, not of tiny"
    )
    with pytest.raises(InputError, match="weights of another network, .* parameters differ: "):
        get_model("resnet18", pretrained=_bare(made))
    # A 3-D network takes the weights of 2-D ones, but not of this one.
    with pytest.raises(InputError, match="weights of another network, .* parameters differ: "):
        get_model("resnet50_3d_kinetics400", pretrained=entry)


def _bare(made):
    path = made.export.parent / "bare.params"
    save_weights(made.tiny, path)
    return path


PLANAR = NetSpec(
    stages=(Stage(1, 64), Stage(2, 128)), stem=Stem(16), input_size=(64, 64), classes=6, eps=1e-4
)


@pytest.fixture
def planar_and_video(monkeypatch):
    """Two small networks, alike in 2 and 3 dimensions, that are registered for a test."""

    def planar():
        """A network of this test."""
        return PLANAR

    def video():
        """A network of this test."""
        spec = NetSpec(
            stages=PLANAR.stages, stem=PLANAR.stem, input_size=(16, 64, 64), classes=4, eps=1e-4
        )
        return spec.with_units("glore", res3=(1,))

    for row in (planar, video):
        monkeypatch.setitem(registry._ROWS, row.__name__, row)
    net = get_model("planar")
    net.initialize(mx.init.Normal(0.1))
    return net


@pytest.mark.parametrize("what", ["entry", "parameters", "address", "hash"])
def test_weights_of_two_dimensions_inflate_into_three(
    planar_and_video,
    root,
    tmp_path,
    what,
):
    entry = tmp_path / write_published(tmp_path, planar_and_video, classes=tuple("abcdef"))
    if what == "hash":
        shutil.copytree(entry, root / entry.name)
    pretrained = {
        "entry": entry,
        "parameters": entry / params_file("planar"),
        "address": f"file://{entry}",
        "hash": entry.name[-8:],
    }[what]
    net = get_model("video", pretrained=pretrained)
    assert net.classes == 4
    old, new = values(planar_and_video), values(net)
    stem = new["conv1__conv_weight"]
    assert stem.shape == (16, 3, 7, 7, 7)
    assert np.allclose(stem.sum(axis=2), old["conv1__conv_weight"], rtol=1e-4, atol=1e-6)
    assert np.array_equal(new["tail__bn_running_var"], old["tail__bn_running_var"])
    assert any("extra" in name for name in set(new) - set(old))
    assert get_model("video", pretrained=pretrained, classes=9).classes == 9
    with pytest.raises(InputError, match="weights of planar, not of resnet18"):
        get_model("resnet18", pretrained=pretrained)
    assert len(list(root.glob("planar-*"))) == (what in ("address", "hash"))


def test_the_video_networks_start_from_the_lite_ones(tmp_path):
    net = get_model("resnet50_lite")
    net.initialize(mx.init.Normal(0.1))
    save_weights(net, tmp_path / "lite.params")
    video = get_model("resnet50_3d_kinetics400", pretrained=tmp_path / "lite.params")
    assert video.classes == 400
    name = "conv2_B01_conv-m1__conv_weight"
    kernels = video.collect_params()[name].data().asnumpy()
    assert kernels.shape[2] == 3
    frame = net.collect_params()[name].data().asnumpy()
    assert np.allclose(kernels.sum(axis=2), frame, rtol=1e-4, atol=1e-6)


def test_every_shipped_entry_is_the_network_it_is_called():
    for row in shipped():
        assert row.name in list_models()
        net = get_model(row.name, pretrained=True)
        assert list(net.collect_params()) == list(get_model(row.name).collect_params())
        assert net.spec.extras == get_spec(row.name).extras


@pytest.mark.parametrize("saved", ["own names", "places", "own classifier", "no classifier"])
def test_no_classes_give_the_pooled_features_of_any_file(tmp_path, saved):
    net = get_model("tiny_glore_0_1", pretrained=True, classes=0 if saved[:2] == "no" else 5)
    x = mx.nd.random.normal(shape=(2, 1, 64, 64))
    file = tmp_path / "weights.params"
    if saved == "own names":
        save_weights(net, file)
    elif saved == "own classifier":
        block = HybridBlock()
        block.features, block.fc = net.features, nn.Dense(5, in_units=96)
        block.fc.initialize()
        block.save_parameters(str(file))
    else:
        net.save_parameters(str(file))
    pooled = get_model("tiny_glore_0_1", pretrained=file, classes=0)
    assert pooled.classes == 0 and pooled.output is None
    assert np.array_equal(pooled(x).asnumpy(), net.features(x).asnumpy())


def test_a_file_without_a_classifier_is_said_to_lack_it(tmp_path):
    net = get_model("tiny_glore_0_1", pretrained=True, classes=0)
    save_weights(net, tmp_path / "weights.params")
    message = refused("tiny_glore_0_1", tmp_path / "weights.params")
    assert "classifier_weight is missing in the file" in message
