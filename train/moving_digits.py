"""The embedded video data set: do two distant digits move the same way?

Two of scikit-learn's scanned digits move along opposite borders of a 64x64 canvas, each steadily
one way; the label says whether both go the same way or opposite ways. Each way is as likely in
either class, so one digit alone, or one frame alone, tells nothing: the label is the exclusive or
of two directions, and only a network that relates the two regions can learn it. Digits that leave
at one end come back at the other, so that a digit's place tells nothing about its direction. The
digits are split before videos are drawn: none of a test video was ever seen in training.
"""

import io
import sys
from pathlib import Path

import cv2
import numpy as np

from gluon_glore.utils.ahead import ordered_map
from gluon_glore.utils.arguments import ArgumentParser, not_negative, positive_int
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.cpu import cores
from gluon_glore.utils.errors import InputError
from gluon_glore.utils.extras import require
from gluon_glore.utils.files import is_taken, new_folder

from .digit_pairs import load_digits

CANVAS = 64  # pixels
DIGIT = 16
FRAMES = 24
RATE = 25  # frames a second
SPEEDS = (0.75, 1.5)  # pixels a frame, each digit its own
CLASS_NAMES = ("opposite", "same")
KEY_FRAMES = 12  # frames from one key frame to the next
QUALITY = 18  # x264's constant rate factor; 0 is lossless


def draw_video(digits, ways, rng):
    """Two digits, uint8 `(8, 8)`, moving along opposite borders: uint8 `(FRAMES, 64, 64)`.

    `ways` are +1 or -1 each: down or up along the left and the right border, or, as often, right
    or left along the top and the bottom.
    """
    frames = np.zeros((FRAMES, CANVAS, CANVAS), np.uint8)
    side_by_side = rng.random() < 0.5
    for digit, way, border in zip(digits, ways, (slice(0, DIGIT), slice(CANVAS - DIGIT, CANVAS))):
        upright = digit if side_by_side else digit.T
        strip = np.zeros((CANVAS, DIGIT), np.uint8)
        strip[:DIGIT] = cv2.resize(upright, (DIGIT, DIGIT), interpolation=cv2.INTER_CUBIC)
        start, speed = rng.uniform(0, CANVAS), rng.uniform(*SPEEDS)
        for t, frame in enumerate(frames):
            frame[:, border] = np.roll(strip, round(start + way * speed * t), axis=0)
    return frames if side_by_side else frames.transpose(0, 2, 1)


def draw_videos(pictures, count, seed):
    """Yield `count` `(frames, label)` of uint8 `(8, 8)` digits, the labels in turn."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        same = i % 2
        way = rng.choice((-1, 1))
        digits = pictures[rng.integers(len(pictures), size=2)]
        yield draw_video(digits, (way, way if same else -way), rng), same


def encode_video(frames):
    """Grey frames, uint8 `(T, H, W)`, as H.264 in MP4: the same bytes every time."""
    import av

    options = {"crf": str(QUALITY), "g": str(KEY_FRAMES), "threads": "1"}
    options["rc-lookahead"] = "0"  # with it one video of twenty differed from run to run
    data = io.BytesIO()
    with av.open(data, "w", format="mp4") as file:
        stream = file.add_stream("libx264", RATE, options=options)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="gray")
            file.mux(stream.encode(picture))
        file.mux(stream.encode())
    return data.getvalue()


def write_moving_digits(directory, train=2000, test=400, seed=0):
    """Write `train/<class>/0000.mp4` and so on, and `val/<class>/...`: the whole set or none.

    Raises InputError where `directory` has files in it, or can't be written.
    """
    if is_taken(directory):
        raise InputError(f"{directory}: there are files in it; give a new directory")
    require("av", "video", "moving digits")
    (train_digits, _), (test_digits, _) = load_digits(seed)
    with new_folder(directory) as folder:
        for name, digits, count, offset in (
            ("val", test_digits, test, 1),
            ("train", train_digits, train, 2),
        ):
            for label in CLASS_NAMES:
                (folder / name / label).mkdir(parents=True)
            write_part(folder / name, draw_videos(digits, count, [seed, offset]))


def write_part(folder, videos):
    """Encode `(frames, label)` into the folders of their classes, as many at once as cores."""

    def encode(numbered):
        i, (frames, label) = numbered
        return folder / CLASS_NAMES[label] / f"{i:04d}.mp4", encode_video(frames)

    for path, data in ordered_map(encode, enumerate(videos), cores(), 8 * cores()):
        path.write_bytes(data)


def main():
    """`python -m train.moving_digits DIRECTORY`: write the data set, by default the README's."""
    parser = ArgumentParser(description="Write the moving-digits data set as videos.")
    parser.add_argument("directory")
    parser.add_argument("--train", type=positive_int, default=2000, help="training videos (2000)")
    parser.add_argument("--test", type=positive_int, default=400, help="test videos (400)")
    parser.add_argument("--seed", type=not_negative, default=0)
    args = parser.parse_args()

    def command():
        write_moving_digits(Path(args.directory), args.train, args.test, args.seed)
        counts = f"{args.train} training videos, {args.test} videos of unseen digits"
        print(f"{args.directory}: {counts}")

    return exit_code(command)


if __name__ == "__main__":
    sys.exit(main())
