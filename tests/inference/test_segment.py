import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.image import Preprocess
from gluon_glore.export.windows import starts
from gluon_glore.inference.segment import Segmenter, Views, load_segmenter
from gluon_glore.weights.deployment import Deployment
from gluon_glore.weights.manifest import Manifest

NAMES = ("a", "b", "c")
PIXELS = Preprocess(size=(8, 8), resize=0, mean=(10.0, 20.0, 30.0), scale=0.1)


def local(x):
    """Logits of each pixel by its color alone: windows can't change them."""
    r, g, b = np.moveaxis(x, 1, 0)
    return np.stack([r - g, np.sin(g) + b, r * b / 50], axis=1).astype(np.float32)


def blurred(x):
    """Logits of each pixel by its surroundings, so that windows' borders change them."""
    planes = [[cv2.blur(plane, (7, 7)) for plane in one] for one in local(x)]
    return np.array(planes, np.float32)


def segmenter(network=local, deployment=None, preprocess=PIXELS, names=NAMES):
    return Segmenter(network, Manifest("m", names, preprocess, deployment=deployment))


def picture(height=23, width=31, channels=3, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (height, width, channels)).astype("uint8")


def softmax(logits):
    e = np.exp(logits.astype(np.float64) - logits.max(axis=0))
    return e / e.sum(axis=0)


def prepared(x):
    return np.float32((np.moveaxis(x, 2, 0) - np.float32(PIXELS.mean)[:, None, None]) * 0.1)


def test_whole_pictures_give_the_networks_logits():
    x = picture()
    assert np.allclose(segmenter().logits(x), local(prepared(x)[None])[0], atol=1e-5)
    classes = segmenter().classes(x)
    assert (classes.dtype, classes.shape) == (np.uint8, (23, 31))
    assert (classes == local(prepared(x)[None])[0].argmax(axis=0)).mean() > 0.99


@pytest.mark.parametrize("window", [(23, 31), (24, 40), (99, 31), (10**6, 10**6)])
def test_a_window_that_covers_the_picture_is_the_picture(window):
    whole = segmenter(blurred).logits(picture())
    assert np.array_equal(segmenter(blurred).logits(picture(), Views(window=window)), whole)


@pytest.mark.parametrize("window", [(8, 8), (23, 8), (7, 31), (99, 9)])
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_windows_of_a_network_that_looks_at_pixels_alone_give_the_whole_pictures_logits(
    window, batch
):
    shapes = set()

    def network(x):
        shapes.add(x.shape[2:])
        assert len(x) <= batch
        return local(x)

    seen = segmenter(network).logits(picture(), Views(window=window, batch=batch))
    assert np.allclose(seen, segmenter().logits(picture()), atol=1e-5)
    assert shapes == {tuple(map(min, window, (23, 31)))}


def test_where_windows_overlap_logits_are_their_mean():
    x, window = picture(10, 14), (10, 8)
    seen = segmenter(blurred).logits(x, Views(window=window, overlap=0.25))
    left, right = (segmenter(blurred).logits(x[:, s]) for s in (slice(0, 8), slice(6, 14)))
    assert np.array_equal(seen[:, :, :6], left[:, :, :6])
    assert np.array_equal(seen[:, :, 8:], right[:, :, 2:])
    assert np.allclose(seen[:, :, 6:8], (left[:, :, 6:] + right[:, :, :2]) / 2, atol=1e-6)


@pytest.mark.parametrize("overlap", [0, 1 / 3, 0.5, 0.9])
@pytest.mark.parametrize("length", [1, 7, 8, 9, 100, 2048])
@pytest.mark.parametrize("window", [1, 8, 768])
def test_windows_are_evenly_spread_overlap_enough_and_end_flush(length, window, overlap):
    begins = starts(length, window, overlap)
    assert begins[0] == 0
    if window >= length:
        assert begins == [0]
        return
    assert begins[-1] + window == length
    steps = np.diff(begins)
    assert steps.min() >= 1 and steps.max() - steps.min() <= 1
    assert steps.max() <= max(1, window * (1 - overlap) + 0.5)
    # No window more than that takes.
    assert len(begins) - 2 < (length - window) / max(1, round(window * (1 - overlap)))


