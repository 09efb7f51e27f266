import dataclasses
import os
import subprocess

import mxnet as mx
import numpy as np
import pytest
import yaml

from benchmarks.networks import settle
from gluon_glore import InputError, NetSpec, Network, Stage, Stem, get_model, get_spec
from gluon_glore.data.image import Preprocess
from gluon_glore.model_zoo.entry import (
    add_measurement,
    check_golden,
    golden_input,
    write_entry,
)
from gluon_glore.utils.files import sha256
from gluon_glore.weights import load_arrays
from gluon_glore.weights.card import Card
from gluon_glore.weights.golden import compare_logits
from gluon_glore.weights.manifest import MANIFEST, Manifest, read_manifest

PARAMS = "mine-0000.params"
SPEC = NetSpec(
    stages=(Stage(1, 16, 1), Stage(1, 32, 2)),
    stem=Stem(8, 3, 1, 0),
    bottleneck=False,
    input_size=(12, 12),
    eps=3e-4,
    name="another",
).with_units("glore", res3=(1,))
ENTRY = Manifest("mine", ("a", "b", "c"), Preprocess((12, 12), 0), spec=SPEC, card=Card("me"))


@pytest.fixture(scope="module")
def arrays():
    return arrays_of(SPEC)


def arrays_of(spec, classes=3):
    """Random parameters of a spec's network, with running statistics of its golden input."""
    mx.random.seed(1)
    net = Network(spec, classes=classes)
    net.initialize()
    settle(net, mx.nd.array(golden_input(spec)))
    return {name: param.data().asnumpy() for name, param in net.collect_params().items()}


@pytest.fixture
def entry(tmp_path, arrays):
    return write_entry(tmp_path / "entry", ENTRY, arrays)


def reseal(folder):
    """Make the manifest's checksums those of the files as they are now."""
    fields = yaml.safe_load((folder / MANIFEST).read_text())
    fields["sha256"] = {name: sha256(folder / name) for name in fields["sha256"]}
    (folder / MANIFEST).write_text(yaml.safe_dump(fields))


def test_an_entry_is_loaded_by_name_with_its_own_network(entry, arrays):
    found = read_manifest(entry)
    assert found.spec == dataclasses.replace(SPEC, name="mine", classes=3)
    net = get_model("mine", pretrained=entry / PARAMS)
    assert net.spec == found.spec
    with np.load(entry / "golden.npz") as golden:
        logits = net(mx.nd.array(golden_input(SPEC))).asnumpy()
        assert golden["logits"].shape == (2, 3)
        assert np.abs(golden["logits"] - logits).max() < 1e-6
    assert check_golden(entry) < 1e-6


def test_golden_numbers_of_pixels_are_of_a_small_picture(tmp_path):
    shapes = {
        "fcn_resnet50_cityscapes": (2, 3, 64, 64),
        "fcn_small_cityscapes": (2, 3, 64, 64),
        "resnet50_glore_2_3": (2, 3, 224, 224),
        "tiny_3d_glore_0_1": (2, 1, 8, 64, 64),
    }
    assert {name: golden_input(get_spec(name)).shape for name in shapes} == shapes
    small = dataclasses.replace(get_spec("fcn_small_cityscapes"), input_size=(48, 320))
    assert golden_input(small).shape == (2, 3, 48, 64)


def test_an_entry_of_pixels_has_logits_of_each(tmp_path):
    spec = get_spec("fcn_small_glore_1_cityscapes")
    manifest = dataclasses.replace(ENTRY, spec=spec)
    entry = write_entry(tmp_path / "entry", manifest, arrays_of(spec))
    with np.load(entry / "golden.npz") as golden:
        assert golden["logits"].shape == (2, 3, 64, 64)
    assert check_golden(entry) < 1e-6
    add_measurement(entry, {"data": "v", "miou": 0.5, "accuracy": 0.75, "samples": 8})
    assert read_manifest(entry).score == 0.5
    said = "mean IoU 50.00 %, 75.00 % of the pixels right on 8 scenes of v"
    assert said in (entry / "README.md").read_text()


