from train.reporting.data_sets import describe


class Plain:
    """A data set of a task of one's own."""

    path = "memory"

    def __len__(self):
        return 7


class Telling(Plain):
    path = "val.rec"

    def contents(self):
        return "7 pictures of 2 classes"


class Files(Telling):
    def advice(self):
        return "pack them"


def test_of_a_training_set_what_would_be_better_is_another_line():
    line = describe([Telling(), Telling()])
    assert describe([Files(), Telling()]) == f"{line}\npack them"
    assert describe([Telling(), Files()]) == line


def test_a_line_says_what_both_sets_hold_in_their_words_or_counts_them():
    assert describe([Plain(), Telling()]) == (
        "training set: 7 samples, memory; validation set: 7 pictures of 2 classes, val.rec"
    )