def test_cityscapes_pictures_take_two_by_four_windows_of_768_pixels():
    assert starts(1024, 768, 1 / 3) == [0, 256]
    assert starts(2048, 768, 1 / 3) == [0, 427, 853, 1280]


def test_probabilities_are_the_mean_of_scales_and_mirror_by_hand():
    x, views = picture(12, 20), Views(scales=(0.5, 1, 2), flip=True)
    expected = np.zeros((3, 12, 20))
    for scale in views.scales:
        size = (round(20 * scale), round(12 * scale))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        seen = cv2.resize(x, size, interpolation=how) if scale != 1 else x
        for mirror in (False, True):
            logits = blurred(prepared(seen[:, ::-1] if mirror else seen)[None])[0]
            p = softmax(logits)[:, :, :: -1 if mirror else 1]
            expected += [cv2.resize(plane, (20, 12)) for plane in p]
    found = segmenter(blurred).probabilities(x, views)
    assert found.dtype == np.float32
    assert np.allclose(found, expected / 6, atol=1e-5)
    assert np.allclose(found.sum(axis=0), 1, atol=1e-5)
    assert np.array_equal(segmenter(blurred).classes(x, views), found.argmax(axis=0))


def test_with_flip_a_mirrored_picture_has_the_mirrored_probabilities():
    def network(x):
        ramp = np.arange(x.shape[3], dtype=np.float32) / 9
        logits = local(x)
        logits[:, 0] += ramp
        return logits

    x = picture(9, 16)
    for views, same in ((Views(flip=True), True), (Views(), False)):
        straight = segmenter(network).probabilities(x, views)
        mirrored = segmenter(network).probabilities(x[:, ::-1], views)
        assert np.allclose(straight, mirrored[:, :, ::-1], atol=1e-6) == same


def test_classes_of_one_view_are_those_of_the_probabilities():
    x = picture(40, 40)
    one = segmenter(blurred)
    views = Views(window=(16, 16))
    assert np.array_equal(one.classes(x, views), one.probabilities(x, views).argmax(axis=0))


def test_logits_too_large_for_exp_give_probabilities():
    def network(x):
        return np.stack([x[:, 0] * 0 + value for value in (-2000, 1000, 1000)], axis=1)

    p = segmenter(network).probabilities(picture())
    assert np.allclose(p, np.float32([0, 0.5, 0.5])[:, None, None])


def test_a_network_exported_for_one_size_sees_windows_of_it_and_the_mean_color_beyond():
    def network(x):
        assert x.shape[1:] == (3, 16, 16)
        return local(x)

    fixed = segmenter(network, Deployment((None, 3, 16, 16)))
    for size in ((23, 31), (5, 31), (40, 7), (3, 3)):
        x = picture(*size)
        assert np.allclose(fixed.logits(x), segmenter().logits(x), atol=1e-5)
    assert np.array_equal(fixed.logits(picture(), Views(window=(16, 16))), fixed.logits(picture()))
    with pytest.raises(InputError, match="window of 8x8, m was exported for 16x16"):
        fixed.logits(picture(), Views(window=(8, 8)))

    def beyond(x):
        assert (x[:, :, 5:] == 0).all() and (x[:, :, :5] != 0).any()
        return local(x)

    segmenter(beyond, Deployment((None, 3, 16, 16))).logits(picture(5, 16))


def test_a_network_that_normalizes_itself_gets_pixels():
    def network(x):
        assert (x.dtype, x.shape[3]) == (np.uint8, 3)
        return local(np.stack([prepared(one) for one in x]))

    for shape in ((None, None, None, 3), (None, 16, 16, 3)):
        own = segmenter(network, Deployment(shape, "NHWC", "uint8"))
        assert np.allclose(own.logits(picture()), segmenter().logits(picture()), atol=1e-5)