@pytest.mark.parametrize("name", [PARAMS, "golden.npz"])
def test_a_flipped_byte_is_found(entry, name):
    data = bytearray((entry / name).read_bytes())
    data[len(data) // 2] ^= 1
    (entry / name).write_bytes(data)
    with pytest.raises(InputError, match=f"{name}: damaged, its checksum is not the manifest's"):
        check_golden(entry)


def test_golden_numbers_find_changed_weights_whatever_the_checksum_says(entry):
    saved = {f"arg:{n}": a for n, a in load_arrays(entry / PARAMS).items()}
    saved["arg:conv3_B01_extra_GCN-G__conv_weight"] *= 1.5
    mx.nd.save(str(entry / PARAMS), saved)
    reseal(entry)
    with pytest.raises(InputError, match="entry: logits differ by .* deviation, at most 0.005$"):
        check_golden(entry)


@pytest.mark.parametrize("field", ["eps", "extras"])
def test_golden_numbers_find_another_network(entry, field):
    fields = yaml.safe_load((entry / MANIFEST).read_text())
    fields["network"][field] = {"eps": 0.1, "extras": []}[field]
    (entry / MANIFEST).write_text(yaml.safe_dump(fields))
    with pytest.raises(InputError, match="logits differ|weights of another network"):
        check_golden(entry)


def test_damaged_golden_numbers_are_refused(entry):
    for content in (b"", b"PK\x05\x06", b"hello"):
        (entry / "golden.npz").write_bytes(content)
        reseal(entry)
        with pytest.raises(InputError, match="golden.npz: damaged golden numbers"):
            check_golden(entry)
    for fields in ({"seed": 1}, {"seed": "x", "shape": (1,), "logits": 1}):
        np.savez(entry / "golden.npz", **fields)
        reseal(entry)
        with pytest.raises(InputError, match="golden.npz: damaged golden numbers"):
            check_golden(entry)
    with pytest.raises(InputError, match="no golden numbers in it|missing"):
        (entry / "golden.npz").unlink()
        check_golden(entry)


def test_logits_agree_as_a_share_of_their_deviation():
    expected = np.array([[0.0, 100.0]])
    assert compare_logits(expected + 0.2, expected, "x") == pytest.approx(0.004)
    for wrong, message in (
        (expected + 0.3, "x: logits differ by 6.0e-03 of their deviation, at most 0.005"),
        (expected * np.nan, "x: logits differ by nan"),
        (expected[:, :1], r"x: logits of \(1, 1\), expected \(1, 2\)"),
    ):
        with pytest.raises(InputError, match=message):
            compare_logits(wrong, expected, "x")


def test_half_precision_halves_the_file_and_has_golden_numbers_of_its_own(tmp_path, entry, arrays):
    half = write_entry(tmp_path / "half", ENTRY, arrays, dtype="float16")
    assert {a.dtype for a in load_arrays(half / PARAMS).values()} == {np.float16}
    sizes = [(folder / PARAMS).stat().st_size for folder in (half, entry)]
    assert sizes[0] < 0.6 * sizes[1]
    assert check_golden(half) < 1e-6
    logits = [np.load(folder / "golden.npz")["logits"] for folder in (half, entry)]
    assert 0 < np.abs(logits[0] - logits[1]).max() < 0.05 * logits[1].std()
    net = get_model("mine", pretrained=half)
    assert {np.dtype(p.dtype) for p in net.collect_params().values()} == {np.dtype("float32")}


def test_half_precision_leaves_alone_what_float16_cannot_hold(tmp_path, arrays):
    large = next(name for name in arrays if name.endswith("running_var"))
    arrays = {**arrays, large: np.full_like(arrays[large], 1e5)}
    half = write_entry(tmp_path / "half", ENTRY, arrays, dtype="float16")
    saved = {name.split(":")[-1]: array for name, array in load_arrays(half / PARAMS).items()}
    assert saved[large].dtype == np.float32 and (saved[large].asnumpy() == 1e5).all()
    assert {a.dtype for name, a in saved.items() if name != large} == {np.float16}
    assert check_golden(half) < 1e-6


def test_files_that_belong_to_it_are_copied_and_sealed(tmp_path, arrays):
    extra = tmp_path / "config.yaml"
    extra.write_text("a: 1")
    entry = write_entry(tmp_path / "entry", ENTRY, arrays, [extra])
    assert (entry / "config.yaml").read_text() == "a: 1"
    assert "config.yaml" in read_manifest(entry).sha256


def test_a_measurement_goes_into_manifest_and_card_and_nothing_else_changes(entry):
    before = read_manifest(entry)
    measured = {"data": "v.rec", "top1": 0.25, "samples": 8}
    add_measurement(entry, measured)
    after = read_manifest(entry)
    assert after.score == 0.25 and after.card.measured == measured
    card = dataclasses.replace(after.card, measured={})
    assert dataclasses.replace(after, score=None, card=card) == before
    assert "top-1 25.00 % on 8 pictures of v.rec" in (entry / "README.md").read_text()
    assert check_golden(entry) < 1e-6


def test_an_entry_is_written_whole_or_not_at_all(tmp_path, arrays):
    def refused(message, manifest=ENTRY, given=arrays, place=tmp_path / "entry", extra=()):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(InputError, match=message) as error:
            write_entry(place, manifest, given, extra)
        assert sorted(tmp_path.rglob("*")) == before and "\n" not in str(error.value)

    less = {name: array for name, array in arrays.items() if name != "tail__bn_beta"}
    refused("weights of another network, 1 parameters differ: tail__bn_beta", given=less)
    refused("x is not in the network", given={**arrays, "x": np.zeros(1)})
    infinite = {**arrays, "classifier_weight": np.full((3, 32), 3e38, np.float32)}
    refused("mine: with these weights its logits are not finite", given=infinite)
    refused("2 classes|classifier", manifest=dataclasses.replace(ENTRY, class_names=("a", "b")))
    refused("none.yaml: No such file", extra=[tmp_path / "none.yaml"])
    for name in ("../mine", "a/b", "", "a b"):
        refused("a network's name has", manifest=dataclasses.replace(ENTRY, model=name))
    (tmp_path / "file").write_text("x")
    refused("file: not an empty folder", place=tmp_path / "file")


def test_an_empty_folder_may_be_there_and_others_may_read_the_entry(tmp_path, arrays):
    (tmp_path / "entry").mkdir()
    entry = write_entry(tmp_path / "entry", ENTRY, arrays)
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "file").write_text("")
    assert entry.stat().st_mode == plain.stat().st_mode
    for file in entry.iterdir():
        assert file.stat().st_mode == (plain / "file").stat().st_mode, file


def test_a_disk_that_fills_at_any_point_leaves_nothing(tmp_path, arrays, mount):
    place = mount("size=240k")
    needed = 100  # kilobytes, about
    for free in range(8, needed, 16):
        (place / "other").write_bytes(bytes((240 - free) << 10))
        with pytest.raises(InputError, match="No space left|could not be written"):
            write_entry(place / "entry", ENTRY, arrays)
        assert os.listdir(place) == ["other"]
    (place / "other").unlink()
    assert check_golden(write_entry(place / "entry", ENTRY, arrays)) < 1e-6
    used = subprocess.run(["du", "-sk", str(place)], capture_output=True, text=True, check=True)
    assert needed <= int(used.stdout.split()[0]) < 240
