import numpy as np
import pytest

from gluon_glore.data.image import Preprocess
from gluon_glore.networks.registry import get_spec
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.safetensors_file import read_safetensors
from gluon_glore.weights.state_file import own_manifest, save_weights

pytest.importorskip("torch", reason="needs torch")
from gluon_glore.pytorch import Network  # noqa: E402

PIXELS = Preprocess((64, 64), 0, (22.0,), 0.0167)


@pytest.fixture
def net():
    net = Network(get_spec("tiny"), 3)
    net.preprocess = PIXELS
    return net


def test_a_file_has_the_state_dict_and_says_what_it_is(net, tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(net, path, ("a", "b", "c"))
    arrays, state = read_safetensors(path), net.state_dict()
    assert arrays.keys() == state.keys()
    for name, tensor in state.items():
        np.testing.assert_array_equal(arrays[name], tensor.numpy())
        assert arrays[name].shape == tensor.shape, name  # a counter of batches has no axis
    told = own_manifest(path)
    assert (told.model, told.class_names, told.preprocess) == ("tiny", ("a", "b", "c"), PIXELS)
    assert told.spec.classes == 3


def test_other_readers_of_safetensors_load_it(net, tmp_path):
    from safetensors import safe_open
    from safetensors.torch import load_file

    save_weights(net, tmp_path / "w.safetensors")
    other = Network(get_spec("tiny"), 3)
    other.load_state_dict(load_file(tmp_path / "w.safetensors"))
    assert (other.classifier.weight == net.classifier.weight).all()
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        assert file.metadata()["format"] == "pt"


def test_a_full_disk_is_said_and_leaves_nothing(net, mount):
    place = mount("size=64k")
    with pytest.raises(InputError, match="w.safetensors: No space left on device"):
        save_weights(net, place / "w.safetensors")
    assert not list(place.iterdir())


def test_a_network_that_does_not_know_its_pixels_says_nothing(net, tmp_path):
    net.preprocess = None
    save_weights(net, tmp_path / "w.safetensors")
    assert own_manifest(tmp_path / "w.safetensors") is None
    assert own_manifest(tmp_path / "w.params") is None


def test_other_endings_and_other_numbers_of_names_are_refused(net, tmp_path):
    with pytest.raises(InputError, match="w.pth: a file of safetensors ends in .safetensors"):
        save_weights(net, tmp_path / "w.pth")
    with pytest.raises(InputError, match="tiny: 3 classes, given 1 names"):
        save_weights(net, tmp_path / "w.safetensors", ("a",))
    assert not list(tmp_path.iterdir())


def test_a_damaged_manifest_in_a_file_is_named(net, tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(net, path)
    data = path.read_bytes()
    assert data.count(b"class_names:") == 1
    path.write_bytes(data.replace(b"class_names:", b"class_nemas:"))
    with pytest.raises(InputError, match="w.safetensors: damaged manifest: class_names: missing"):
        own_manifest(path)
