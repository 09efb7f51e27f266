import re
import shutil

import cv2
import numpy as np
import pytest

from gluon_glore import InputError, get_model
from gluon_glore.__main__ import main
from gluon_glore.data.records import write_records
from gluon_glore.model_zoo.catalogue import find_row, shipped
from gluon_glore.model_zoo.entry import add_measurement, measure
from gluon_glore.model_zoo.find_weights import find_weights
from gluon_glore.model_zoo.verify import verify
from gluon_glore.utils.files import sha256
from gluon_glore.weights import load_arrays, save_arrays, with_kinds
from gluon_glore.weights.manifest import read_manifest, write_manifest
from tests.helpers.class_folders import write_class_folders
from tests.helpers.command_line import run as command
from tests.helpers.zoo import ENTRY, change_file, params_file, write_published
from train.digit_pairs import write_digits
from train.pack import pack

SHIPPED = "tiny_glore_0_1"


@pytest.fixture(scope="module")
def validation(tmp_path_factory):
    """The validation set as the Makefile makes it; the training set, drawn after it, is short."""
    directory = tmp_path_factory.mktemp("digit_pairs")
    write_digits(directory, train=2)
    return directory / "val.rec"


def test_the_shipped_entry_reaches_its_recorded_accuracy_offline(validation, root, monkeypatch):
    monkeypatch.setenv("GLORE_MIRROR", "http://127.0.0.1:9")  # not to be asked
    row = find_row(shipped(), SHIPPED)
    recorded = read_manifest(row.packaged).card.measured
    found = find_weights(SHIPPED)
    assert found.params.parent == row.packaged
    measured = measure(row.packaged, validation)
    assert measured["samples"] == recorded["samples"]
    # OpenCV enlarges digits with Intel's IPP, which rounds some pixels as the processor has it.
    same_pictures = recorded["data"].endswith(f"val.rec (sha256 {sha256(validation)[:8]})")
    assert abs(measured["top1"] - recorded["top1"]) <= (0 if same_pictures else 0.005)
    assert not root.exists()


def test_verify_says_each_check_and_what_is_measured(validation, capsys):
    measured = verify(SHIPPED, data=validation)
    lines = capsys.readouterr().out.splitlines()
    manifest = found = find_weights(SHIPPED).manifest
    for (name, digest), line in zip(found.sha256.items(), lines):
        assert line == f"{name}: sha256 {digest[:8]}, as recorded"
    golden, before, last = lines[len(manifest.sha256) :]
    assert float(re.fullmatch(r"golden numbers: logits differ by (\S+) of .*", golden)[1]) <= 5e-3
    assert before.startswith("claimed: none; measured before: top-1 91.95 % on 2000 pictures")
    assert last.startswith("measured: top-1 0.9195 on 2000 pictures of ")
    assert last.endswith(f", {measured['images_per_second']} images/s")
    assert measured["images_per_second"] > 0


def test_a_folder_is_measured_as_its_records_are(tmp_path):
    row = find_row(shipped(), SHIPPED)
    photos = write_class_folders(tmp_path / "photos", different=5, same=7)
    pack(photos, tmp_path / "photos/packed")
    folder, packed = (measure(row.packaged, path) for path in (photos, photos / "packed.rec"))
    assert folder["data"].startswith(f"{tmp_path.name}/photos (12 pictures of 2 classes, from ")
    digest = sha256(photos / "packed.rec")[:8]
    assert packed["data"] == f"photos/packed.rec (sha256 {digest})"
    same = ("top1", "samples", "bad_records")
    assert [folder[key] for key in same] == [packed[key] for key in same]


def test_of_many_classes_top5_is_measured_too(digit_pairs, tmp_path, capsys):
    net = get_model(SHIPPED, classes=10, pretrained=True)
    folder = tmp_path / write_published(tmp_path, net, "ten", tuple("0123456789"))
    measured = verify(folder, data=digit_pairs / "val.rec", batch=7)
    assert measured["samples"] == 70 and 0 <= measured["top1"] <= measured["top5"] <= 1
    assert f", top-5 {measured['top5']:.4f} on 70 pictures" in capsys.readouterr().out
    add_measurement(folder, measured)
    manifest = read_manifest(folder)
    assert manifest.card.measured == measured and manifest.score == measured["top1"]
    assert f"top-5 {measured['top5'] * 100:.2f} %" in (folder / "README.md").read_text()


@pytest.fixture
def entry(made, tmp_path):
    return shutil.copytree(made.folder / made.entry, tmp_path / "entry")


def other_weights(entry):
    """Parameters of the right checksum, that do not give the golden numbers."""
    params = entry / params_file(ENTRY)
    arrays = load_arrays(params)
    arrays["classifier_bias"] += 1
    manifest = read_manifest(entry)
    save_arrays(params, with_kinds(arrays))
    write_manifest(entry, manifest, list(manifest.sha256))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda e: change_file(e / params_file(ENTRY)), "0000.params: damaged, its checksum"),
        (lambda e: change_file(e / "golden.npz"), "golden.npz: damaged, its checksum"),
        (lambda e: (e / "golden.npz").unlink(), "golden.npz: missing"),
        (other_weights, "logits differ by "),
        (lambda e: (e / "manifest.yaml").write_text("a: [1"), "damaged manifest"),
        (lambda e: (e / "manifest.yaml").unlink(), "manifest.yaml: No such file"),
    ],
)
def test_what_is_damaged_fails_in_one_line_naming_it(entry, harm, message, capsys):
    assert main(["verify", str(entry)]) == 0
    harm(entry)
    capsys.readouterr()
    assert main(["verify", str(entry)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and message in err and len(err.splitlines()) == 1


def test_data_and_weights_that_can_not_be_used_are_one_line(
    entry,
    made,
    root,
    tmp_path,
):
    for arguments, message in (
        ((entry, None, tmp_path / "none.rec"), "none.rec: no such file"),
        ((entry, None, __file__), "test_verify.py line 1: expected path<TAB>class or path label"),
        ((entry, "x.params"), "holds its own weights, give no others"),
        ((made.export,), "no golden numbers in it"),
        (("tiny", made.export / "none.params"), "no zoo entry, nothing says what it should give"),
        (("resnet18",), "no weights for resnet18"),
        (("resnet5",), "unknown network 'resnet5', closest: "),
    ):
        with pytest.raises(InputError) as caught:
            verify(*arguments)
        assert message in str(caught.value) and len(str(caught.value).splitlines()) == 1
    records = tmp_path / "ten.rec"
    write_records(records, [(cv2.imencode(".png", np.zeros((64, 64)))[1].tobytes(), 7)] * 5)
    with pytest.raises(InputError, match="label 7 is out of range, 0 to 1 allowed"):
        measure(entry, records)
    names = tmp_path / "ten.classes.txt"
    names.write_text("a\nb\nc\n")
    with pytest.raises(InputError, match=f"^{names}: 3 class names, not the 2 of {entry} in their"):
        measure(entry, records)


def test_the_command_verifies_in_a_process_of_its_own(entry, tmp_path):
    code, out, err = command("verify", SHIPPED)
    assert (code, err) == (0, "") and "golden numbers: logits differ" in out
    change_file(entry / params_file(ENTRY))
    code, out, err = command("verify", entry)
    assert code == 2 and err.startswith(f"error: {entry}/{params_file(ENTRY)}: damaged")
    assert len(err.splitlines()) == 1
