import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.image import Preprocess, decode_image
from gluon_glore.data.records import RecordDataset, write_records
from gluon_glore.export.calibration import LEAST, read_calibration
from gluon_glore.export.samples import in_batches
from gluon_glore.weights.deployment import Deployment
from gluon_glore.weights.manifest import Manifest
from tests.helpers.class_folders import write_class_folders
from train.pack import pack

GREY = Preprocess(size=(64, 64), resize=0, mean=(22.0,), scale=0.0167)
PIXELS = Deployment((None, 1, 64, 64))
PICTURES = Deployment((None, 64, 64, 1), "NHWC", "uint8")


def manifest(preprocess=GREY, deployment=PIXELS, classes=("no", "yes")):
    return Manifest("tiny", classes, preprocess, deployment=deployment)


def samples(count, size=(64, 64), label=0):
    return [
        (cv2.imencode(".png", np.full(size, i, "uint8"))[1].tobytes(), label) for i in range(count)
    ]


def test_each_picture_is_used_or_held_out_prepared_as_the_input(digit_pairs):
    path = digit_pairs / "val.rec"
    given = read_calibration(path, manifest())
    assert (len(given.used), len(given.held_out), len(given.labels)) == (35, 35, 35)
    dataset = RecordDataset(path, 2)
    prepared = {}
    for data, label in (dataset[i] for i in range(len(dataset))):
        prepared[GREY(decode_image(data, 1)).tobytes()] = label
    seen = [x.tobytes() for x in (*given.used, *given.held_out)]
    assert sorted(seen) == sorted(prepared)
    assert [prepared[x.tobytes()] for x in given.held_out] == list(given.labels)
    assert given.used.dtype == np.float32
    assert np.array_equal(given.tried, given.used[:32])


def test_graphs_that_take_pictures_get_pictures(digit_pairs):
    pixels = read_calibration(digit_pairs / "val.rec", manifest())
    pictures = read_calibration(digit_pairs / "val.rec", manifest(deployment=PICTURES))
    assert pictures.used.dtype == np.uint8
    assert pictures.used.shape == (35, 64, 64, 1)
    assert np.array_equal(GREY.normalize(pictures.used[3]), pixels.used[3])


def test_a_folder_calibrates_as_its_records_do(tmp_path):
    photos = write_class_folders(tmp_path / "photos", no=LEAST, yes=LEAST + 4)
    pack(photos, tmp_path / "packed")
    folder, packed = (
        read_calibration(path, manifest()) for path in (photos, tmp_path / "packed.rec")
    )
    assert np.array_equal(folder.used, packed.used) and len(folder.used) == LEAST + 2
    assert np.array_equal(folder.held_out, packed.held_out)
    assert np.array_equal(folder.labels, packed.labels)
    with pytest.raises(InputError, match="class 'yes' is not among the 2 names"):
        read_calibration(photos, manifest(classes=("maybe", "no")))


def test_sets_that_can_not_calibrate_are_refused(tmp_path, digit_pairs):
    with pytest.raises(InputError, match=r"none.rec: no such file"):
        read_calibration(tmp_path / "none.rec", manifest())
    write_records(tmp_path / "few.rec", samples(2 * LEAST - 1))
    with pytest.raises(InputError, match=r"few.rec: at least 32 pictures are needed, given 31"):
        read_calibration(tmp_path / "few.rec", manifest())
    write_records(tmp_path / "small.rec", samples(2 * LEAST, size=(48, 64)))
    with pytest.raises(
        InputError, match=r"small.rec record \d+: picture of 48x64 pixels, the netw"
    ):
        read_calibration(tmp_path / "small.rec", manifest())
    write_records(tmp_path / "classes.rec", samples(2 * LEAST, label=2))
    with pytest.raises(InputError, match=r"classes.rec record \d+: label 2 is out of range"):
        read_calibration(tmp_path / "classes.rec", manifest())
    write_records(tmp_path / "text.rec", [(b"no picture", 0)] * 40)
    with pytest.raises(InputError, match=r"text.rec record \d+: not a readable picture"):
        read_calibration(tmp_path / "text.rec", manifest())
    (tmp_path / "text.classes.txt").write_text("yes\nno\n")
    with pytest.raises(InputError, match=r"text.classes.txt: 2 class names, not the 2 of tiny in"):
        read_calibration(tmp_path / "text.rec", manifest())
    video = manifest(Preprocess(), Deployment((None, 3, 8, 64, 64), "NCDHW"))
    with pytest.raises(InputError, match=r"tiny takes no pictures, as those of .*val.rec"):
        read_calibration(digit_pairs / "val.rec", video)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 16])
def test_batches_have_one_size_and_all_the_outputs(count):
    sizes = []

    def network(batch):
        sizes.append(len(batch))
        return batch * 2

    x = np.arange(count * 3.0).reshape(count, 3)
    assert np.array_equal(in_batches(network, x), 2 * x)
    assert set(sizes) == {8}
