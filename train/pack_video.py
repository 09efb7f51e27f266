"""Pack videos, decoded and downscaled, into indexed RecordIO.

    python -m train.pack_video SRC OUT [--short 256] [--quality 90] [--every 1] \
        [--classes FILE] [--root FOLDER] [--use val]

Writes OUT.rec, OUT.idx and OUT.classes.txt, the class names in label order: a record a video, its
frames as JPEGs, which trainers read at random places without decoding what lies before. SRC is a
folder whose folders are the classes, or a list of any form of docs/data.md.
Records are in the order of class and path, or of the list, whatever the number of threads.
"""

import contextlib
import sys

from gluon_glore.data.class_names import read_classes
from gluon_glore.data.image import resize_short
from gluon_glore.data.packed_videos import pack_frames
from gluon_glore.data.records import WrongLabel
from gluon_glore.data.videos import Videos
from gluon_glore.utils.arguments import whole
from gluon_glore.utils.errors import InputError

from .data.missing_files import check_missing
from .data.pack_records import encode_jpeg, options, pack_files, run


def main(argv=None):
    """Pack as the command line says. Returns the exit code: 0, or 2 for what can't be used."""
    parser = options("train.pack_video", __doc__, "video", quality=90)
    parser.add_argument(
        "--short", type=whole, default=256, metavar="PIXELS", help="of longer short sides (256)"
    )
    parser.add_argument(
        "--every", type=whole, default=1, help="frames from one kept to the next (1)"
    )
    parser.add_argument(
        "--use",
        choices=("train", "val"),
        default="train",
        help="the lines of a list that says what each is for (train)",
    )
    args = parser.parse_args(argv)

    def work():
        names = args.classes and read_classes(args.classes)
        return pack_videos(
            args.source,
            args.out,
            short=args.short,
            quality=args.quality,
            every=args.every,
            names=names,
            root=args.root,
            use=args.use,
            max_bad=args.max_bad,
            threads=args.threads,
        )

    return run(work, args.out, "video")


def pack_videos(
    source,
    out,
    short=256,
    quality=90,
    every=1,
    names=None,
    root="",
    use="train",
    max_bad=0.01,
    threads=2,
):
    """Write OUT.rec, OUT.idx and OUT.classes.txt; returns (videos, classes, bad videos).

    Of each video the frames whose number is a multiple of `every`, short sides above `short`
    pixels shrunk to it. `names`, `root` and `use` as `Videos` takes them; what it
    finds is printed. Bad videos are named on stderr
    and skipped. Raises InputError, and leaves no file, where the share of bad ones is above
    `max_bad`, none is left, or an option or `source` is of no use.
    """
    if min(short, every) < 1 or not 1 <= quality <= 100 or not 0 <= max_bad <= 1:
        raise InputError(
            f"--short {short}, --every {every}, --quality {quality}, --max-bad {max_bad:g}: "
            "at least 1, at least 1, 1 to 100, and 0 to 1 are allowed"
        )
    videos = Videos(source, names, root, use)
    print(f"{source}: {videos.contents()}", flush=True)
    check_missing(source, videos.paths, max_bad, "video", "--max-bad")

    def encode(index):
        with _naming(videos, index), videos.open(index) as video:
            frames = video.frames(range(0, len(video), every))
            encoded = [_encode(frame, short, quality) for _, frame in frames]
            return pack_frames(encoded, video.rate / every)

    def label(index):
        with _naming(videos, index):
            return videos.label(index)

    samples = [(index, label(index)) for index in range(len(videos))]
    return pack_files(
        source,
        out,
        samples,
        videos.class_names,
        encode,
        max_bad=max_bad,
        threads=threads,
        kind="video",
    )


@contextlib.contextmanager
def _naming(videos, index):
    """Let an InputError inside name the video."""
    try:
        yield
    except WrongLabel:  # names it
        raise
    except InputError as error:
        raise InputError(f"{videos.name(index)}: {error}") from None


def _encode(frame, short, quality):
    """(JPEG, its size) of a frame."""
    if min(frame.shape[:2]) > short:
        frame = resize_short(frame, short)
    return encode_jpeg(frame, quality), frame.shape[:2]


if __name__ == "__main__":
    sys.exit(main())
