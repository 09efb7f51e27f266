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

import cv2
import numpy as np
from tqdm import tqdm

from gluon_glore.atomic import write_text
from gluon_glore.errors import InputError, positive_int
from gluon_glore.image import decode_image, resize_short
from gluon_glore.load import read_names
from gluon_glore.sources import PICTURES

from .listing import label_files, list_files
from .progress import bar
from .records import write_records

AHEAD = 4  # records in the making for each thread, while the file is written


def main(argv=None):
    """Pack as the command line says. Returns the exit code: 0, or 2 for what can't be used."""
    parser = options("train.pack", __doc__, "picture", quality=95)
    parser.add_argument(
        "--resize",
        type=int,
        default=0,
        metavar="PIXELS",
        help="shrink longer short sides to this and encode as JPEG; 0 keeps all bytes (0)",
    )
    parser.add_argument("--shuffle", type=int, metavar="SEED", help="a random order")
    parser.add_argument("--classes", metavar="FILE", help="class names in label order")
    args = parser.parse_args(argv)

    def work():
        names = args.classes and read_names(args.classes)
        return pack(
            args.source,
            args.out,
            resize=args.resize,
            quality=args.quality,
            seed=args.shuffle,
            names=names,
            max_bad=args.max_bad,
            threads=args.threads,
        )

    return run(work, args.out, "picture")


def options(module, doc, kind, quality):
    """The command line of what packs: SRC, OUT, --quality, --max-bad and --threads."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=doc.splitlines()[0])
    parser.add_argument("source", metavar="SRC", help="folder of class folders, or list file")
    parser.add_argument("out", metavar="OUT", help="path of the files to write, without suffix")
    parser.add_argument(
        "--quality", type=int, default=quality, help=f"JPEG's, 1 to 100 ({quality})"
    )
    parser.add_argument(
        "--max-bad", type=float, default=0.01, help=f"share of {kind}s that may be bad (0.01)"
    )
    parser.add_argument(
        "--threads", type=positive_int, default=len(os.sched_getaffinity(0)), help="(all cores)"
    )
    return parser


def run(work, out, kind):
    """The exit code of a command: `work()` packs and gives (packed, classes, bad ones)."""
    try:
        packed, classes, bad = work()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(f"{out}.rec: {packed} {kind}s of {classes} classes, {bad} bad ones skipped")
    return 0


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
    pictures = list_pictures(source)
    names, labels = label_files(source, pictures, names)
    samples = [(path, label) for (path, _), label in zip(pictures, labels)]
    if seed is not None:
        order = np.random.default_rng(seed).permutation(len(samples))
        samples = [samples[i] for i in order]
    return pack_files(
        source,
        out,
        samples,
        names,
        lambda path: read(path, resize, quality),
        max_bad=max_bad,
        threads=threads,
        kind="picture",
    )


def list_pictures(source):
    """`[(path, class name), ...]` of a folder of class folders or a list file: `list_files`."""
    return list_files(source, PICTURES, "picture")


def pack_files(source, out, samples, names, encode, max_bad, threads, kind):
    """Write OUT.rec, OUT.idx and OUT.classes.txt of `(item, label)` pairs.

    `encode(item)`, called in `threads` threads ahead of the file, gives a record's bytes; where it
    raises InputError, the item is named on stderr and skipped. Returns (records, classes, bad
    ones). Raises InputError, and leaves no file, where the share of bad ones is above `max_bad`,
    none is left or the files can't be written.
    """

    def attempt(sample):
        try:
            return encode(sample[0]), None
        except InputError as error:
            return None, error

    packed = bad = 0

    def good():
        nonlocal packed, bad
        encoded = ordered_map(attempt, samples, threads)
        shown = bar(encoded, total=len(samples), unit=kind)
        for (_, label), (data, error) in zip(samples, shown):
            if error is None:
                packed += 1
                yield data, label
                continue
            bad += 1
            tqdm.write(f"skipped {error}", file=sys.stderr)
            if bad > max_bad * len(samples):
                raise InputError(
                    f"{source}: more than {max_bad:g} of {len(samples)} {kind}s are bad, "
                    f"as {error}; --max-bad allows more"
                )
        if not packed:
            raise InputError(f"{source}: no good {kind} in it")
        # Here, before the records take their place: where they are, the names are.
        write_text(f"{out}.classes.txt", "".join(f"{name}\n" for name in names))

    try:
        write_records(f"{out}.rec", good())
    except OSError as error:
        raise InputError(f"{out}.rec: {error.strerror}") from None
    return packed, len(names), bad


def read(path, resize, quality):
    """A picture's bytes as they are packed. Raises InputError, naming it, where it is none."""
    try:
        data = path.read_bytes()
        picture = decode_image(data, channels=3)  # also where the bytes stay: are they a picture?
    except (OSError, InputError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', error)}") from None
    if not resize or min(picture.shape[:2]) <= resize:
        return data
    return encode_jpeg(resize_short(picture, resize), quality)


def encode_jpeg(picture, quality):
    """uint8 RGB `(H, W, 3)` -> a JPEG's bytes."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def ordered_map(function, items, threads):
    """Yield `function(item)` in the order of `items`, a bounded number of them ahead."""
    items = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        waiting = collections.deque(
            pool.submit(function, item) for item in itertools.islice(items, AHEAD * threads)
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
