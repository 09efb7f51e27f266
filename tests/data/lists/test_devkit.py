import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.lists.devkit import read_ground_truth, read_meta
from gluon_glore.data.lists.kinds import PICTURE, VIDEO

# The devkit's order is not the synsets'. The last has children, so it is no class.
SYNSETS = [(1, "n02119789", 0), (2, "n01440764", 0), (3, "n02100735", 0), (4, "n01317541", 2)]


def write_meta(path, rows=SYNSETS):
    """A `meta.mat` as the devkit has it."""
    scipy_io = pytest.importorskip("scipy.io", reason="SciPy is not installed")
    names = ("ILSVRC2012_ID", "WNID", "words", "num_children")
    table = np.zeros((len(rows), 1), [(name, object) for name in names])
    for place, (number, synset, children) in enumerate(rows):
        table[place, 0] = (number, synset, "kit fox, Vulpes macrotis", children)
    scipy_io.savemat(path, {"synsets": table})
    return path


@pytest.fixture
def devkit(tmp_path):
    """A folder with a ground truth of four pictures in val/, out of order on the disk."""
    (tmp_path / "val").mkdir()
    for i in (3, 1, 4, 2):
        (tmp_path / "val" / f"v_{i}.JPEG").touch()
    return tmp_path


def read(devkit, text="2\n3\n\n1\n2", names=None, root=None, kind=PICTURE):
    source, base = str(devkit / "truth.txt"), str(root or devkit)
    listing = read_ground_truth(source, text.split("\n"), kind, base, names)
    paths = [path.removeprefix(f"{devkit}/") for path in listing.paths]
    return listing.form.replace(f"{devkit}/", ""), list(zip(paths, listing.classes))


def test_numbers_are_synsets_by_the_meta_mat_beside_them(devkit):
    write_meta(devkit / "meta.mat")
    assert read(devkit) == (
        "the devkit's ground truth with meta.mat, files in val/",
        [
            ("val/v_1.JPEG", "n01440764"),
            ("val/v_2.JPEG", "n02100735"),
            ("val/v_3.JPEG", "n02119789"),
            ("val/v_4.JPEG", "n01440764"),
        ],
    )
    with pytest.raises(InputError, match="truth.txt line 2: 4 is no ILSVRC2012_ID of .*meta.mat"):
        read(devkit, "1\n4\n1\n1")  # of a synset with children


def test_without_meta_mat_numbers_are_places_in_few_names_and_this_is_said(devkit):
    form, rows = read(devkit, names=("a", "b", "c"), root=devkit / "val")
    assert [name for _, name in rows] == ["b", "c", "a", "b"]
    assert (
        form == "the devkit's ground truth, its numbers taken as places in the class names from 1"
    )


@pytest.mark.parametrize(
    ("text", "names", "message"),
    [
        (
            "1\n2\n3\n1000",
            None,
            "ImageNet's own numbers are no labels, .*: put the devkit's meta.mat",
        ),
        ("1\n2\n3\n4", [str(i) for i in range(1000)], "ImageNet's own numbers are no labels"),
        ("1\n2\n3\n4", None, "truth.txt: a number a line, and nothing says of what: put"),
        ("1\n2\n3\n4", ["a", "b", "c"], "truth.txt line 4: 4, 1 to 3 allowed for 3 class names"),
        ("1\n2\n3\n0", ["a", "b", "c"], "truth.txt line 4: 0, 1 to 3 allowed for 3 class names"),
        (
            "1\n2\n3",
            ["a", "b", "c"],
            "truth.txt: 3 lines for 4 pictures in .*/val: give the folder",
        ),
        ("1\n2\nx\n3", ["a", "b", "c"], "truth.txt line 3: expected a number as .*, given 'x'"),
    ],
)
def test_numbers_that_can_not_be_told_are_refused(devkit, text, names, message):
    with pytest.raises(InputError, match=message):
        read(devkit, text, names)


def test_the_pictures_are_in_one_folder(devkit):
    (devkit / "more").mkdir()
    (devkit / "more" / "1.jpg").touch()
    with pytest.raises(
        InputError, match="truth.txt: .* has 2 folders with pictures: give it as root"
    ):
        read(devkit)
    assert len(read(devkit, names="abc", root=devkit / "val")[1]) == 4


def test_other_lists_are_none():
    for lines, kind in ((["a.jpg 1"], PICTURE), (["1"], VIDEO), ([""], PICTURE), ([], PICTURE)):
        assert read_ground_truth("x", lines, kind, "", None) is None


def test_a_meta_mat_of_no_use_is_named(tmp_path):
    path = write_meta(tmp_path / "meta.mat")
    whole = path.read_bytes()
    for data in (b"", b"text", whole[:-40], whole.replace(b"WNID", b"XNID")):
        path.write_bytes(data)
        with pytest.raises(InputError, match=f"^{path}: not the devkit's meta.mat"):
            read_meta(path)
    write_meta(path, [*SYNSETS, (2, "n02110185", 0)])
    with pytest.raises(InputError, match=f"^{path}: a number or a synset in it comes twice"):
        read_meta(path)
