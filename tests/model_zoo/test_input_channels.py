import mxnet as mx
import numpy as np
import pytest

from gluon_glore import (
    InputError,
    NetSpec,
    Network,
    Stage,
    Stem,
    get_model,
    load_network,
    save_weights,
)
from gluon_glore.data.image import Preprocess
from gluon_glore.model_zoo.input_channels import adapt_preprocess, adapt_stem
from gluon_glore.networks.registry import unregistered
from gluon_glore.weights.manifest import Manifest, write_manifest
from tests.helpers.networks import initialize, relative_error

NAME, STEM = "cifar_resnet14", "conv1__conv_weight"
RGB = Preprocess((32, 32), 0, (120.0, 110.0, 100.0), (0.01, 0.02, 0.03))
GREY = Preprocess((32, 32), 0, (99.0,), 0.0125)
PIXELS = np.random.RandomState(0).normal(size=(4, 1, 32, 32)).astype("float32")


@pytest.fixture
def weights(tmp_path):
    """A network of RGB pictures and its parameter file."""
    net = get_model(NAME, classes=10)
    initialize(net)
    save_weights(net, tmp_path / "weights.params")
    return net, tmp_path / "weights.params"


def logits(net, pixels):
    return net(mx.nd.array(pixels)).asnumpy()


def test_a_grey_picture_gives_what_it_gave_as_rgb(weights):
    net, file = weights
    expected = logits(net, np.repeat(PIXELS, 3, axis=1))
    grey = get_model(NAME, pretrained=file, in_channels=1)
    assert grey.spec.in_channels == 1
    assert relative_error(logits(grey, PIXELS), expected) < 1e-5


def test_weights_of_grey_pictures_take_rgb():
    pixels = np.random.RandomState(1).normal(size=(2, 1, 64, 64))
    net = get_model("tiny_glore_0_1", pretrained=True)
    expected = logits(net, pixels)
    rgb = get_model("tiny_glore_0_1", pretrained=True, in_channels=3)
    assert relative_error(logits(rgb, pixels.repeat(3, axis=1)), expected) < 1e-5
    assert rgb.preprocess.mean == net.preprocess.mean * 3
    assert rgb.preprocess.scale == net.preprocess.scale


@pytest.mark.parametrize("channels", [2, 4, 7])
def test_other_bands_have_the_kernels_in_turn(weights, channels):
    net, file = weights
    kernels = net.collect_params()[STEM].data().asnumpy()
    adapted = get_model(NAME, pretrained=file, in_channels=channels).collect_params()[STEM]
    for band, kernel in enumerate(np.moveaxis(adapted.data().asnumpy(), 1, 0)):
        assert np.allclose(kernel, kernels[:, band % 3] * 3 / channels, rtol=1e-6)


def test_only_the_stem_is_adapted_and_only_where_it_is_asked_for(weights):
    net, file = weights
    adapted = get_model(NAME, pretrained=file, in_channels=4)
    for name, param in adapted.collect_params().items():
        if name != STEM:
            assert np.array_equal(
                param.data().asnumpy(), net.collect_params()[name].data().asnumpy()
            )
    save_weights(adapted, file)
    with pytest.raises(InputError, match=rf"{STEM} is \(32, 3, 3, 3\) in the network, \(32, 4"):
        get_model(NAME, pretrained=file)
    again = get_model(NAME, pretrained=file, in_channels=4, features=("res3",))
    assert again.collect_params()[STEM].shape == (32, 4, 3, 3)


@pytest.mark.parametrize("channels", [2, 4])
def test_weights_whose_channels_mean_something_else_are_refused(weights, channels):
    _, file = weights
    save_weights(get_model(NAME, pretrained=file, in_channels=channels), file)
    message = f"weights of {channels} channels, of 1 or 3 they are adapted to in_channels=3"
    with pytest.raises(InputError, match=message):
        get_model(NAME, pretrained=file, in_channels=3)


def test_a_norm_of_the_pixels_is_not_adapted():
    stem = Stem(channels=4, norm_input=True)
    net = Network(NetSpec((Stage(1, 8),), stem, bottleneck=False, in_channels=1), 2)
    with pytest.raises(InputError, match="^FILE: a BatchNorm of its 3 channels stands before"):
        adapt_stem({STEM: np.zeros((4, 3, 7, 7))}, net.spec, "FILE")


@pytest.mark.parametrize("channels", [0, -1, 2000, 1.5, "1", True])
def test_numbers_of_channels_that_cannot_be_are_refused(channels):
    with pytest.raises(InputError, match="^in_channels: a whole number from 1 to 1024, given"):
        get_model(NAME, in_channels=channels)


def test_pixels_are_adapted_where_it_is_known_how():
    grey = adapt_preprocess(RGB, 1)
    assert grey.mean == (110.0,) and grey.scale == pytest.approx((0.02,))
    assert (grey.size, grey.resize) == (RGB.size, RGB.resize)
    assert adapt_preprocess(GREY, 5) == Preprocess((32, 32), 0, (99.0,) * 5, 0.0125)
    assert adapt_preprocess(RGB, 3) is RGB
    assert adapt_preprocess(RGB, 4) is None


def test_pixels_are_the_weights_or_those_of_the_network(weights):
    _, file = weights

    def told(**options):
        return get_model(NAME, pretrained=file, **options).preprocess

    assert told(in_channels=1) is None
    assert told(in_channels=1, preprocess=RGB) == adapt_preprocess(RGB, 1)
    assert told(in_channels=1, preprocess=GREY) == GREY
    assert told(in_channels=4, preprocess=RGB) is None
    with pytest.raises(InputError, match="a mean for 1 channels, the network takes 3"):
        told(preprocess=GREY)
    with pytest.raises(InputError, match="a mean for 3 channels, the network takes 1"):
        get_model(NAME, in_channels=1, preprocess=RGB)
    assert get_model(NAME, in_channels=1, preprocess=GREY).preprocess == GREY


def test_what_is_trained_so_loads_again_as_it_is(tmp_path):
    """A checkpoint says the channels of its network, which is not the one registered."""
    net = get_model(NAME, classes=2, in_channels=1)
    initialize(net)
    save_weights(net, tmp_path / "weights.params")
    manifest = Manifest(NAME, ("no", "yes"), GREY, spec=unregistered(net.spec, NAME))
    write_manifest(tmp_path, manifest, ["weights.params"])
    expected = logits(net, PIXELS)
    again, said = load_network(tmp_path)
    assert again.spec.in_channels == said.spec.in_channels == 1
    assert again.preprocess == GREY
    assert np.array_equal(logits(again, PIXELS), expected)
    by_name = get_model(NAME, pretrained=tmp_path)
    assert np.array_equal(logits(by_name, PIXELS), expected)
    rgb = get_model(NAME, pretrained=tmp_path, in_channels=3)
    assert rgb.preprocess == adapt_preprocess(GREY, 3)
    assert relative_error(logits(rgb, np.repeat(PIXELS, 3, axis=1)), expected) < 1e-5