def test_a_window_is_padded_with_the_mean_of_the_pixels_it_is_told():
    seen = []

    def network(x):
        seen.append(x)
        return local(x)

    preprocess = Preprocess((16, 16), 0, (-20.0, 100.4, 300.0), (0.5, 0.25, 2.0))
    fixed = Deployment((None, 3, 16, 16), "NCHW", "float32")
    x = picture()[:8, :8]
    segmenter(network, fixed, preprocess).logits(x)
    assert np.allclose(seen[0][0][:, :8, :8], preprocess.normalize(np.ascontiguousarray(x)))
    # 0 and 255 are the nearest there are to a mean that no pixel has.
    assert np.allclose(seen[0][0][:, 8:, 8:].mean((1, 2)), (20 * 0.5, -0.4 * 0.25, -45 * 2))


def test_grey_pictures_have_one_channel():
    def network(x):
        assert x.shape[1] == 1
        return np.concatenate([x, -x, 0 * x], axis=1)

    grey = segmenter(network, preprocess=Preprocess((8, 8), 0, (100.0,), 1.0))
    x = picture(10, 12, 1)
    views = Views(scales=(1, 2), flip=True, window=(8, 8))
    assert grey.classes(x, views).shape == (10, 12)
    assert np.array_equal(grey.classes(x) == 0, x[..., 0] >= 100)


def test_the_largest_classes_come_with_their_share_of_the_picture():
    classes = np.uint8([[0, 2, 2, 2], [0, 2, 2, 2]])
    assert segmenter().largest(classes) == [("c", 0.75), ("a", 0.25)]
    assert segmenter().largest(classes, top=1) == [("c", 0.75)]


def test_outputs_that_are_not_finite_or_not_of_the_pixels_are_refused():
    for bad in (np.nan, np.inf, -np.inf):

        def network(x, bad=bad):
            logits = local(x)
            logits[:, 1, 2, 3] = bad
            return logits

        for views in (Views(), Views(flip=True), Views(window=(8, 8))):
            with pytest.raises(InputError, match="outputs are not finite"):
                segmenter(network).classes(picture(), views)
    for network in (lambda x: local(x)[:, :2], lambda x: local(x)[..., ::2, ::2]):
        with pytest.raises(InputError, match="m gives outputs .* are expected"):
            segmenter(network).classes(picture())


def test_pictures_of_another_depth_or_too_small_are_refused():
    for bad in (picture(channels=1), picture()[..., 0], picture(0, 5)):
        for method in ("logits", "probabilities", "classes"):
            with pytest.raises(InputError, match=r"expected a picture \(height, width, 3\)"):
                getattr(segmenter(), method)(bad)
    known = Segmenter(local, Manifest("resnet50", NAMES, PIXELS))
    for views in (Views(), Views(scales=(0.1,)), Views(window=(8, 40))):
        x = picture(20, 99) if views == Views() else picture(99, 99)
        with pytest.raises(InputError, match="is too small for the strides of resnet50"):
            known.classes(x, views)


def test_more_classes_than_a_byte_tells_apart_are_refused():
    with pytest.raises(InputError, match="m tells more than 255 classes apart"):
        segmenter(names=tuple(map(str, range(256)))).classes(picture())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scales": ()}, r"scales \(\): one or more above 0"),
        ({"scales": (1, 0)}, "scales"),
        ({"scales": (float("nan"),)}, "scales"),
        ({"scales": (17,)}, "at most 16"),
        ({"window": (0, 8)}, r"window \(0, 8\): height and width"),
        ({"window": (8,)}, "window"),
        ({"overlap": 1}, "overlap 1: from 0 to below 1"),
        ({"overlap": -0.1}, "overlap"),
        ({"batch": 0}, "batch 0: at least 1 window"),
    ],
)
def test_views_without_sense_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        Views(**fields)


def test_a_network_that_classifies_is_no_segmenter():
    with pytest.raises(InputError, match="tiny_glore_0_1 classifies pictures"):
        load_segmenter("tiny_glore_0_1")
