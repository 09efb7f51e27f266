"""ImageNet's ground truth as its devkit has it: a number a line, onto the pictures by name.

The numbers are the devkit's own, ILSVRC2012_ID, in another order than the synsets sorted, or
Caffe's labels: `meta.mat` beside the file says which is which. Its leaves, the synsets without
children, are the classes.
"""

import io
import os

from ...utils.errors import InputError, shown
from ...utils.files import open_file
from .kinds import PICTURE
from .listing import Listing
from .places import files_in, folders_in

_META = "meta.mat"
_LARGEST = 2**24  # bytes of meta.mat
_IMAGENET = 1000  # classes


def read_ground_truth(source, lines, kind, base, names):
    """The `Listing` of a ground truth; None where a list begins with another line.

    Raises InputError where there are not as many pictures as numbers, or the numbers can't be told.
    """
    rows = [(number, line) for number, line in enumerate(lines, 1) if line]
    if kind is not PICTURE or not rows or not _is_id(rows[0][1]):
        return None
    for number, line in rows:
        if not _is_id(line):
            raise InputError(
                f"{source} line {number}: expected a number as in the other lines, "
                f"given {shown(line)}"
            )
    folder, pictures = _pictures(source, base)
    if len(pictures) != len(rows):
        raise InputError(
            f"{source}: {len(rows)} lines for {len(pictures)} pictures in {folder or '.'}: "
            "give the folder of its pictures as root (--root, data.root)"
        )
    paths = [os.path.join(folder, name) for name in pictures]
    form, classes = _classes(source, rows, names)
    if folder != base:
        form += f", files in {folder}/"
    return Listing(form, paths, classes, [number for number, _ in rows])


def _is_id(line):
    return line.isdecimal() and len(line) <= 9


def _pictures(source, base):
    """The folder of the pictures, `base` or the one in it that has any, and their names."""
    pictures = files_in(base, PICTURE)
    if pictures:
        return base, pictures
    inner = [os.path.join(base, name) for name in folders_in(base or ".")]
    having = [folder for folder in inner if files_in(folder, PICTURE)]
    if len(having) != 1:
        raise InputError(
            f"{source}: a number a line is for the pictures of one folder, sorted by name, and "
            f"{base or '.'} has {len(having)} folders with pictures: give it as root "
            "(--root, data.root)"
        )
    return having[0], files_in(having[0], PICTURE)


def _classes(source, rows, names):
    """(what the source is, the class of each line)."""
    meta = os.path.join(os.path.dirname(source), _META)
    if os.path.isfile(meta):
        synsets = read_meta(meta)
        for number, line in rows:
            if int(line) not in synsets:
                raise InputError(f"{source} line {number}: {line} is no ILSVRC2012_ID of {meta}")
        return "the devkit's ground truth with meta.mat", [synsets[int(line)] for _, line in rows]
    most = max(int(line) for _, line in rows)
    if most == _IMAGENET or names is not None and len(names) == _IMAGENET:
        raise InputError(
            f"{source}: ImageNet's own numbers are no labels, and not in the order of the synsets: "
            "put the devkit's meta.mat beside it"
        )
    if names is None:
        raise InputError(
            f"{source}: a number a line, and nothing says of what: put the devkit's meta.mat "
            "beside it, or give the class names in the order of the numbers, from 1"
        )
    for number, line in rows:
        if not 1 <= int(line) <= len(names):
            raise InputError(
                f"{source} line {number}: {line}, 1 to {len(names)} allowed for "
                f"{len(names)} class names"
            )
    form = "the devkit's ground truth, its numbers taken as places in the class names from 1"
    return form, [str(names[int(line) - 1]) for _, line in rows]


def read_meta(path):
    """{ILSVRC2012_ID: synset} of the classes of a devkit's `meta.mat`. Raises InputError."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise InputError(f"{path}: reading it needs SciPy: pip install scipy") from None
    with open_file(path, _LARGEST) as file:
        data = file.read()
    try:
        table = loadmat(io.BytesIO(data), squeeze_me=True)["synsets"]
        leaves = table[table["num_children"] == 0]
        synsets = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in leaves}
    except Exception as error:  # SciPy raises whatever a damaged file leads it to
        raise InputError(f"{path}: not the devkit's meta.mat ({type(error).__name__})") from None
    if len(set(synsets.values())) != len(leaves):
        raise InputError(f"{path}: a number or a synset in it comes twice")
    return synsets
