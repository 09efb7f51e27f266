import json
import shutil
import subprocess
import sys

import cv2
import mxnet as mx
import numpy as np
import pytest

from benchmarks.networks import settle
from gluon_glore import get_model, get_spec, save_weights
from gluon_glore.__main__ import main
from gluon_glore.data.image import Preprocess
from gluon_glore.networks.network import Network
from gluon_glore.utils.errors import InputError
from gluon_glore.visualize.show import NodeChoice, crop_to, find_units, show
from gluon_glore.weights.manifest import Manifest
from tests.helpers.exports import TINY, exported
from tests.helpers.places import ROOT

UNIT = "conv4_B01_extra"
TINY_MODEL = ("--model", "tiny_glore_0_1")


@pytest.fixture
def pictures(tmp_path):
    """Two different grey pictures of 64x64 pixels: their folder."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, name in enumerate(("a", "b")):
        pixels = np.random.RandomState(i).randint(0, 256, (64, 64)).astype("uint8")
        cv2.imwrite(str(folder / f"{name}.png"), pixels)
    return folder


def data_of(out):
    """The numbers in a page."""
    page = (out / "index.html").read_text()
    return json.loads(page.split("const DATA = ")[1].split(";\n")[0])


def command(*arguments):
    return main(["show", *map(str, arguments)])


def refused(capsys, *arguments):
    """The one line that a command which can't be done ends with."""
    assert command(*arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and len(error.splitlines()) == 1, error
    return error


def test_a_page_and_pictures_of_every_unit_and_picture_are_written(pictures, tmp_path, capsys):
    out = tmp_path / "out"
    assert command(pictures, *TINY_MODEL, "--out", out) == 0
    kinds = [f"{name}_{UNIT}_{kind}.png" for name in "ab" for kind in ("maps", "graph")]
    assert {file.name for file in out.iterdir()} == {*kinds, f"{UNIT}_adjacency.png", "index.html"}
    for file in out.glob("*.png"):
        assert cv2.imread(str(file)).std() > 5
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and lines[0].startswith("a.png  ") and lines[2].startswith("b.png  ")
    assert lines[1].startswith(f"  {UNIT}  nodes ") and lines[1].count("%") == 8
    assert lines[4] == f"written: {out / 'index.html'}"
    data = data_of(out)
    assert data["model"] == "tiny_glore_0_1" and data["units"][0]["nodes"] == 64
    for one, name in zip(data["pictures"], ("a.png", "b.png")):
        assert one["name"] == name and {top[0] for top in one["top"]} == {"different", "same"}
        strength, shown = one["units"][0]["strength"], one["units"][0]["shown"]
        assert len(shown) == 8 and abs(sum(strength) - 1) < 1e-3
        assert min(strength[node] for node in shown) >= sorted(strength)[-8]
    assert data["pictures"][0]["units"] != data["pictures"][1]["units"]


def test_the_page_shows_the_classes_that_predict_prints(pictures, tmp_path, capsys):
    assert main(["predict", str(pictures / "a.png"), *TINY_MODEL]) == 0
    expected = capsys.readouterr().out
    assert command(pictures / "a.png", *TINY_MODEL, "--out", tmp_path / "out") == 0
    top = data_of(tmp_path / "out")["pictures"][0]["top"]
    assert ", ".join(f"{name} {share:.4f}" for name, share in top) in expected


def test_nodes_are_shown_as_picked_or_the_strongest(pictures, tmp_path):
    for options, check in (
        (["--nodes", "3,0,63,3"], lambda shown: shown == [3, 0, 63]),
        (["--strongest", "2"], lambda shown: len(shown) == 2),
        (["--strongest", "999"], lambda shown: sorted(shown) == list(range(64))),
    ):
        assert command(pictures / "a.png", *TINY_MODEL, "--out", tmp_path / "out", *options) == 0
        assert check(data_of(tmp_path / "out")["pictures"][0]["units"][0]["shown"])


def test_a_network_sees_a_picture_of_the_size_that_is_asked_for(tmp_path):
    net = get_model("resnet18_glore_0_1", classes=3)
    net.initialize()
    settle(net, mx.nd.random.normal(shape=(4, 3, 64, 64)))
    save_weights(net, tmp_path / "w.params")
    cv2.imwrite(str(tmp_path / "a.jpg"), np.random.randint(0, 256, (300, 260, 3), np.uint8))
    model = ["--model", "resnet18_glore_0_1", "--weights", tmp_path / "w.params"]
    model += ["--pixels", "paper"]
    for options, size in (([], 224), (["--size", "512"], 512), (["--size", "96x64"], (96, 64))):
        assert command(tmp_path / "a.jpg", *model, "--out", tmp_path / "out", *options) == 0
        [picture] = data_of(tmp_path / "out")["pictures"]
        assert picture["size"] == list(size if isinstance(size, tuple) else (size, size))
        assert picture["units"][0]["size"] == [side // 16 for side in picture["size"]]


def test_a_picture_is_enlarged_to_cover_what_the_network_sees_only_where_that_is_asked_for():
    picture = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64, 1)
    assert np.array_equal(crop_to(picture, TINY, cover=False), picture)
    assert np.array_equal(crop_to(picture, TINY, cover=True), picture)
    for size in ((96, 128), (128, 96), (50, 64), (64, 200)):
        assert crop_to(picture, TINY.resized(size), cover=True).shape == (*size, 1)
    small = crop_to(np.zeros((300, 400, 1), np.uint8), TINY, cover=True)
    assert small.shape == (64, 64, 1)
    with pytest.raises(InputError, match="64x64 pixels, the network takes 96x128"):
        crop_to(picture, TINY.resized((96, 128)), cover=False)


def test_exports_for_training_are_shown_those_for_inference_refused(pictures, tmp_path, capsys):
    exported(tmp_path / "plain", plain=True)
    exported(tmp_path / "fast")
    rest = [pictures / "a.png", "--out", tmp_path / "out", "--model"]
    assert command(*rest, tmp_path / "plain") == 0
    assert data_of(tmp_path / "out")["pictures"][0]["top"][0][0] in ("no", "yes")
    assert "export with --plain" in refused(capsys, *rest, tmp_path / "fast")


def test_what_cannot_be_shown_is_refused_in_one_line_and_nothing_is_written(
    pictures, tmp_path, capsys
):
    (pictures / "bad.png").write_text("no picture")
    small = tmp_path / "small.png"
    cv2.imwrite(str(small), np.zeros((32, 32), np.uint8))
    (tmp_path / "clip.mjpeg").write_bytes(b"")
    out = tmp_path / "out"
    for arguments, message in (
        (["a.png", "--unit", "conv3_B01_extra"], f"no unit conv3_B01_extra, but {UNIT}"),
        (["a.png", "--nodes", "0,64"], f"{UNIT}: nodes are 0 to 63, given 64"),
        (["a.png", "--nodes=-1"], "nodes are 0 to 63, given -1"),
        (["a.png", "bad.png"], "bad.png: not a readable picture"),
        (["none.png"], "none.png: No such file"),
        ([small], "small.png: picture of 32x32 pixels, the network takes 64x64"),
        ([tmp_path / "clip.mjpeg"], "show takes pictures and folders of them"),
        (["a.png", "--size", "2"], "input of 2x2 is too small"),
    ):
        files = [pictures / name if str(name)[-4:] == ".png" else name for name in arguments]
        assert message in refused(capsys, *files, *TINY_MODEL, "--out", out)
    inside = refused(capsys, pictures, *TINY_MODEL, "--out", pictures / "out")
    assert "of which all pictures are asked for" in inside
    assert not out.exists() and not (pictures / "out").exists()
    shutil.copy(pictures / "a.png", pictures / "a.bmp")
    both = refused(capsys, pictures / "a.png", pictures / "a.bmp", *TINY_MODEL, "--out", out)
    assert f"{pictures / 'a.bmp'}: its files in {out} would overwrite those of" in both
    assert not list(out.iterdir())
    (tmp_path / "file").touch()
    taken = refused(capsys, pictures / "a.png", *TINY_MODEL, "--out", tmp_path / "file")
    assert f"{tmp_path / 'file'}: File exists" in taken


def test_networks_that_have_no_units_or_see_no_pictures_are_refused():
    for name, message in (
        ("tiny_nl_0_1", "tiny_nl_0_1: the network has no GloRe units"),
        ("tiny_3d_glore_0_1", "tiny_3d_glore_0_1 sees 3 dimensions"),
    ):
        with pytest.raises(InputError, match=message):
            find_units(get_model(name))


def test_a_full_disk_leaves_what_was_there_and_nothing_half_written(pictures, mount, capsys):
    place = mount("size=400k")
    out = place / "out"
    error = refused(capsys, pictures, *TINY_MODEL, "--out", out, "--strongest", "16")
    assert "No space left on device" in error
    for file in out.iterdir():
        assert file.suffix == ".png" and cv2.imread(str(file)) is not None


def test_shares_of_the_picture_are_told_of_a_network_that_labels_pixels(tmp_path):
    spec = get_spec("fcn_small_glore_1_cityscapes")
    net = Network(spec)
    net.initialize()
    settle(net, mx.nd.random.normal(shape=(2, 3, 64, 64)))
    names = tuple(f"class {i}" for i in range(net.classes))
    manifest = Manifest(spec.name, names, Preprocess(size=(64, 96), resize=0))
    cv2.imwrite(str(tmp_path / "a.png"), np.random.randint(0, 256, (128, 192, 3), np.uint8))
    out = tmp_path / "out"
    assert len(show(net, manifest, [tmp_path / "a.png"], out, choice=NodeChoice(4), top=99)) == 3
    [picture] = data_of(out)["pictures"]
    assert picture["figure"] == "share" and picture["size"] == [64, 96]
    assert sum(share for _, share in picture["top"]) == pytest.approx(1, abs=2e-3)
    assert (out / "a_head_extra1_maps.png").is_file()


def test_drawing_needs_no_mxnet():
    modules = "unit_view", "unit_pictures", "page", "show", "text"
    code = f"import sys; from gluon_glore.visualize import {', '.join(modules)}"
    subprocess.run(
        [sys.executable, "-c", f"{code}; assert 'mxnet' not in sys.modules"], cwd=ROOT, check=True
    )
