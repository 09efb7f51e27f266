import json
import shutil
import subprocess
import sys

import cv2
import mxnet as mx
import numpy as np
import pytest

from benchmarks.networks import settle
from gluon_glore import export_model, get_model, get_spec, import_model, save_weights
from gluon_glore.__main__ import main
from gluon_glore.data.image import Preprocess
from gluon_glore.networks.network import Network
from gluon_glore.utils.errors import InputError
from gluon_glore.visualize.show import NodeChoice, show
from gluon_glore.visualize.signed_colors import COLORS
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


@pytest.mark.parametrize("plain", [True, False])
def test_exports_are_shown_whether_they_are_optimized_for_inference_or_not(
    plain, pictures, tmp_path, capsys
):
    exported(tmp_path / "export", plain=plain)
    rest = [pictures / "a.png", "--out", tmp_path / "out", "--model", tmp_path / "export"]
    assert command(*rest) == 0
    assert data_of(tmp_path / "out")["pictures"][0]["top"][0][0] in ("no", "yes")
    capsys.readouterr()
    error = refused(capsys, *rest, "--weights", tmp_path / "w.params")
    assert "holds its own weights and class names and pixels, give no others" in error


def test_a_symbol_file_is_shown_as_its_network(pictures, tmp_path):
    net = exported(tmp_path / "export", plain=True)
    net.hybridize()
    net(mx.nd.zeros((1, 1, 64, 64)))
    net.export(str(tmp_path / "net"))
    rest = ["--out", tmp_path / "own", "--model", tmp_path / "export"]
    assert command(pictures / "a.png", *rest) == 0
    symbol = ["--out", tmp_path / "out", "--model", tmp_path / "net-symbol.json"]
    pixels = ["--input", "1x64x64", "--mean", "22", "--scale", "0.0167", "--resize", "0"]
    assert command(pictures / "a.png", *symbol, *pixels) == 0
    own, other = data_of(tmp_path / "own"), data_of(tmp_path / "out")
    assert own["units"] == other["units"]
    assert own["pictures"][0]["units"] == other["pictures"][0]["units"]


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
        ([tmp_path / "clip.mjpeg"], "pictures and folders of them can be shown, no videos"),
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


def test_networks_that_have_no_units_or_see_no_pictures_are_refused(pictures, tmp_path):
    for name, message in (
        ("tiny_nl_0_1", "tiny_nl_0_1: the network has no GloRe units"),
        ("tiny_3d_glore_0_1", "tiny_3d_glore_0_1 sees 3 dimensions"),
    ):
        net = get_model(name)
        with pytest.raises(InputError, match=message):
            show(net, Manifest(name, ("a", "b"), TINY), [pictures], tmp_path / "out")


def files_in(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_page_of_another_network_is_not_written_over_and_with_force_kept(
    pictures, tmp_path, capsys
):
    out, rest = tmp_path / "out", (pictures / "a.png", "--out", tmp_path / "out")
    assert command(*rest, *TINY_MODEL) == 0
    before = files_in(out)
    other = exported(tmp_path / "other", plain=True)
    error = refused(capsys, *rest, "--model", tmp_path / "other")
    assert f"{out / 'index.html'} is a page of another network, or of other weights" in error
    assert files_in(out) == before
    assert command(*rest, *TINY_MODEL, "--strongest", "2") == 0  # the same network's: renewed
    renewed = files_in(out)
    assert renewed.keys() == before.keys() and renewed != before
    capsys.readouterr()
    assert command(*rest, "--model", tmp_path / "other", "--force") == 0
    assert f"kept: {tmp_path / 'out.1'}" in capsys.readouterr().out.splitlines()[0]
    assert files_in(tmp_path / "out.1") == renewed
    assert data_of(out)["pictures"][0]["top"][0][0] in ("no", "yes")
    other.output.bias.set_data(other.output.bias.data() + 1)  # as if it was trained on
    manifest = Manifest("tiny_glore_0_1", ("no", "yes"), TINY)
    with pytest.raises(InputError, match="a page of another network, or of other weights"):
        show(other, manifest, [pictures / "a.png"], out)
    assert show(other, manifest, [pictures / "a.png"], out, force=True)
    assert data_of(tmp_path / "out.2") and len(list(tmp_path.glob("out*"))) == 3


def test_a_page_is_kept_aside_from_inside_its_folder_too(pictures, tmp_path, monkeypatch):
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("mine")
    monkeypatch.chdir(site)
    assert command(pictures / "a.png", *TINY_MODEL, "--out", ".", "--force") == 0
    assert files_in(tmp_path / "site.1") == {"index.html": b"mine"}
    assert data_of(site)["model"] == "tiny_glore_0_1"


def test_a_page_that_is_none_of_ours_is_not_written_over(pictures, tmp_path, capsys):
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("<html>mine</html>")
    assert "index.html is a page of another network" in refused(
        capsys, pictures, *TINY_MODEL, "--out", site
    )
    assert files_in(site) == {"index.html": b"<html>mine</html>"}
    (tmp_path / "odd" / "index.html").mkdir(parents=True)
    assert "index.html" in refused(capsys, pictures, *TINY_MODEL, "--out", tmp_path / "odd")


def test_signs_are_blue_and_orange_or_the_papers_colors_everywhere(pictures, tmp_path):
    drawn = {}
    for name in COLORS:
        out = tmp_path / name
        assert command(pictures / "a.png", *TINY_MODEL, "--out", out, "--colors", name) == 0
        colors = data_of(out)["colors"]
        assert colors == {sign: list(color) for sign, color in COLORS[name]._asdict().items()}
        drawn[name] = {file.name: cv2.imread(str(file)) for file in out.glob("*.png")}
    for file in drawn["paper"]:
        blue, green, _ = np.moveaxis(drawn["paper"][file].astype(int), -1, 0)
        assert (green > blue + 60).sum() > (blue > green + 30).sum() == 0
        blue, green, _ = np.moveaxis(drawn["blue-orange"][file].astype(int), -1, 0)
        assert (blue > green + 30).any()


@pytest.mark.parametrize("inside", [False, True])
def test_a_graph_optimized_for_inference_is_shown_as_its_network(inside, pictures, tmp_path):
    """Also one that prepares pixels itself."""
    net = exported(tmp_path / "plain", plain=True)
    manifest = Manifest("tiny_glore_0_1", ("no", "yes"), TINY)
    export_model(net, tmp_path / "fast", manifest, preprocess=inside)
    block, described = import_model(tmp_path / "fast")
    assert described.deployment.takes_pictures == inside
    show(net, manifest, [pictures], tmp_path / "own")
    show(block, described, [pictures], tmp_path / "graph")
    own, graph = (data_of(tmp_path / name) for name in ("own", "graph"))
    for one, other in zip(own["pictures"], graph["pictures"]):
        assert dict(map(tuple, one["top"])) == pytest.approx(
            dict(map(tuple, other["top"])), abs=2e-4
        )
        [one], [other] = one["units"], other["units"]
        assert one["strength"] == pytest.approx(other["strength"], abs=1e-4)
        assert one["maps"]["scale"] == pytest.approx(other["maps"]["scale"], rel=1e-3)
    assert own["units"] == graph["units"]


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
