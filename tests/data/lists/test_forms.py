import pytest

from gluon_glore import InputError
from gluon_glore.data.lists.forms import FORMS, read_form
from gluon_glore.data.lists.kinds import PICTURE, VIDEO


def read(text, kind=PICTURE):
    return read_form("list.txt", text.split("\n"), kind)[1]


def pairs(text, kind=PICTURE):
    listing = read(text, kind)
    return list(zip(listing.paths, listing.classes))


BOX = "\t0\t32\t44\t62"
# Kind, lines, what a start line calls them, and (path, class) of each.
ROWS = [
    (PICTURE, "a.JPEG 3\nb c.JPEG  12", "a Caffe list", [("a.JPEG", "3"), ("b c.JPEG", "12")]),
    (
        VIDEO,
        "0 7 x/a b.mp4\n1 012 c.avi",
        "the list of the authors' trainer",
        [("x/a b.mp4", "7"), ("c.avi", "12")],
    ),
    (VIDEO, "x/a.mp4 3\n", "a list of paths and labels", [("x/a.mp4", "3")]),
    (VIDEO, "/d/ü b 30.mp4 007", "a list of paths and labels", [("/d/ü b 30.mp4", "7")]),
    (PICTURE, "a.jpg\t3\nb.jpg\tx y", "a tab-separated list", [("a.jpg", "3"), ("b.jpg", "x y")]),
    (PICTURE, "a,b.raw\t3", "a tab-separated list", [("a,b.raw", "3")]),
    (
        VIDEO,
        "a.mp4 , 3\nb c,d.mp4,1",
        "a comma-separated list",
        [("a.mp4", "3"), ("b c,d.mp4", "1")],
    ),
    (
        PICTURE,
        '"a, b.jpg",3\nc.jpg,"tench, Tinca"\n"d ""x"".jpg","4"',
        "a comma-separated list",
        [("a, b.jpg", "3"), ("c.jpg", "tench, Tinca"), ('d "x".jpg', "4")],
    ),
    (PICTURE, "c.jpg,tench, Tinca", "a comma-separated list", [("c.jpg", "tench, Tinca")]),
    (VIDEO, "a.mp4 300 2\na b.mp4 30 0", "gluoncv's list", [("a.mp4", "2"), ("a b.mp4", "0")]),
    (VIDEO, "a 30.mp4 30 0", "gluoncv's list", [("a 30.mp4", "0")]),
    (PICTURE, "7\t3.000000\ta/b.jpg\n8\t4\tc d", "MXNet's .lst", [("a/b.jpg", "3"), ("c d", "4")]),
    (
        PICTURE,
        f"val_0.JPEG\tn03444034{BOX}\nval_1.JPEG\tn04067472{BOX}",
        "tiny-imagenet's val_annotations.txt",
        [("images/val_0.JPEG", "n03444034"), ("images/val_1.JPEG", "n04067472")],
    ),
    (
        VIDEO,
        "a/YoYo/1.avi",
        "a list of paths, classes by their folders",
        [("a/YoYo/1.avi", "YoYo")],
    ),
    (PICTURE, "a.jp2 3\nb.jpg\tx", "a list", [("a.jp2", "3"), ("b.jpg", "x")]),
]


@pytest.mark.parametrize(("kind", "text", "words", "expected"), ROWS)
def test_a_list_is_read_as_its_form_says(kind, text, words, expected):
    assert pairs(text, kind) == expected
    assert read(text, kind).form == words


def test_every_form_has_a_row():
    assert {form.words for form in FORMS} <= {words for _, _, words, _ in ROWS}


@pytest.mark.parametrize(("kind", "text", "words", "expected"), ROWS)
def test_empty_lines_and_comments_are_left_out_and_lines_keep_their_numbers(
    kind, text, words, expected
):
    first, *rest = text.rstrip("\n").split("\n")
    listing = read("\n".join(["# of a set", "", first, "#", *rest, ""]), kind)
    assert list(zip(listing.paths, listing.classes)) == expected
    assert list(listing.lines) == [3, *range(5, 5 + len(rest))]


def test_a_path_may_begin_as_a_comment_does():
    assert pairs("#1.jpg 0\n# of a set\n#2.jpg 1") == [("#1.jpg", "0"), ("#2.jpg", "1")]


PLAIN = "expected path<TAB>class or path label, a whole number, given"


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (PICTURE, "a.jpg 0\nb.jpg\nc.jpg 1", f"line 2: {PLAIN} 'b.jpg'"),
        (PICTURE, "a.jpg\tx\n\nb.jpg\t\n", f"line 3: {PLAIN} "),  # an empty name
        (PICTURE, "a.jpg,x\nb.jpg,\nc.jpg,y", "line 2: expected path,class, given 'b.jpg,'"),
        (PICTURE, 'a.jpg,x\n"b.jpg,y\nc.jpg,y', "line 2: expected path,class, given '\"b.jpg,y'"),
        (PICTURE, "a.jpg 30 0", f"line 1: {PLAIN} 'a.jpg 30 0'"),
        (VIDEO, "a 30 0", f"line 1: {PLAIN} 'a 30 0'"),  # path and frames, or a path with a blank
        (VIDEO, "a.mp4 30 0\nb.mp4 1\nc.mp4 3 1", "line 2: expected path frames label, given"),
        (VIDEO, "a.mp4 0\n0 0 b.mp4", f"line 2: {PLAIN}"),  # the form of one line each
        (PICTURE, "3\ta.jpg", f"line 1: {PLAIN}"),  # label and path
        (PICTURE, "path,label\na.jpg,3", "line 1: expected path,class, given 'path,label'"),
        (PICTURE, "0\t1\t2\ta.jpg", "line 1: 2 labels, one is needed: index<TAB>label<TAB>path"),
        (PICTURE, "0\t1\ta.jpg\n1\t1.5\tb.jpg", "line 2: label 1.5, a whole number is needed"),
        (PICTURE, "0\t1_0\ta.jpg", f"line 1: {PLAIN}"),
        (PICTURE, f"a.jpg\tn03444034{BOX}\nb.jpg\tx{BOX}", "line 2: expected picture<TAB>synset"),
        (PICTURE, "a.jpg,b.jpg,0", f"line 1: {PLAIN}"),
        (
            VIDEO,
            "a.mp4,b.mp4 0",
            r"line 1: \('a.mp4,b.mp4', '0'\) as path label or \('a.mp4', 'b.mp4 0'\) as path,class"
            ": write path<TAB>class",
        ),
        (
            VIDEO,
            "a b.mp4\t30 0",
            r"line 1: \(.*\) as path<TAB>class or \(.*\) as path frames label",
        ),
    ],
)
def test_a_line_of_another_form_or_of_two_is_named(kind, text, message):
    with pytest.raises(InputError, match=f"^list.txt {message}"):
        read(text, kind)


def test_the_lines_behind_the_sample_are_looked_at_too():
    lines = [f"{i}.jpg 0" for i in range(500)] + ["b.jpg"]
    with pytest.raises(InputError, match=f"^list.txt line 501: {PLAIN} 'b.jpg'"):
        read("\n".join(lines))
    lines[-1] = "b.jp2 1"  # of no suffix that is known: still a path and a label
    assert pairs("\n".join(lines))[-1] == ("b.jp2", "1")
