"""Pack a folder of class folders, or a list, into indexed RecordIO.

    python -m train.pack SRC OUT [--resize 480] [--shuffle 0] [--classes train.classes.txt]

Writes OUT.rec, OUT.idx and OUT.classes.txt, the class names in label order. SRC is a folder whose
folders are the classes, labelled in the order of their names, or a text file of lines
`path<TAB>class`, paths relative to the file. Records are in the order of class and path, or of
the list, whatever the number of threads.
"""

import argparse
import collections
import itertools
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from gluon_glore.atomic import write_text
from gluon_glore.errors import InputError, positive_int
from gluon_glore.image import decode_image, resize_short
from gluon_glore.load import read_names

from .progress import bar
from .records import write_records

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
AHEAD = 64  # pictures in the making while the file is written


def main(argv=None):
    """Pack as the command line says. Returns the exit code: 0, or 2 for what can't be used."""
    args = parse_args(argv)
    try:
        packed, classes, bad = pack(
            args.source,
            args.out,
            resize=args.resize,
            quality=args.quality,
            seed=args.shuffle,
            names=args.classes and read_names(args.classes),
            max_bad=args.max_bad,
            threads=args.threads,
        )
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(f"{args.out}.rec: {packed} pictures of {classes} classes, {bad} bad ones skipped")
    return 0


def parse_args(argv):
    parser = argparse.ArgumentParser(
        prog="python -m train.pack", description=__doc__.splitlines()[0]
    )
    parser.add_argument("source", metavar="SRC", help="folder of class folders, or list file")
    parser.add_argument("out", metavar="OUT", help="path of the files to write, without suffix")
    parser.add_argument(
        "--resize",
        type=int,
        default=0,
        metavar="PIXELS",
        help="shrink longer short sides to this and encode as JPEG; 0 keeps all bytes (0)",
    )
    parser.add_argument("--quality", type=int, default=95, help="JPEG's, 1 to 100 (95)")
    parser.add_argument("--shuffle", type=int, metavar="SEED", help="a random order")
    parser.add_argument("--classes", metavar="FILE", help="class names in label order")
    parser.add_argument(
        "--max-bad", type=float, default=0.01, help="share of pictures that may be bad (0.01)"
    )
    parser.add_argument(
        "--threads", type=positive_int, default=len(os.sched_getaffinity(0)), help="(all cores)"
    )
    return parser.parse_args(argv)


def pack(source, out, resize=0, quality=95, seed=None, names=None, max_bad=0.01, threads=2):
    """Write OUT.rec, OUT.idx and OUT.classes.txt; returns (pictures, classes, bad pictures).

    `names`: the class names in label order; default: those of `source`, sorted. `seed` shuffles.
    Bad pictures are named on stderr and skipped. Raises InputError, and leaves no file, where
    the share of bad ones is above `max_bad`, none is left, or an option or `source` is of no use.
    """
    if resize < 0 or not 1 <= quality <= 100 or not 0 <= max_bad <= 1:
        raise InputError(
            f"--resize {resize}, --quality {quality}, --max-bad {max_bad:g}: "
            "at least 0, 1 to 100, and 0 to 1 are allowed"
        )
    pictures = list_pictures(Path(source))
    names = names or sorted({name for _, name in pictures})
    labels = {name: label for label, name in enumerate(names)}
    for path, name in pictures:
        if name not in labels:
            raise InputError(f"{path}: class {name!r} is not among the {len(names)} names given")
    if seed is not None:
        order = np.random.default_rng(seed).permutation(len(pictures))
        pictures = [pictures[i] for i in order]

    packed = bad = 0

    def samples():
        nonlocal packed, bad
        encoded = ordered_map(lambda job: read(job[0], resize, quality), pictures, threads)
        shown = bar(encoded, total=len(pictures), unit="picture")
        for (_, name), (data, error) in zip(pictures, shown):
            if error is None:
                packed += 1
                yield data, labels[name]
                continue
            bad += 1
            tqdm.write(f"skipped {error}", file=sys.stderr)
            if bad > max_bad * len(pictures):
                raise InputError(
                    f"{source}: more than {max_bad:g} of {len(pictures)} pictures are bad, "
                    f"as {error}; --max-bad allows more"
                )
        if not packed:
            raise InputError(f"{source}: no good picture in it")
        # Here, before the records take their place: where they are, the names are.
        write_text(f"{out}.classes.txt", "".join(f"{name}\n" for name in names))

    try:
        write_records(f"{out}.rec", samples())
    except OSError as error:
        raise InputError(f"{out}.rec: {error.strerror}") from None
    return packed, len(names), bad


def list_pictures(source):
    """`[(path, class name), ...]` of a folder of class folders or a list file.

    Links are followed, hidden files and those without a picture's suffix left out. Raises
    InputError where there is none, or naming the line that is not a path and a class.
    """
    if source.is_dir():
        pictures = [
            (path, folder.name)
            for folder in sorted(source.iterdir())
            if folder.is_dir() and not folder.name.startswith(".")
            for path in sorted(_files(folder))
        ]
    else:
        pictures = []
        for number, line in enumerate(read_names(source), start=1):
            path, tab, name = line.partition("\t")
            if not (path and name) or "\t" in name:
                raise InputError(f"{source} line {number}: expected path<TAB>class, given {line!r}")
            pictures.append((source.parent / path, name))
    if not pictures:
        raise InputError(f"{source}: no pictures in it, expected class folders or path<TAB>class")
    return pictures


def _files(folder):
    for directory, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(directory, name)
            if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                yield path


def read(path, resize, quality):
    """A picture's bytes as they are packed, and None; or None and what is wrong with it."""
    try:
        data = path.read_bytes()
        picture = decode_image(data, channels=3)  # also where the bytes stay: are they a picture?
    except (OSError, InputError) as error:
        return None, f"{path}: {getattr(error, 'strerror', error)}"
    if not resize or min(picture.shape[:2]) <= resize:
        return data, None
    bgr = cv2.cvtColor(resize_short(picture, resize), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes(), None


def ordered_map(function, items, threads):
    """Yield `function(item)` in the order of `items`, a bounded number of them ahead."""
    items = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        waiting = collections.deque(
            pool.submit(function, item) for item in itertools.islice(items, AHEAD)
        )
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in itertools.islice(items, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()


if __name__ == "__main__":
    sys.exit(main())
