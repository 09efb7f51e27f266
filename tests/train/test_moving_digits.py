import os

import numpy as np
import pytest

from gluon_glore.utils.errors import InputError
from tests.helpers.places import ROOT
from train.digit_pairs import load_digits
from train.moving_digits import (
    CANVAS,
    CLASS_NAMES,
    DIGIT,
    FRAMES,
    RATE,
    SPEEDS,
    draw_videos,
    write_moving_digits,
)

av = pytest.importorskip("av")

COUNT = 800
NOISE = 3.5 / (COUNT / 2) ** 0.5  # of a mean of unit vectors, one a video of a class


@pytest.fixture(scope="module")
def tracks():
    """Where drawn digits are, read back from the frames: flat squares in place of digits.

    `positions` `(videos, 2, FRAMES)` are phases, 2 pi the canvas; `upright` are left and right.
    """
    flat = np.full((1, 8, 8), 255, np.uint8)
    videos, labels = zip(*draw_videos(flat, COUNT, seed=0))
    videos = np.stack(videos)
    upright = (videos[:, :, :, DIGIT : CANVAS - DIGIT] == 0).all(axis=(1, 2, 3))
    videos[~upright] = videos[~upright].transpose(0, 1, 3, 2)
    assert (videos[:, :, :, DIGIT : CANVAS - DIGIT] == 0).all()  # far apart, all the time
    strips = np.stack([videos[..., 0], videos[..., -1]], axis=1) / 255.0
    assert (strips.sum(axis=-1) == DIGIT).all()  # whole, all the time
    circle = np.exp(2j * np.pi * np.arange(CANVAS) / CANVAS)
    return np.unwrap(np.angle(strips @ circle)), np.array(labels), upright


def velocities(positions):
    """Pixels a frame, `(videos, 2)`."""
    return (positions[..., -1] - positions[..., 0]) * CANVAS / (2 * np.pi) / (FRAMES - 1)


def test_the_label_says_whether_the_digits_move_the_same_way(tracks):
    positions, labels, _ = tracks
    ways = np.sign(velocities(positions))
    assert (labels == (ways[:, 0] == ways[:, 1])).all()
    assert sum(labels) == COUNT / 2


def test_each_digit_moves_steadily_one_way(tracks):
    positions, _, _ = tracks
    steps = np.diff(positions) * CANVAS / (2 * np.pi)
    speeds = np.abs(velocities(positions))
    assert (np.abs(steps - velocities(positions)[..., None]) < 1.01).all()  # whole pixels
    assert (speeds > SPEEDS[0] - 0.1).all() and (speeds < SPEEDS[1] + 0.1).all()


def test_what_one_digit_does_says_nothing_of_the_label(tracks):
    positions, labels, upright = tracks
    velocity = velocities(positions)
    for label in (0, 1):
        of_class = labels == label
        assert abs(upright[of_class].mean() - 0.5) < NOISE
        for digit in (0, 1):
            v = velocity[of_class, digit]
            assert abs(np.sign(v).mean()) < NOISE
            assert abs(np.abs(v).mean() - np.mean(SPEEDS)) < 0.05
            for way in (-1, 1):
                phases = positions[of_class, digit][np.sign(v) == way]
                assert (np.abs(np.exp(1j * phases).mean(axis=0)) < 2**0.5 * NOISE).all()


def test_one_frame_says_nothing_of_the_label(tracks):
    positions, labels, _ = tracks
    apart = np.exp(1j * (positions[:, 0] - positions[:, 1]))
    for label in (0, 1):
        assert (np.abs(apart[labels == label].mean(axis=0)) < NOISE).all()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("moving") / "set"
    write_moving_digits(directory, train=6, test=4)
    return directory


def decode(path):
    with av.open(str(path)) as file:
        assert file.streams.video[0].average_rate == RATE
        return np.stack([f.to_ndarray(format="gray") for f in file.decode(video=0)])


def test_the_files_are_videos_of_the_digits_of_their_part(written):
    for part, digits, count, offset in zip(("train", "val"), load_digits(), (6, 4), (2, 1)):
        drawn = list(draw_videos(digits[0], count, [0, offset]))
        files = sorted((written / part).glob("*/*.mp4"), key=lambda path: path.name)
        assert [CLASS_NAMES.index(file.parent.name) for file in files] == [y for _, y in drawn]
        for file, (frames, _) in zip(files, drawn):
            decoded = decode(file)
            assert decoded.shape == (FRAMES, CANVAS, CANVAS)
            assert np.abs(decoded - frames.astype(float)).mean() < 5


def test_the_set_is_the_same_every_time_and_another_with_another_seed(written, tmp_path):
    write_moving_digits(tmp_path / "again", train=6, test=4)
    write_moving_digits(tmp_path / "other", train=6, test=4, seed=1)
    files = [path.relative_to(written) for path in written.rglob("*.mp4")]
    assert len(files) == 10
    for file in files:
        assert (tmp_path / "again" / file).read_bytes() == (written / file).read_bytes()
        assert (tmp_path / "other" / file).read_bytes() != (written / file).read_bytes()


def test_what_is_there_is_not_overwritten(written):
    with pytest.raises(InputError, match="there are files in it; give a new directory"):
        write_moving_digits(written, train=2, test=2)


def test_a_full_disk_leaves_nothing(mount):
    full = mount("size=64k")
    with pytest.raises(InputError, match="No space left"):
        write_moving_digits(full / "set", train=40, test=40)
    assert os.listdir(full) == []


def test_the_config_normalises_as_the_videos_are():
    import yaml

    data = yaml.safe_load((ROOT / "configs/moving_digits.yaml").read_text())["data"]
    pixels = np.stack([frames for frames, _ in draw_videos(load_digits()[0][0], 60, [0, 2])])
    assert abs(pixels.mean() - data["mean"][0]) < 2
    assert abs(pixels.std() * data["scale"] - 1) < 0.1


@pytest.mark.parametrize(
    ("name", "relates"),
    [("tiny_3d", False), ("tiny_3d_nl_0_1", True), ("tiny_3d_glore_0_1", True)],
)
def test_plain_each_digit_has_its_own_say_and_only_a_unit_relates_them(name, relates):
    """No exclusive or: plain, the logits of two digits are each one's alone, added up."""
    import mxnet as mx

    from gluon_glore import get_model

    mx.random.seed(0)
    net = get_model(name)
    net.initialize(mx.init.Xavier())
    for parameter in net.collect_params(".*gamma").values():
        parameter.set_data(mx.nd.ones(parameter.shape))
    frames, _ = next(draw_videos(load_digits()[0][0], 1, seed=1))
    first, second = frames[:8] / 255.0, frames[:8] / 255.0
    if not frames[:, :, DIGIT : CANVAS - DIGIT].any():
        first[..., CANVAS // 2 :], second[..., : CANVAS // 2] = 0, 0
    else:
        first[:, CANVAS // 2 :], second[:, : CANVAS // 2] = 0, 0
    clips = np.stack([first + second, first, second, np.zeros_like(first)])[:, None]
    both, one, other, none = net(mx.nd.array(10 * clips)).asnumpy()
    parts = np.abs([one - none, other - none]).max()
    together = np.abs((both - none) - (one - none) - (other - none)).max()
    assert (together > 0.01 * parts) if relates else (together < 1e-4 * parts)
