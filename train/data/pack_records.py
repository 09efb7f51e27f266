"""What the commands share that pack files into RecordIO: options, threads, and bad files."""

import sys

import cv2
from tqdm import tqdm

from gluon_glore.data.records import write_records
from gluon_glore.utils.ahead import ordered_map
from gluon_glore.utils.arguments import ArgumentParser, positive_int, share, whole
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.cpu import cores
from gluon_glore.utils.errors import InputError
from gluon_glore.utils.files import write_text
from gluon_glore.utils.progress_bar import bar

AHEAD = 4  # records in the making for each thread, while the file is written


def options(module, doc, kind, quality):
    """The command line of a command that packs: SRC, OUT, and the options of both."""
    parser = ArgumentParser(prog=f"python -m {module}", description=doc.splitlines()[0])
    parser.add_argument("source", metavar="SRC", help="folder of class folders, or a list")
    parser.add_argument("out", metavar="OUT", help="path of the files to write, without suffix")
    parser.add_argument(
        "--classes", "--class-names", metavar="FILE", help="class names in label order"
    )
    parser.add_argument(
        "--root", default="", help="where a list's relative paths begin (its folder)"
    )
    parser.add_argument(
        "--quality", type=whole, default=quality, help=f"JPEG's, 1 to 100 ({quality})"
    )
    parser.add_argument(
        "--max-bad", type=share, default=0.01, help=f"share of {kind}s that may be bad (0.01)"
    )
    parser.add_argument("--threads", type=positive_int, default=cores(), help="(all cores)")
    return parser


def run(work, out, kind):
    """The exit code of a command: `work()` packs and returns (packed, classes, bad ones)."""

    def command():
        packed, classes, bad = work()
        print(f"{out}.rec: {packed} {kind}s of {classes} classes, {bad} bad ones skipped")

    return exit_code(command)


def pack_files(source, out, samples, names, encode, max_bad, threads, kind):
    """Write OUT.rec, OUT.idx and OUT.classes.txt of `(item, label)` pairs.

    `encode(item)`, called in `threads` threads ahead of the file, gives a record's bytes; where it
    raises InputError, the item is named on stderr and skipped; so is a class without a record.
    Returns (records, classes, bad ones). Raises InputError, and leaves no file, where the share of
    bad ones is above `max_bad`, none is left or the files can't be written.
    """

    def attempt(sample):
        try:
            return encode(sample[0]), None
        except InputError as error:
            return None, error

    packed = bad = 0
    used = set()

    def good():
        nonlocal packed, bad
        encoded = ordered_map(attempt, samples, threads, AHEAD * threads)
        shown = bar(encoded, total=len(samples), unit=kind)
        for (_, label), (data, error) in zip(samples, shown):
            if error is None:
                packed += 1
                used.add(label)
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
        if len(used) < len(names):
            empty = [name for label, name in enumerate(names) if label not in used]
            note = f"{len(empty)} of the {len(names)} classes have no {kind}, as {empty[0]}"
            tqdm.write(note, file=sys.stderr)
        # Here, before the records take their place: where they are, the names are.
        write_text(f"{out}.classes.txt", "".join(f"{name}\n" for name in names))

    try:
        write_records(f"{out}.rec", good())
    except OSError as error:
        raise InputError(f"{out}.rec: {error.strerror}") from None
    return packed, len(names), bad


def encode_jpeg(picture, quality):
    """uint8 RGB `(H, W, 3)` -> a JPEG's bytes."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
