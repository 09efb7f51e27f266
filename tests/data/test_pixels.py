import subprocess
import sys

import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.image import Preprocess
from gluon_glore.data.pixels import HOW, SETS, Pixels
from tests.helpers.places import ROOT

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PICTURE = np.random.RandomState(0).randint(0, 256, (8, 8, 3)).astype("uint8")


def refusal(**options):
    """The one line that refuses these options, given or fitted to RGB pictures of 8x8."""
    with pytest.raises(InputError) as caught:
        Pixels(**options).fitted(3, (8, 8))
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_torchvisions_set_gives_what_totensor_and_normalize_give():
    made = Pixels("torchvision", resize=0).fitted(3, (8, 8))
    expected = (PICTURE / 255 - IMAGENET_MEAN) / IMAGENET_STD
    assert np.abs(made(PICTURE) - expected.transpose(2, 0, 1)).max() < 1e-5
    std = Pixels(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375), resize=0)
    assert std.fitted(3, (8, 8)) == made


def test_the_papers_set_is_the_default_of_preprocess():
    assert Pixels("paper").fitted(3, (224, 224)) == Preprocess()
    assert Pixels("paper", crop=(320, 320)).fitted(3, (224, 224)) == Preprocess.for_size((320, 320))
    assert Pixels("paper", resize=0).fitted(3, (64, 64)).resize == 0
    assert Pixels("torchvision").fitted(3, (224, 224)).resize == 256


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sets_and_numbers_of_all_channels_take_any_depth(channels):
    picture = np.random.RandomState(1).randint(0, 256, (8, 8, channels)).astype("uint8")
    made = Pixels("0-1", resize=0).fitted(channels, (8, 8))
    assert np.abs(made(picture) - picture.transpose(2, 0, 1) / 255).max() < 1e-6
    raw = Pixels("0-255", resize=0).fitted(channels, (8, 8))
    assert np.array_equal(raw(picture), picture.transpose(2, 0, 1).astype("float32"))
    one = Pixels(mean=(22.0,), scale=(0.0167,), resize=0).fitted(channels, (8, 8))
    assert (one.mean, one.scale) == ((22.0,) * channels, 0.0167)  # one number stays one


def test_a_network_of_whole_pictures_neither_resizes_nor_crops():
    assert Pixels("0-1").fitted(3, (64, 96), whole=True) == Preprocess(
        (64, 96), 0, (0.0,) * 3, 1 / 255
    )
    for options in ({"resize": 64}, {"crop": (64, 64)}):
        with pytest.raises(InputError, match="leave --resize and --crop out"):
            Pixels("paper", **options).fitted(3, (64, 96), whole=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resize": 8}, f"--mean and --std or --scale missing beside --resize 8: {HOW}"),
        ({"mean": (0.0,)}, "--std or --scale missing beside --mean 0: "),
        ({"std": (58.0,), "crop": (8, 9)}, "--mean missing beside --std 58 --crop 8x9: "),
        ({"mean": (0.0,), "std": (255.0,), "scale": (0.1,)}, "--std and --scale say the same"),
        ({"name": "paper", "mean": (0.0,)}, "--pixels paper says mean and scale: leave --mean out"),
        ({"name": "tf"}, "--pixels tf: unknown, known: paper, torchvision, 0-1, 0-255"),
        ({"mean": (0.0,), "std": (0.0,)}, "--std 0: must be above 0"),
        ({"mean": (0.0,), "scale": (-1.0,)}, "--scale -1: must be above 0"),
        ({"mean": (0.0,), "std": (255.0,)}, "--resize is missing beside --mean 0 --std 255: "),
        ({"name": "0-1"}, "--resize is missing beside --pixels 0-1: "),
        ({"name": "paper", "resize": 7}, "--resize 7: 0, or at least the crop's 8 pixels"),
        ({"mean": (0.0,) * 2, "std": (255.0,)}, "--mean: numbers of 2 channels, the network"),
        ({"mean": (0.0,), "std": (255.0,) * 4}, "--std: numbers of 4 channels, the network"),
    ],
)  # fmt: skip
def test_what_is_missing_or_does_not_fit_is_named(options, message):
    assert refusal(**options).startswith(message)


def test_the_named_sets_of_rgb_do_not_fit_a_grey_network():
    with pytest.raises(
        InputError, match="--pixels torchvision: numbers of 3 channels, the network"
    ):
        Pixels("torchvision").fitted(1, (8, 8))


@pytest.mark.parametrize(
    ("options", "right"),
    [
        ({"mean": IMAGENET_MEAN, "std": IMAGENET_STD}, "* 255, 123.675 116.28 103.53"),
        ({"mean": (0.0,), "std": IMAGENET_STD}, "* 255, 58.395 57.12 57.375"),
        ({"mean": (0.0,), "std": (1.0,)}, "* 255, 255 (--pixels 0-255 changes no pixel)"),
        ({"mean": (0.0,), "scale": (4.25,)}, "/ 255, 0.0166667"),
    ],
)
def test_numbers_of_pixels_0_to_1_are_refused_with_the_right_ones(options, right):
    message = refusal(**options, resize=0)
    assert "seems to be of pixels 0 to 1" in message and right in message


def test_the_missing_pixels_message_gives_the_sets_as_they_are():
    for name in ("paper", "torchvision"):
        mean, scale, _ = SETS[name]
        assert f"mean {' '.join(f'{m:g}' for m in mean)}" in HOW
        words = [f"{s:g}" for s in scale] if name == "paper" else [f"{1 / s:g}" for s in scale]
        assert f"{'scale' if name == 'paper' else 'std'} {' '.join(words)}" in HOW


def test_the_sets_are_named_without_opencv():
    code = (
        "import sys\nfrom gluon_glore.data.pixels import Pixels\nPixels('paper')\n"
        "print({'cv2', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
