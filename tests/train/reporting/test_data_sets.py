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


def test_a_line_says_what_both_sets_hold_in_their_words_or_counts_them():
    assert describe([Plain(), Telling()]) == (
        "training set: 7 samples, memory; validation set: 7 pictures of 2 classes, val.rec"
    )
