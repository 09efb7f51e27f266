import shutil

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError, get_model, load_network, save_weights
from gluon_glore.data.image import Preprocess
from gluon_glore.data.pixels import Pixels
from gluon_glore.weights.manifest import MANIFEST
from tests.helpers.exports import TINY
from tests.helpers.networks import assert_same
from tests.helpers.zoo import ENTRY, TAR

OTHER = Preprocess((64, 64), 0, (0.0,), 1 / 255)


@pytest.fixture
def file(tmp_path):
    """A parameter file that nothing lies beside."""
    net = get_model("tiny")
    net.initialize()
    save_weights(net, tmp_path / "w.params")
    return tmp_path / "w.params"


def test_a_network_carries_the_pixels_that_its_weights_say(made, root):
    assert get_model("tiny_glore_0_1", pretrained=True).preprocess == TINY
    assert get_model(ENTRY, pretrained=made.folder / made.entry).preprocess == TINY
    for model in (made.folder / made.entry, made.export):  # an entry, a plain export
        net, manifest = load_network(model)
        assert net.preprocess == manifest.preprocess == TINY


def test_a_network_carries_the_pixels_it_is_told_where_its_weights_say_none(file):
    assert get_model("tiny").preprocess is None
    assert get_model("tiny", preprocess=OTHER).preprocess == OTHER
    assert get_model("tiny", pretrained=file).preprocess is None  # it may be trained on any
    assert get_model("tiny", pretrained=file, preprocess=OTHER).preprocess == OTHER
    for told in (OTHER, Pixels("0-1", resize=0)):
        net, manifest = load_network("tiny", file, preprocess=told)
        assert net.preprocess == manifest.preprocess == OTHER


def test_pixels_are_fitted_to_what_a_network_does():
    pictures = get_model("resnet18", preprocess=Pixels("torchvision")).preprocess
    assert (pictures.size, pictures.resize) == ((224, 224), 256)
    scenes = get_model("fcn_resnet50_cityscapes", preprocess=Pixels("torchvision")).preprocess
    assert (scenes.size, scenes.resize) == ((768, 768), 0)  # seen whole
    videos = get_model("tiny_3d", preprocess=Pixels("0-1", resize=70)).preprocess
    assert (videos.size, videos.resize, videos.mean) == ((64, 64), 70, (0.0,))


def test_weights_that_say_no_pixels_are_no_predictor(file):
    with pytest.raises(InputError, match="w.params: nothing says how pixels .* --pixels"):
        load_network("tiny", file)


def test_pixels_of_other_channels_are_refused(file):
    for load in (
        lambda: get_model("tiny", preprocess=Preprocess()),
        lambda: get_model("tiny", pretrained=file, preprocess=Preprocess()),
        lambda: load_network("tiny", file, preprocess=Preprocess()),
    ):
        with pytest.raises(InputError, match="mean for 3 channels, the network takes 1"):
            load()


def test_what_says_its_pixels_takes_no_others(made, root):
    entry = made.folder / made.entry
    own = r"its manifest says how pixels are prepared, \(pixel - \[22.0\]\) \* 0.0167, short side 0"
    for load in (
        lambda: get_model(ENTRY, pretrained=entry, preprocess=OTHER),
        lambda: load_network("tiny_glore_0_1", preprocess=OTHER),
    ):
        with pytest.raises(InputError, match=own):
            load()
    assert get_model(ENTRY, pretrained=entry, preprocess=TINY).preprocess == TINY
    with pytest.raises(InputError, match="holds its own weights and class names and pixels"):
        load_network(entry, preprocess=TINY)


def test_an_archive_is_imported_with_the_pixels_that_are_told(made, root):
    archive = made.folder / TAR
    _, manifest = load_network("tiny", archive, preprocess=Pixels("0-1", resize=0))
    assert manifest.preprocess == OTHER
    with pytest.raises(InputError, match="its manifest says how pixels are prepared"):
        load_network("tiny", archive, preprocess=TINY)  # imported already, with others
    assert get_model("tiny", pretrained=archive, preprocess=OTHER).preprocess == OTHER


def test_an_address_that_the_catalogue_has_not_is_imported_with_the_pixels_told(server, root):
    (server.folder / "own.tar").write_bytes((server.folder / TAR).read_bytes())
    _, manifest = load_network("tiny", server.url("own.tar"), preprocess=OTHER)
    assert manifest.preprocess == OTHER
    with pytest.raises(InputError, match="its manifest says how pixels are prepared"):
        load_network("tiny", server.url("own.tar"), preprocess=TINY)


def test_the_files_of_gluons_save_parameters_are_read(tmp_path):
    net = get_model("tiny_glore_0_1", classes=5)
    net.initialize()
    net(mx.nd.random.normal(shape=(2, 1, 64, 64))).wait_to_read()
    net.save_parameters(str(tmp_path / "w.params"))
    found = get_model("tiny_glore_0_1", pretrained=tmp_path / "w.params")
    assert_same(found, net)
    x = mx.nd.random.normal(shape=(2, 1, 64, 64))
    assert np.array_equal(found(x).asnumpy(), net(x).asnumpy())
    with pytest.raises(InputError, match="w.params: weights of another network"):
        get_model("tiny", pretrained=tmp_path / "w.params")


def test_an_entry_of_more_classes_than_names_is_refused(made, root, tmp_path):
    folder = shutil.copytree(made.folder / made.entry, tmp_path / "copy")
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace("- 'no'\n", ""))
    with pytest.raises(InputError, match="manifest.yaml: 2 classes, given 1 names"):
        load_network(folder)
