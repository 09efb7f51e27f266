import pytest

from gluon_glore import InputError
from gluon_glore.data.in_turn import in_turn
from gluon_glore.data.records import BadRecord, WrongLabel


class Numbers(list):
    path = "numbers"

    def name(self, i):
        return f"number {i}"


def read_all(bad_ones=(), count=10, error=InputError, **options):
    numbers, bad = Numbers(range(count)), []

    def read(i):
        if i in bad_ones:
            raise error("no good")
        return 2 * numbers[i]

    return list(in_turn(numbers, read, bad, **options)), bad


@pytest.mark.parametrize("threads", [1, 3])
def test_samples_come_in_order_and_batches(threads):
    assert read_all(batch=4, threads=threads) == ([[0, 2, 4, 6], [8, 10, 12, 14], [16, 18]], [])


def test_a_few_bad_ones_are_named_and_left_out(capsys):
    found, bad = read_all({1, 4, 5}, batch=2, max_bad=0.3)
    assert found == [[0], [4, 6], [], [12, 14], [16, 18]]
    assert list(map(str, bad)) == [f"number {i}: no good" for i in (1, 4, 5)]
    assert capsys.readouterr().err.splitlines() == [f"skipped {text}" for text in map(str, bad)]
    _, bad = read_all({3}, error=BadRecord, max_bad=0.1)  # names itself
    assert list(map(str, bad)) == ["no good"]


def test_more_than_the_share_and_labels_of_no_class_are_refused():
    message = "^numbers: more than 2 of 10 scenes are bad, as number 1: no good$"
    with pytest.raises(InputError, match=message):
        read_all({1, 4, 5}, max_bad=0.29, word="scene")
    with pytest.raises(WrongLabel, match="^no good$"):
        read_all({3}, error=WrongLabel, max_bad=0.9)
