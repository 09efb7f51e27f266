import cv2
import numpy as np
import pytest

from gluon_glore.__main__ import main
from gluon_glore.data.image import Preprocess
from gluon_glore.model_zoo import catalogue, default
from gluon_glore.model_zoo.catalogue import add_to_catalogue, find_row, shipped
from gluon_glore.networks.paper import get_spec
from gluon_glore.weights.card import Card
from gluon_glore.weights.manifest import Manifest, read_manifest
from tests.helpers.without_mxnet import needs_mxnet

NAME = default.DEFAULTS[0]
CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
MEASURED = {"data": "cifar10/val", "top1": 0.1, "samples": 5}


@pytest.fixture(autouse=True)
def no_network_and_no_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GLORE_HOME", str(tmp_path / "root"))
    monkeypatch.setenv("GLORE_MIRROR", "http://127.0.0.1:9")  # not to be asked


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    """A package's entries with a network of photographs, untrained."""
    import mxnet as mx

    from gluon_glore import get_model
    from gluon_glore.model_zoo.entry import write_entry
    from gluon_glore.weights import named_arrays, plain_names
    from tests.helpers.networks import initialize

    zoo = tmp_path_factory.mktemp("entries")
    net = get_model(NAME)
    initialize(net)
    net(mx.nd.zeros((1, 3, 32, 32)))
    arrays = {k: v.asnumpy() for k, v in plain_names(named_arrays(net)).items()}
    card = Card("a test", origin="this project", licence="MIT", measured=MEASURED)
    pixels = Preprocess((32, 32), 32, (125.0, 123.0, 114.0), 0.016)
    manifest = Manifest(NAME, CLASSES, pixels, spec=get_spec(NAME), card=card)
    entry = write_entry(zoo / "made", manifest, arrays, dtype="float16")
    manifest = read_manifest(entry)
    digest = manifest.sha256[f"{NAME}-0000.params"]
    add_to_catalogue(zoo, NAME, entry.name, manifest, digest)
    return zoo


@pytest.fixture
def photographs(stand_in, monkeypatch):
    monkeypatch.setattr(catalogue, "SHIPPED", stand_in)
    return default.default_entry()[1]


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, (48, 64, 3)).astype("uint8")
    cv2.imwrite(str(tmp_path / "photo.png"), pixels)
    return tmp_path / "photo.png"


def test_the_default_is_the_first_that_the_package_has():
    folder, manifest = default.default_entry()
    there = [name for name in default.DEFAULTS if find_row(shipped(), name)]
    assert manifest.model == there[0]
    assert folder == find_row(shipped(), there[0]).packaged


def test_a_default_that_the_package_has_not_is_passed_over(monkeypatch):
    monkeypatch.setattr(default, "DEFAULTS", ("resnet50", "tiny_3d_glore_0_1", "tiny_glore_0_1"))
    assert default.default_entry()[1].model == "tiny_3d_glore_0_1"


@needs_mxnet
def test_a_line_says_all_that_the_network_can_tell(photographs):
    line = default.limits_of(photographs)
    assert line.startswith(f"{NAME}, which comes with the package and knows 10 classes alone (")
    assert ", ".join(CLASSES) in line and "top-1 10.00 % on 5 pictures of cifar10/val" in line


@needs_mxnet
def test_predict_takes_it_offline_and_says_so(photographs, picture, capsys):
    assert main(["predict", str(picture), "--top", "10"]) == 0
    out, err = capsys.readouterr()
    assert err == f"no network is named: {default.limits_of(photographs)}\n"
    assert all(name in out for name in CLASSES)
    # By its name it is the same, and nothing is said.
    assert main(["predict", str(picture), "--top", "10", "--model", NAME]) == 0
    assert capsys.readouterr() == (out, "")
    assert not (picture.parent / "root").exists()


@needs_mxnet
def test_predict_sees_the_frames_of_a_video_with_it(photographs, tmp_path, capsys):
    pytest.importorskip("av", reason="PyAV writes the video")
    from train.moving_digits import encode_video

    frames = np.random.RandomState(0).randint(0, 256, (6, 48, 64)).astype("uint8")
    (tmp_path / "film.mp4").write_bytes(encode_video(frames))
    assert main(["predict", str(tmp_path / "film.mp4"), "--every", "3", "--top", "1"]) == 0
    out, err = capsys.readouterr()
    assert err == f"no network is named: {default.limits_of(photographs)}\n"
    assert sum(any(name in line for name in CLASSES) for line in out.splitlines()) == 2


@needs_mxnet
def test_show_takes_it_offline_and_says_so(photographs, picture, tmp_path, capsys):
    assert main(["show", str(picture), "--out", str(tmp_path / "page")]) == 0
    assert capsys.readouterr().err == f"no network is named: {default.limits_of(photographs)}\n"
    assert list((tmp_path / "page").glob("*.html"))


@needs_mxnet
def test_serve_takes_it_offline_and_says_so(photographs, monkeypatch, capsys):
    pytest.importorskip("aiohttp", reason="the server is aiohttp's")
    from gluon_glore.serving import server

    served = {}
    monkeypatch.setattr(server, "serve", lambda predictors, *_: served.update(predictors))
    assert main(["serve"]) == 0
    assert list(served) == [NAME] and served[NAME].manifest.class_names == CLASSES
    assert capsys.readouterr().err == f"no network is named: {default.limits_of(photographs)}\n"


def test_weights_without_a_network_are_refused(picture, capsys):
    assert main(["predict", str(picture), "--weights", "3a9af620"]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("error: ") and "holds its own weights" in told
