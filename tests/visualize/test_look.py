import cv2
import mxnet as mx
import numpy as np
import pytest
from pytest import approx

from benchmarks.networks import settle
from gluon_glore import InputError, get_model, load_network, look
from gluon_glore.data.image import Preprocess, write_png
from gluon_glore.visualize.look import crop_to
from tests.helpers.exports import TINY
from tests.helpers.networks import relative_error
from tests.helpers.places import ROOT
from train.digit_pairs import draw_pictures, load_digits

UNIT = "conv4_B01_extra"


@pytest.fixture(scope="module")
def net():
    return get_model("tiny_glore_0_1", pretrained=True)


@pytest.fixture(scope="module")
def pictures():
    """Ten pictures of two digits, uint8 `(64, 64, 1)`."""
    return [picture[:, :, None] for picture, _ in draw_pictures(load_digits()[1], 10, [0, 1])]


def test_pictures_arrays_and_prepared_numbers_are_seen_alike(net, pictures, tmp_path):
    [view] = look(net, pictures).values()
    assert view.maps.shape == (10, 64, 8, 8) and view.strength.shape == (10, 64)
    assert view.adjacency.shape == (1, 64, 64) and np.array_equal(view.pictures, pictures)
    for i, picture in enumerate(pictures):
        write_png(tmp_path / f"{i}.png", picture[:, :, 0])
    batch = mx.nd.array(np.stack([TINY.normalize(picture) for picture in pictures]))
    for given in (tmp_path, str(tmp_path), sorted(tmp_path.iterdir()), np.stack(pictures), batch):
        same = look(net, given)[UNIT]
        for part in ("maps", "features", "states", "strength"):
            assert relative_error(getattr(same, part), getattr(view, part)) < 1e-5
    assert same.pictures is None  # of what was prepared already
    for one in (pictures[3], tmp_path / "3.png", [pictures[3]]):
        seen = look(net, one)[UNIT]
        assert relative_error(seen.maps, view.maps[3:4]) < 1e-5 and len(seen.pictures) == 1


def test_the_units_come_by_name_and_the_preprocess_as_it_is_given(net, pictures):
    assert list(look(net, pictures[:1])) == [UNIT]
    halved = look(net, pictures, preprocess=TINY.resized((32, 32)))[UNIT]
    assert halved.maps.shape == (10, 64, 4, 4) and halved.pictures.shape == (10, 32, 32, 1)
    larger = look(net, pictures, size=(128, 96))[UNIT]
    assert larger.maps.shape == (10, 64, 16, 12) and larger.pictures.shape == (10, 128, 96, 1)


def test_a_network_that_labels_pixels_sees_all_of_a_picture():
    net = get_model("fcn_small_glore_1_cityscapes")
    net.initialize()
    settle(net, mx.nd.random.normal(shape=(2, 3, 64, 64)))
    picture = np.zeros((128, 192, 3), np.uint8)
    picture[:, :20] = 255
    [view] = look(net, picture, preprocess=Preprocess(size=(64, 96), resize=0)).values()
    assert view.pictures.shape == (1, 64, 96, 3) and view.pictures[0, :, :9].min() > 200


def test_what_is_no_picture_is_refused_in_one_line(net, pictures, tmp_path):
    (tmp_path / "clip.mjpeg").write_bytes(b"")
    (tmp_path / "bad.png").write_text("no picture")
    batch = mx.nd.zeros((1, 1, 64, 64))
    unprepared = get_model("tiny_glore_0_1", pretrained=True)
    unprepared.preprocess = None
    for given, options, message in (
        (pictures[0][:, :, 0], {}, r"a picture \(height, width, 1\), given \(64, 64\)"),
        ([pictures[0], pictures[0] / 255], {}, r"a uint8 array \(H, W, C\), given float64"),
        ([], {}, "no picture is given"),
        (batch[:0], {}, "no picture is given"),
        (pictures, {"preprocess": "torchvision"}, "is a Preprocess, given 'torchvision'"),
        ([None], {}, "a picture is a file or a uint8 array"),
        (np.zeros((64, 64, 3), np.uint8), {}, r"picture 0: expected a picture \(height"),
        (pictures[0][:9], {}, "picture 0: picture of 9x64 pixels, the network takes 64x64"),
        (tmp_path / "bad.png", {}, "bad.png: not a readable picture"),
        (tmp_path / "none.png", {}, "none.png: No such file"),
        (tmp_path / "clip.mjpeg", {}, "no videos and no streams"),
        (batch, {"preprocess": TINY}, "the network's input as it is: no preprocess, no size"),
        (batch, {"size": (32, 32)}, "the network's input as it is: no preprocess, no size"),
    ):
        with pytest.raises(InputError, match=message) as refused:
            look(net, given, **options)
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match=r"given None: say preprocess=Preprocess\(\.\.\.\), or"):
        look(unprepared, pictures)
    assert look(unprepared, pictures, preprocess=TINY)[UNIT].nodes == 64


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


def test_what_the_page_tells_of_the_network_that_comes_with_the_package_is_so():
    """docs/show.md, "What is to be seen": the first 200 test pairs of the README's data set."""
    text = " ".join((ROOT / "docs/show.md").read_text().split())
    pairs = np.stack([picture for picture, _ in draw_pictures(load_digits()[1], 200, [0, 1])])
    net, _ = load_network("tiny_glore_0_1")
    view = look(net, pairs[..., None])[UNIT]
    near = np.ones((9, 9), np.uint8)  # 4 pixels around the ink
    ratios = []
    for picture, strength, maps in zip(pairs, view.strength, view.maps):
        energy = np.einsum("n,nhw->hw", strength, np.square(normed(maps)))
        energy = cv2.resize(energy, picture.shape[::-1], interpolation=cv2.INTER_LINEAR)
        digits = cv2.dilate((picture > 0).astype(np.uint8), near) > 0
        ratios.append(energy[digits].mean() / energy[~digits].mean())
    shares = np.sort(view.strength)[:, -8:].sum(axis=1)
    first = view.strength.argmax(axis=1).tolist()
    print(np.median(ratios), np.mean(shares), first.count(54))
    assert "4.4 times as much energy a pixel" in text and np.median(ratios) == approx(4.4, abs=0.1)
    assert "8 of 64 nodes give back half" in text and np.mean(shares) == approx(0.5, abs=0.03)
    assert "node 54, is the strongest in 81 of" in text and first.count(54) == approx(81, abs=3)


def normed(maps):
    """Maps of energy one each."""
    return maps / np.sqrt(np.square(maps).sum((1, 2), keepdims=True))
