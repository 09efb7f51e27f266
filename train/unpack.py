"""Write the pictures of indexed RecordIO as files, a folder a class: `train.pack`'s way back.

    python -m train.unpack SRC.rec OUT [--classes FILE] [--only CLASS ...] [--each N]

The bytes of a picture stay as they are; its file is called by its place in SRC.rec. `--only` takes
some classes, `--each` the first N pictures of each: a small set of a large one, to try things on.
"""

import collections
import re
import sys

from gluon_glore.data.class_names import names_beside, read_names
from gluon_glore.data.picture_header import START, format_name
from gluon_glore.data.records import RecordDataset
from gluon_glore.utils.arguments import ArgumentParser, positive_int
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.errors import InputError, listed, shown
from gluon_glore.utils.files import is_taken, new_folder

_SUFFIXES = {"JPEG": "jpg", "TIFF": "tif"}
_FOLDER = re.compile(r"[^/\\\0.][^/\\\0]*")


def main(argv=None):
    """Unpack as the command line says. Returns the exit code: 0, or 2 for what can't be used."""
    parser = ArgumentParser(prog="python -m train.unpack", description=__doc__.splitlines()[0])
    parser.add_argument("source", metavar="SRC", help="indexed RecordIO, as train.pack writes it")
    parser.add_argument("out", metavar="OUT", help="the folder to write, new or empty")
    parser.add_argument(
        "--classes", metavar="FILE", help="class names in label order (those beside SRC)"
    )
    parser.add_argument("--only", nargs="+", metavar="CLASS", help="these classes (all)")
    parser.add_argument(
        "--each", type=positive_int, metavar="N", help="the first N pictures of a class (all)"
    )
    args = parser.parse_args(argv)

    def command():
        names = args.classes and read_names(args.classes)
        counts = unpack(args.source, args.out, names, args.only, args.each)
        print(f"{args.out}: {sum(counts.values())} pictures of {len(counts)} classes")

    return exit_code(command)


def unpack(source, out, names=None, only=None, each=None):
    """Write the pictures of `source` to OUT/CLASS/NUMBER.SUFFIX; returns {class: pictures}.

    `names`: the class names in label order (default: those beside `source`). `only`: the classes
    to write, `each`: the most pictures of one (default: all). Raises InputError, and writes
    nothing, where OUT is taken, there are no names, two are alike, one can't be a folder's, or
    there is no such class; and as `RecordDataset` does where a record is bad.
    """
    if is_taken(out):
        raise InputError(f"{out}: exists and is not empty, give another folder")
    if names is None:
        beside = names_beside(source)
        if beside is None:
            raise InputError(
                f"{source}: no class names beside it, give a file of them with --classes FILE"
            )
        names = read_names(beside)
    wanted = list(dict.fromkeys(names if only is None else only))
    _check_folders(wanted, names)
    records = RecordDataset(source, len(names))
    counts = collections.Counter()
    with new_folder(out) as folder:
        for name in wanted:
            (folder / name).mkdir()
        for i in range(len(records)):
            picture, label = records[i]
            name = names[label]
            if name in wanted and counts[name] != each:
                counts[name] += 1
                (folder / name / f"{i:08d}.{_suffix(picture)}").write_bytes(picture)
        empty = [name for name in wanted if not counts[name]]
        if empty:
            raise InputError(f"{source}: no picture of {listed(list(map(shown, empty)))}")
    return {name: counts[name] for name in wanted}


def _check_folders(wanted, names):
    """Raise InputError where a class is none of `names`, or its name can't be a folder's."""
    twice = [name for name, count in collections.Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"two classes are called {shown(twice[0])}: they would be one folder")
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise InputError(
            f"--only {shown(unknown[0])} is no class, these are: {listed(names, most=10)}"
        )
    for name in wanted:
        if not _FOLDER.fullmatch(name):
            raise InputError(f"class name {shown(name)} can't be the name of a folder")


def _suffix(picture):
    """The suffix of an encoded picture's file, "bin" where it is none."""
    name = format_name(picture[:START])
    return _SUFFIXES.get(name, name.lower()) if name else "bin"


if __name__ == "__main__":
    sys.exit(main())
