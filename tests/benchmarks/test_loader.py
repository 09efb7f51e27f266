import pytest

from benchmarks.loader import CLASS_NAMES, COMPETITORS, FILES, pack
from gluon_glore.data.labelled_pictures import PictureFiles, open_pictures
from gluon_glore.data.records import RecordDataset
from tests.helpers.class_folders import write_class_folders


@pytest.fixture
def packed(tmp_path):
    """Eight pictures of three, packed and as files."""
    photos = write_class_folders(tmp_path / "source", size=(230, 240), cat=2, dog=1)
    pack(photos, tmp_path / "photos.rec", 8)
    return {"ours": tmp_path / "photos.rec", FILES: tmp_path / "photos"}


def test_files_and_records_have_the_same_pictures(packed):
    records, files = (open_pictures(path, CLASS_NAMES) for path in packed.values())
    assert (type(records), type(files)) == (RecordDataset, PictureFiles)
    one, other = ([pictures[i] for i in range(8)] for pictures in (records, files))
    assert one == other and one[0] == one[3] != one[2]


@pytest.mark.parametrize(("name", "kind"), [("ours", RecordDataset), (FILES, PictureFiles)])
def test_a_pass_reads_each_once(packed, monkeypatch, name, kind):
    read, get = [], kind.__getitem__
    monkeypatch.setattr(kind, "__getitem__", lambda self, i: read.append(i) or get(self, i))
    COMPETITORS[name](str(packed[name]), batch=4, threads=1)()
    assert sorted(read) == list(range(8))
