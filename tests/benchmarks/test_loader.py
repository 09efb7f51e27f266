import pytest

from benchmarks.loader import (
    CLASS_NAMES,
    COMPETITORS,
    FILES,
    REDUCED,
    VIEWS,
    pack,
    reduction_changes,
)
from gluon_glore.data.image import decode_image
from gluon_glore.data.labelled_pictures import PictureFiles, open_pictures
from gluon_glore.data.records import RecordDataset
from tests.helpers.class_folders import write_class_folders
from tests.helpers.without_mxnet import needs_mxnet


@pytest.fixture
def packed(tmp_path):
    """Eight pictures of three, packed and as files, and two of them enlarged."""
    photos = write_class_folders(tmp_path / "source", size=(230, 240), cat=2, dog=1)
    pack(photos, tmp_path, 8)
    return {name: tmp_path / source for name, (_, source) in COMPETITORS.items()}


def test_files_and_records_have_the_same_pictures(packed):
    records, files = (open_pictures(packed[name], CLASS_NAMES) for name in ("ours", FILES))
    assert (type(records), type(files)) == (RecordDataset, PictureFiles)
    one, other = ([pictures[i] for i in range(8)] for pictures in (records, files))
    assert one == other and one[0] == one[3] != one[2]


def test_large_ones_are_enlarged(packed):
    large = open_pictures(packed[REDUCED], CLASS_NAMES)
    assert [decode_image(large[i][0], 3).shape for i in range(len(large))] == [(920, 960, 3)] * 2


@needs_mxnet
@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("ours", RecordDataset, 8),
        (VIEWS, RecordDataset, 8),
        (FILES, PictureFiles, 8),
        (REDUCED, RecordDataset, 2),
    ],
)
def test_a_pass_reads_each_once(packed, monkeypatch, name, kind, count):
    read, get = [], kind.__getitem__
    monkeypatch.setattr(kind, "__getitem__", lambda self, i: read.append(i) or get(self, i))
    COMPETITORS[name][0](str(packed[name]), batch=2, threads=1)()
    assert sorted(read) == list(range(count))


def test_what_a_reduction_changes_is_none_of_pictures_that_are_no_jpegs(packed, tmp_path):
    jpegs = tmp_path / "jpegs"
    large = open_pictures(packed[REDUCED], CLASS_NAMES)
    for i in range(2):
        (jpegs / str(i)).mkdir(parents=True)
        (jpegs / f"{i}/photo.jpg").write_bytes(large[i][0])
    share, difference = reduction_changes(jpegs, 64)
    assert share > 0.5 and difference > 0
    assert reduction_changes(jpegs, 900) == (0, 0)
    assert reduction_changes(tmp_path / "source", 16) == (0, 0)
