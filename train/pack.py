"""Pack a folder of class folders, or a list, into indexed RecordIO.

    python -m train.pack SRC OUT [--resize 480] [--shuffle 0] [--classes train.classes.txt] \
        [--root FOLDER]

Writes OUT.rec, OUT.idx and OUT.classes.txt, the class names in label order. SRC is a folder whose
folders are the classes, labelled in the order of their names, or a list of any form that
docs/data.md has; where all classes of a list are integers they are the labels. A validation set is
given the training set's names (--classes).
Records are in the order of class and path, or of the list, whatever the number of threads.
"""

import sys

import numpy as np

from gluon_glore.data.class_names import read_classes
from gluon_glore.data.image import decode_image, read_file, resize_short
from gluon_glore.data.lists.labelled_files import PICTURE, labelled_files
from gluon_glore.utils.arguments import not_negative, whole
from gluon_glore.utils.errors import InputError

from .data.missing_files import check_missing
from .data.pack_records import encode_jpeg, options, pack_files, run


def main(argv=None):
    """Pack as the command line says. Returns the exit code: 0, or 2 for what can't be used."""
    parser = options("train.pack", __doc__, "picture", quality=95)
    parser.add_argument(
        "--resize",
        type=whole,
        default=0,
        metavar="PIXELS",
        help="shrink longer short sides to this and encode as JPEG; 0 keeps all bytes (0)",
    )
    parser.add_argument("--shuffle", type=not_negative, metavar="SEED", help="a random order")
    args = parser.parse_args(argv)

    def work():
        names = args.classes and read_classes(args.classes)
        return pack(
            args.source,
            args.out,
            resize=args.resize,
            quality=args.quality,
            seed=args.shuffle,
            names=names,
            root=args.root,
            max_bad=args.max_bad,
            threads=args.threads,
        )

    return run(work, args.out, "picture")


def pack(
    source,
    out,
    resize=0,
    quality=95,
    seed=None,
    names=None,
    root="",
    max_bad=0.01,
    threads=2,
):
    """Write OUT.rec, OUT.idx and OUT.classes.txt; returns (pictures, classes, bad pictures).

    `names` (in label order) and `root` as `labelled_files` takes them; what it finds is
    printed. `seed` shuffles. Bad pictures are named on stderr and skipped. Raises InputError, and
    leaves no file, where the share of bad ones is above `max_bad`, none is left, or an option or
    `source` is of no use.
    """
    if resize < 0 or not 1 <= quality <= 100 or not 0 <= max_bad <= 1:
        raise InputError(
            f"--resize {resize}, --quality {quality}, --max-bad {max_bad:g}: "
            "at least 0, 1 to 100, and 0 to 1 are allowed"
        )
    files = labelled_files(source, PICTURE, names, root)
    print(f"{source}: {files.contents(PICTURE)}", flush=True)
    check_missing(source, files.paths, max_bad, "picture", "--max-bad")
    samples = list(zip(files.paths, files.labels))
    if seed is not None:
        order = np.random.default_rng(seed).permutation(len(samples))
        samples = [samples[i] for i in order]
    return pack_files(
        source,
        out,
        samples,
        files.class_names,
        lambda path: read(path, resize, quality),
        max_bad=max_bad,
        threads=threads,
        kind="picture",
    )


def read(path, resize, quality):
    """A picture's bytes as they are packed. Raises InputError, naming it, where it is none."""
    try:
        data = read_file(path)
        picture = decode_image(data, channels=3)  # also where the bytes stay: are they a picture?
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if not resize or min(picture.shape[:2]) <= resize:
        return data
    return encode_jpeg(resize_short(picture, resize), quality)


if __name__ == "__main__":
    sys.exit(main())
