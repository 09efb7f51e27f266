"""Files of PyTorch's networks become entries, without MXNet too."""

import numpy as np
import pytest

from gluon_glore.__main__ import main
from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess
from gluon_glore.model_zoo.import_weights import import_weights
from gluon_glore.networks.registry import get_spec
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.manifest import read_manifest

torch = pytest.importorskip("torch", "2.10", reason="needs torch 2.10 or newer")
from gluon_glore.model_zoo.entry import check_golden  # noqa: E402
from gluon_glore.pytorch import Network, get_model, save_weights  # noqa: E402

GREY = Preprocess((64, 64), 0, (22.0,), 0.0167)


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = Network(get_spec("tiny_nl_0_1"), 3)
    net.preprocess = GREY
    return net


def assert_entry(entry, name, net):
    assert check_golden(entry) < 1e-5
    ours, theirs = get_model(name, pretrained=entry).state_dict(), net.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_file_that_says_what_it_is_needs_nothing_more(net, tmp_path):
    save_weights(net, tmp_path / "w.safetensors", ("a", "b", "c"))
    entry = import_weights(tmp_path / "w.safetensors", tmp_path / "entry")
    manifest = read_manifest(entry)
    assert (manifest.model, manifest.class_names) == ("tiny_nl_0_1", ("a", "b", "c"))
    assert manifest.preprocess == GREY
    assert_entry(entry, "tiny_nl_0_1", net)


@pytest.mark.parametrize("name", [None, "tiny_nl_0_1"])
@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_a_bare_state_dict_is_told_its_pixels(net, tmp_path, name, ending):
    net.preprocess = None
    file = tmp_path / f"w.{ending}"
    save_weights(net, file) if ending == "safetensors" else torch.save(net.state_dict(), file)
    with pytest.raises(InputError, match="neither it nor the catalogue says its pixels"):
        import_weights(file, tmp_path / "entry", name)
    entry = import_weights(file, tmp_path / "entry", name, preprocess=GREY)
    manifest = read_manifest(entry)
    assert (manifest.model, manifest.class_names) == ("tiny_nl_0_1", ("0", "1", "2"))
    assert_entry(entry, "tiny_nl_0_1", net)


def test_a_network_of_ones_own_is_known_by_its_file_alone(tmp_path):
    spec = get_spec("tiny").with_units("glore", res3=(1,), arrangement="post")
    net = Network(type(spec)(**{**vars(spec), "name": "mine", "eps": 1e-3}), 2)
    net.preprocess = GREY
    save_weights(net, tmp_path / "w.safetensors")
    entry = import_weights(tmp_path / "w.safetensors", tmp_path / "entry")
    assert read_manifest(entry).spec.eps == 1e-3
    assert_entry(entry, "mine", net)
    again = get_model("mine", pretrained=tmp_path / "w.safetensors")
    x = torch.tensor(np.random.RandomState(0).normal(size=(1, 1, 64, 64)).astype("float32"))
    assert torch.equal(again.eval()(x), net.eval()(x))


@pytest.mark.parametrize(
    "told, message",
    [(GREY, "another network than resnet18, its extra units"), (None, "looks like tiny_nl_0_1$")],
)
def test_another_network_than_the_one_that_is_named_is_refused(net, tmp_path, told, message):
    net.preprocess = told
    save_weights(net, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=f"w.safetensors: .*{message}") as caught:
        import_weights(tmp_path / "w.safetensors", tmp_path / "entry", "resnet18", preprocess=GREY)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "entry").exists()


def test_a_network_of_videos_is_told_its_clips_or_the_card_says_whose_they_are(tmp_path):
    video = Network(get_spec("tiny_3d_glore_0_1"), 2)
    video.preprocess = GREY
    file = tmp_path / "w.safetensors"
    save_weights(video, file)
    told = ["import", str(file), "--out", str(tmp_path / "told"), "--stride", "3", "--rate", "25"]
    assert main(told) == 0
    manifest = read_manifest(tmp_path / "told")
    assert manifest.clip == Clip(8, 3, 25.0)
    assert not any("frames of a video" in note for note in manifest.card.notes)
    assert_entry(tmp_path / "told", "tiny_3d_glore_0_1", video)
    guessed = read_manifest(import_weights(file, tmp_path / "guessed"))
    assert guessed.clip == Clip(8, 8)
    assert any("frames of a video it sees, taken are the paper's" in n for n in guessed.card.notes)


def test_clips_are_refused_where_there_are_none_or_half_of_them(net, tmp_path, capsys):
    save_weights(net, tmp_path / "w.safetensors")
    for options, message in (
        (("--stride", "3"), "tiny_nl_0_1 takes 2 dimensions, clips have 3"),
        (("--rate", "25"), "--rate is what --stride counts: give that, too"),
    ):
        arguments = ["import", str(tmp_path / "w.safetensors"), "--out", str(tmp_path / "entry")]
        assert main([*arguments, *options]) == 2
        assert capsys.readouterr().err.strip().endswith(message)
        assert not (tmp_path / "entry").exists()
