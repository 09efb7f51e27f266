import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.accuracy import measure_accuracy, places, read_input
from gluon_glore.data.image import Preprocess, encode_png
from gluon_glore.data.records import BadRecord, RecordDataset, WrongLabel, write_records
from tests.helpers.damaged_records import BAD, SAMPLES, TESTED, write_damaged
from train.engine.comm import LocalComm
from train.engine.loop import evaluate

GREY = Preprocess(size=(4, 6), resize=0, mean=(0.0,), scale=1.0)
COUNT, CLASSES = 50, 9


@pytest.fixture
def records(tmp_path):
    """Picture i has the grey value i, and the class i % 9."""
    pictures = (encode_png(np.full((4, 6), i, np.uint8)) for i in range(COUNT))
    write_records(tmp_path / "a.rec", [(p, i % CLASSES) for i, p in enumerate(pictures)])
    return RecordDataset(tmp_path / "a.rec", CLASSES)


def table(logits, sizes=None):
    """A network that gives row i of `logits` for the grey value i."""

    def network(x):
        if sizes is not None:
            sizes.append(len(x))
        return logits[x.reshape(len(x), -1)[:, 0].astype(int)]

    return network


def test_each_picture_counts_once_in_batches_of_the_size_asked_for(records):
    logits = np.random.RandomState(0).normal(size=(COUNT, CLASSES)).astype("float32")
    labels = np.arange(COUNT) % CLASSES
    ranks = (logits > logits[np.arange(COUNT), labels, None]).sum(axis=1)
    sizes = []
    found = measure_accuracy(table(logits, sizes), records, GREY, batch=8)
    assert (found.top1, found.top5) == ((ranks == 0).mean(), (ranks < 5).mean())
    assert 0 < found.top1 < found.top5 < 1
    assert (found.samples, found.bad_records) == (COUNT, 0)
    assert found.images_per_second > 0
    assert sizes == [8, 8, 8, 8, 8, 8, 2]


def test_equal_logits_count_as_in_training(records):
    """Of rows of few values, as a network gives that has collapsed."""
    labels = np.arange(COUNT) % CLASSES
    for seed in range(6):
        logits = np.random.RandomState(seed).randint(0, 3, (COUNT, CLASSES)).astype("float32")
        found = measure_accuracy(table(logits), records, GREY)
        batches = [(logits, labels.astype("float32"))]
        expected = evaluate(lambda x: x, batches, LocalComm(), mx.cpu()).figures
        assert (found.top1, found.top5) == (expected["top1"], expected["top5"])


def test_of_equal_logits_the_first_stand_first_and_what_is_no_number_is_no_hit():
    rows = np.float32([[1, 1, 1, 1, 1, 1], [0, 2, 1, 2, 1, 2], [0, 1, 2, 3, 4, 5]])
    found = [places(rows, [label] * 3).tolist() for label in range(6)]
    assert np.transpose(found).tolist() == [
        [0, 1, 2, 3, 4, 5],
        [5, 0, 3, 1, 4, 2],
        [5, 4, 3, 2, 1, 0],
    ]
    rows[2, 5] = np.nan
    assert places(rows, [5, 5, 5]).tolist() == [5, 2, 6]
    assert places(rows, [5, 5, 4]).tolist() == [5, 2, 1]


def test_there_is_no_top5_of_five_classes(records):
    logits = np.zeros((COUNT, 5), "float32")
    assert measure_accuracy(table(logits), records, GREY).top5 is None


def test_networks_that_normalize_themselves_get_the_pictures(records):
    x, label = read_input(records, 20, GREY, normalized=False)
    assert (x.dtype, x.shape, label) == (np.uint8, (4, 6, 1), 2)
    x, label = read_input(records, 20, GREY)
    assert (x.dtype, x.shape, label) == (np.float32, (1, 4, 6), 2)
    assert (x == 20).all()


def test_few_bad_records_are_named_and_left_out_more_are_refused(tmp_path, capsys):
    path = write_damaged(tmp_path / "bad.rec")
    preprocess = Preprocess(size=(64, 64), resize=0, mean=(0.0,), scale=1.0)
    logits = np.tile(np.array([[0, 1]], "float32"), (256, 1))
    found = measure_accuracy(table(logits), RecordDataset(path, 2), preprocess)
    assert (found.samples, found.bad_records) == (TESTED, len(BAD))
    assert found.top1 == sum(i % 2 for i in range(SAMPLES) if i not in BAD) / TESTED
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"skipped {path} record {i}" for i in BAD]

    write_damaged(path, bad=(*BAD, 200))
    with pytest.raises(
        InputError, match="bad.rec: more than 3 of 300 records are bad, as .*record 7: "
    ):
        measure_accuracy(table(logits), RecordDataset(path, 2), preprocess)


def test_a_bad_record_is_named(tmp_path):
    write_records(tmp_path / "a.rec", [(encode_png(np.zeros((3, 6), np.uint8)), 0), (b"x", 0)])
    records = RecordDataset(tmp_path / "a.rec", 2)
    with pytest.raises(BadRecord, match="a.rec record 0: picture of 3x6 pixels, the network takes"):
        read_input(records, 0, GREY)
    with pytest.raises(BadRecord, match="a.rec record 1: not a readable picture"):
        read_input(records, 1, GREY)


def test_a_label_that_no_class_has_is_an_error_of_the_set(tmp_path):
    picture = encode_png(np.zeros((4, 6), np.uint8))
    write_records(tmp_path / "a.rec", [(picture, 1 + i % 2) for i in range(200)])
    records = RecordDataset(tmp_path / "a.rec", 2)
    with pytest.raises(WrongLabel, match="a.rec record 1: label 2 is out of range, 0 to 1 allowed"):
        measure_accuracy(table(np.zeros((1, 2), "float32")), records, GREY, max_bad=0.9)
