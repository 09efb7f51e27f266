import os

import numpy as np
import pytest

from gluon_glore import InputError
from train.data.class_subset import class_subset

NETWORK = ("n01440764 tench, Tinca tinca", "ant", "bee", "crane", "crane", "dog")


def file_of(tmp_path, name, *lines):
    path = tmp_path / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_classes_keep_the_networks_order_and_labels_mean_the_names_of_their_file(tmp_path):
    names = file_of(tmp_path, "names.txt", "dog", "n01440764", "bee")
    subset = class_subset(names, names, NETWORK, "net")
    assert (subset.numbers, subset.places, subset.of) == ((0, 2, 5), (2, 0, 1), 6)
    ((pixels, labels),) = subset.batches([("pixels", np.array([0, 0, 1, 2], np.float32))])
    assert pixels == "pixels" and labels.tolist() == [2, 2, 0, 1] and labels.dtype == np.float32
    assert subset.note == f", on 3 of the network's 6 classes (labels as in {names})"
    assert subset.settings() == {
        "subset": str(names),
        "labels": str(names),
        "classes": 3,
        "network_classes": 6,
    }


def test_the_data_may_have_fewer_classes_in_an_order_of_their_own(tmp_path):
    names = file_of(tmp_path, "names.txt", "dog", "ant", "bee")
    own = file_of(tmp_path, "own.txt", "bee", "dog")
    subset = class_subset(names, own, NETWORK, "net")
    assert (subset.numbers, subset.places) == ((1, 2, 5), (1, 2))
    assert subset.note.endswith(f"(labels as in {own})")
    with pytest.raises(InputError, match=f"{names} line 2: 'ant' is not among the 2 classes of "):
        class_subset(own, names, NETWORK, "net")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "names.txt: no class names in it"),
        (("ant", "bee", "wolf"), "names.txt line 3: 'wolf' is none of the 6 classes of net"),
        (("ant", "", "bee"), "names.txt line 2: no class name in it"),
        (("crane",), "names.txt line 1: 'crane' is the name of 2 classes of net"),
        (("ant", "bee", "ant"), "names.txt line 3: 'ant' is the class of line 1 too"),
        (("n01440764 tench", "n01440764"), "line 2: 'n01440764' is the class of line 1 too"),
    ],
)
def test_names_that_are_not_each_one_class_of_the_network_are_refused(tmp_path, lines, message):
    names = file_of(tmp_path, "names.txt", *lines)
    own = file_of(tmp_path, "own.txt", "ant")
    for given in ((names, own), (own, names)):
        with pytest.raises(InputError, match=message):
            class_subset(*given, NETWORK, "net")


def test_names_from_a_pipe_are_read_once():
    reading, writing = os.pipe()
    with open(writing, "w") as file:
        file.write("dog\nbee\n")
    pipe = f"/dev/fd/{reading}"
    assert class_subset(pipe, pipe, NETWORK, "net").places == (1, 0)
    os.close(reading)
