import numpy as np
import pytest

from gluon_glore.data.cityscapes import CLASS_NAMES
from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess, encode_png
from gluon_glore.model_zoo.catalogue import FILE, read_catalogue
from gluon_glore.networks.registry import get_spec
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.card import Card
from gluon_glore.weights.manifest import read_manifest
from gluon_glore.weights.params_file import read_params
from tests.helpers.scenes import write_scenes

torch = pytest.importorskip("torch", reason="needs torch")
from gluon_glore.model_zoo.entry import check_golden  # noqa: E402
from gluon_glore.pytorch import Network, get_model, publish  # noqa: E402

GREY = Preprocess((64, 64), 0, (22.0,), 0.0167)


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = Network(get_spec("tiny"), 3)
    net.preprocess = GREY
    return net


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(4):
            data = encode_png(rng.integers(0, 256, (64, 64), dtype=np.uint8))
            (tmp_path / "pictures" / name / f"{i}.png").write_bytes(data)
    return tmp_path / "pictures"


def test_an_entry_has_the_network_and_says_all_of_it(net, pictures, tmp_path):
    card = Card("here", licence="MIT")
    entry = publish(net, tmp_path / "zoo", "mine", ("a", "b", "c"), pictures, card)
    manifest = read_manifest(entry)
    assert (manifest.model, manifest.class_names) == ("mine", ("a", "b", "c"))
    assert (manifest.preprocess, manifest.card.licence) == (GREY, "MIT")
    assert manifest.card.measured["samples"] == 12
    (row,) = read_catalogue(tmp_path / "zoo" / FILE, base=str(tmp_path / "zoo"))
    assert (row.name, row.packaged) == ("mine", entry)
    assert check_golden(entry) < 1e-5
    ours, theirs = get_model("mine", pretrained=entry).state_dict(), net.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_half_of_it_and_unmeasured(net, tmp_path):
    entry = publish(net, tmp_path / "zoo", half=True)
    manifest = read_manifest(entry)
    assert manifest.class_names == ("0", "1", "2")
    assert manifest.card.measured_text == "not measured"
    params = read_params(entry / "tiny-0000.params").values()
    assert {array.dtype for array in params} == {np.dtype("float16")}
    with pytest.raises(InputError, match="published already"):
        publish(net, tmp_path / "zoo", half=True)


@pytest.mark.parametrize(
    "change, options, message",
    [
        (lambda net: setattr(net, "preprocess", None), {}, "nothing says how its pixels"),
        (lambda net: net.reset_classifier(0), {}, "it has no classifier"),
        (lambda net: None, {"class_names": ("a",)}, "tiny: 3 classes, given 1 names"),
        (lambda net: None, {"name": "resnet50"}, "resnet50 is another network than tiny"),
        (lambda net: None, {"name": "../x"}, "a network's name has letters"),
        (lambda net: net.conv1.conv.weight.fill_(float("nan")), {}, "not finite"),
    ],
)
def test_what_cannot_be_published_leaves_no_zoo(net, tmp_path, change, options, message):
    with torch.no_grad():
        change(net)
    with pytest.raises(InputError, match=message) as caught:
        publish(net, tmp_path / "zoo", **options)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "zoo").exists()


def of_pixels():
    net = Network(get_spec("fcn_small_cityscapes"), 4)
    net.preprocess = Preprocess((64, 128), 0)
    return net


def of_videos():
    net = Network(get_spec("tiny_3d_glore_0_1"), 2)
    net.preprocess = GREY
    return net


def test_networks_of_pixels_and_of_videos_are_entries_of_their_own_clips(tmp_path):
    for net, options in ((of_pixels(), {}), (of_videos(), {"clip": Clip(8, 3, 25.0)})):
        entry = publish(net, tmp_path / "zoo", "mine", **options)
        manifest = read_manifest(entry)
        assert (manifest.clip, manifest.card.notes) == (options.get("clip"), ())
        assert check_golden(entry) < 1e-5
        ours, theirs = get_model("mine", pretrained=entry).state_dict(), net.state_dict()
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_pixels_are_measured_without_mxnet(tmp_path):
    write_scenes(tmp_path / "city", "val", {"bonn": 2})
    net = Network(get_spec("fcn_small_cityscapes"))
    net.preprocess = Preprocess((64, 128), 0, (1.0, 2.0, 3.0), 0.1)
    entry = publish(net, tmp_path / "zoo", None, CLASS_NAMES, tmp_path / "city")
    measured = read_manifest(entry).card.measured
    assert measured["samples"] == 2 and 0 < measured["miou"] < measured["accuracy"] < 1
    with pytest.raises(InputError, match="its class 0 is '0', that of the set is 'road'"):
        publish(net, tmp_path / "another", data=tmp_path / "city")
    assert not (tmp_path / "another").exists()


def test_clips_that_nobody_told_are_said_to_be_the_papers(tmp_path):
    entry = publish(of_videos(), tmp_path / "zoo")
    manifest = read_manifest(entry)
    assert manifest.clip == Clip(8, 8)
    note = "nothing says which frames of a video it sees, taken are the paper's: 8 frames, 8 apart"
    assert manifest.card.notes == (note,) and note in (entry / "README.md").read_text()


@pytest.mark.parametrize(
    "make, clip, message",
    [
        (of_videos, Clip(4, 3), "takes clips of 8 frames, given 4"),
        (of_pixels, Clip(8, 3), "fcn_small_cityscapes takes 2 dimensions, clips have 3"),
    ],
)
def test_clips_that_a_network_does_not_take_are_refused(tmp_path, make, clip, message):
    with pytest.raises(InputError, match=message):
        publish(make(), tmp_path / "zoo", clip=clip)
    assert not (tmp_path / "zoo").exists()
