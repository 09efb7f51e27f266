"""The zoo in PyTorch: the rules of `test_load.py` and `test_get_model.py`, without MXNet."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gluon_glore.data.image import Preprocess
from gluon_glore.model_zoo.catalogue import SHIPPED
from gluon_glore.networks.registry import get_spec
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.golden import compare_logits, read_golden
from gluon_glore.weights.manifest import parse_manifest
from gluon_glore.weights.names import with_kinds
from gluon_glore.weights.params_file import read_params, write_params

torch = pytest.importorskip("torch", reason="needs torch")
from gluon_glore import pytorch  # noqa: E402
from gluon_glore.model_zoo.load_pytorch import load_network  # noqa: E402
from gluon_glore.pytorch import get_model, save_weights, to_mxnet  # noqa: E402

NAME = "tiny_glore_0_1"
ENTRY = next(Path(SHIPPED).glob(f"{NAME}-*"))
PARAMS = ENTRY / f"{NAME}-0000.params"
GREY = Preprocess((64, 64), 0, (22.0,), 0.0167)
OTHER = Preprocess((64, 64), 0, (1.0,))


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.delenv("GLORE_MIRROR", raising=False)
    monkeypatch.setenv("GLORE_HOME", str(tmp_path / "root"))
    return tmp_path / "root"


def logits(net, x):
    with torch.inference_mode():
        return net.eval()(torch.tensor(x)).numpy()


def noise(*shape):
    return np.random.RandomState(0).normal(size=shape).astype("float32")


def assert_golden(net):
    x, expected = read_golden(ENTRY)
    assert compare_logits(logits(net, x), expected, "test") < 1e-5


def assert_same(net, other):
    ours, theirs = net.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture
def saved(tmp_path):
    """A network of RGB pictures and its parameter file."""
    net = get_model("cifar_resnet14", classes=10)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(1 + torch.rand(tensor.shape))
    file = tmp_path / "w.params"
    write_params(file, with_kinds(to_mxnet(net.state_dict())))
    return net, file


@pytest.mark.parametrize("pretrained", [True, "3a9af620", PARAMS, str(ENTRY)], ids=str)
def test_the_packaged_entry_gives_its_golden_logits(pretrained):
    net = get_model(NAME, pretrained=pretrained)
    assert_golden(net)
    assert (net.classes, net.preprocess) == (2, GREY)


def test_it_goes_through_every_file_and_back(tmp_path):
    net = get_model(NAME, pretrained=True)
    files = [tmp_path / name for name in ("w.safetensors", "w.pth", "w.pt", "w.params")]
    save_weights(net, files[0])
    torch.save(net.state_dict(), files[1])
    torch.save({"state_dict": net.state_dict()}, files[2])
    write_params(files[3], to_mxnet(net.state_dict()))
    if torch.__version__ < (2, 10):  # the last for Python 3.9 is refused files that may run code
        for file in files[1:3]:
            with pytest.raises(InputError, match="needs torch 2.10 or newer"):
                get_model(NAME, pretrained=file)
        del files[1:3]
    for file in files:
        again = get_model(NAME, pretrained=file)
        assert_same(again, net)
        told = GREY if file.suffix == ".safetensors" else None  # the others don't say
        assert again.preprocess == told
        assert get_model(NAME, pretrained=file, preprocess=GREY).preprocess == GREY
        assert_same(get_model(NAME, pretrained=file, preprocess=GREY), net)


def test_without_weights_a_network_starts_anew():
    net = get_model("tiny", classes=5, in_channels=2, preprocess=replace(GREY, mean=(1.0, 2.0)))
    assert (net.spec.in_channels, net.classes) == (2, 5)
    assert net.preprocess.mean == (1.0, 2.0)
    assert logits(net, noise(1, 2, 64, 64)).shape == (1, 5)


def test_other_classes_begin_with_a_new_classifier(saved):
    net, file = saved
    same, new = (get_model("cifar_resnet14", n, file) for n in (None, 7))
    assert_same(same, net)
    ours, theirs = new.state_dict(), net.state_dict()
    changed = {name for name in ours if not torch.equal(ours[name], theirs[name])}
    assert changed == {"classifier.weight", "classifier.bias"}
    assert new.classifier.weight.abs().max() <= 0.07 and new.classifier.bias.abs().max() == 0


def test_no_classes_and_features_give_what_stands_before_the_classifier(saved):
    net, file = saved
    x = noise(2, 3, 32, 32)
    pooled = logits(get_model("cifar_resnet14", 0, file), x)
    assert np.allclose(logits(net.classifier, pooled), logits(net, x), atol=1e-5)
    backbone = get_model("cifar_resnet14", pretrained=file, features=("res3", "res4"))
    assert isinstance(backbone, pytorch.Backbone)
    maps = [m.numpy() for m in torch.no_grad()(backbone.eval())(torch.tensor(x))]
    assert np.allclose(maps[1].mean((2, 3)), pooled, atol=1e-5)


def test_a_grey_picture_gives_what_it_gave_as_rgb(saved):
    net, file = saved
    x = noise(2, 1, 32, 32)
    grey = get_model("cifar_resnet14", pretrained=file, in_channels=1)
    expected = logits(net, x.repeat(3, 1))
    assert np.abs(logits(grey, x) - expected).max() < 1e-5 * np.abs(expected).max()


def test_weights_of_pictures_start_a_network_of_videos(tmp_path):
    flat = get_model("resnet50_lite")
    save_weights(flat, tmp_path / "flat.safetensors")
    name = "resnet50_3d_glore_2_3_kinetics400"
    net = get_model(name, pretrained=tmp_path / "flat.safetensors")
    assert net.classes == 400
    ours, theirs = net.state_dict(), flat.state_dict()
    kernel = "conv2.B01.conv_m1.conv.weight"
    assert ours[kernel].shape[2:] == (3, 1, 1)
    for frame in range(3):
        assert torch.allclose(ours[kernel][:, :, frame], theirs[kernel] / 3)
    with pytest.raises(InputError, match="can begin to be trained, but not yet tell classes apart"):
        load_network(name, tmp_path / "flat.safetensors", preprocess=Preprocess((224, 224)))


def test_a_folder_and_a_name_are_loaded_with_their_manifest(saved):
    for model in (ENTRY, NAME):
        net, manifest = load_network(model)
        assert_golden(net)
        assert (manifest.class_names, net.preprocess) == (("different", "same"), GREY)
    with pytest.raises(InputError, match="nothing says how pixels are prepared"):
        load_network("cifar_resnet14", saved[1])
    told = Preprocess((32, 32), 0)
    net, manifest = load_network("cifar_resnet14", saved[1], preprocess=told)
    assert manifest.class_names == tuple("0123456789")
    assert net.preprocess == manifest.preprocess == told


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda file: get_model("resnet5O"), "unknown network 'resnet5O', closest: resnet50"),
        (lambda file: get_model("resnet18", pretrained=file), "weights of another network"),
        (lambda file: get_model("tiny", pretrained=PARAMS), "weights of tiny_glore_0_1, not of"),
        (lambda file: get_model("tiny", 2, features=("res3",)), "leave classes=2 out"),
        (lambda file: get_model("tiny", -1), "classes must be at least 1"),
        (lambda file: get_model("tiny", in_channels=0), "in_channels: a whole number from 1"),
        (lambda file: get_model(NAME, pretrained=True, preprocess=OTHER), "give no others"),
        (lambda file: load_network(ENTRY, file), "holds its own weights"),
        (lambda file: load_network("./nowhere"), "no such directory"),
    ],
)
def test_what_gluons_refuses_is_refused_in_the_same_line(saved, call, message):
    with pytest.raises(InputError, match=message) as caught:
        call(saved[1])
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_names_places_in_gluons_blocks_needs_mxnet(tmp_path):
    file = tmp_path / "places.params"
    try:
        import mxnet  # noqa: F401
    except ImportError:
        write_params(file, {"features.0.weight": np.ones(2, "float32")})
        with pytest.raises(InputError, match="save_parameters.* needs the package mxnet"):
            get_model("tiny", pretrained=file)
        return
    import gluon_glore

    theirs = gluon_glore.get_model(NAME, pretrained=True)
    theirs.save_parameters(str(file))
    assert_golden(get_model(NAME, pretrained=file))


def test_gluon_and_pytorch_take_each_others_files(tmp_path):
    mx = pytest.importorskip("mxnet", reason="needs MXNet")
    import gluon_glore

    net = get_model(NAME, pretrained=True)
    files = [tmp_path / name for name in ("w.safetensors", "w.pth")]
    save_weights(net, files[0], ("different", "same"))
    torch.save(net.state_dict(), files[1])
    x, expected = read_golden(ENTRY)
    for file in files:
        theirs = gluon_glore.get_model(NAME, pretrained=file)
        assert compare_logits(theirs(mx.nd.array(x)).asnumpy(), expected, file) < 1e-5
    theirs, manifest = gluon_glore.load_network(NAME, files[0])
    assert (manifest.class_names, theirs.preprocess) == (("different", "same"), GREY)
    for block in (gluon_glore.Network(get_spec(NAME), 2), theirs):
        for file in files:
            gluon_glore.load_weights(block, file)
            assert compare_logits(block(mx.nd.array(x)).asnumpy(), expected, "block") < 1e-5
    gluon_glore.save_weights(theirs, tmp_path / "w.params")
    assert_same(get_model(NAME, pretrained=tmp_path / "w.params"), net)


def test_parameters_are_those_of_the_entrys_file_bit_by_bit():
    found = to_mxnet(get_model(NAME, pretrained=True).state_dict())
    saved = {name[4:]: array for name, array in read_params(PARAMS).items()}
    assert found.keys() == saved.keys() and parse_manifest(ENTRY / "manifest.yaml").spec
    for name, array in saved.items():
        np.testing.assert_array_equal(found[name], array.astype("float32"))


def test_a_plain_export_is_one_of_its_files(tmp_path):
    mx = pytest.importorskip("mxnet", reason="needs MXNet to export")
    from tests.helpers.exports import TINY, exported

    theirs = exported(tmp_path / "plain", "tiny", TINY, plain=True)
    x = noise(2, 1, 64, 64)
    expected = theirs(mx.nd.array(x)).asnumpy()
    for net in (
        get_model("tiny", pretrained=tmp_path / "plain"),
        load_network(tmp_path / "plain")[0],
    ):
        assert np.abs(logits(net, x) - expected).max() < 1e-5 * np.abs(expected).max()
    exported(tmp_path / "optimized", "tiny", TINY)
    with pytest.raises(InputError, match="exported for inference, its parameters are not the net"):
        load_network(tmp_path / "optimized")
