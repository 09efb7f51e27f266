import dataclasses
import math
import os

import pytest
import yaml

from gluon_glore import InputError, get_spec
from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess
from gluon_glore.model_zoo.catalogue import SHIPPED
from gluon_glore.weights.card import Card
from gluon_glore.weights.deployment import Deployment
from gluon_glore.weights.manifest import (
    MANIFEST,
    Manifest,
    clip_of,
    labels_pixels,
    parse_manifest,
    read_manifest,
    spec_of,
    write_manifest,
)


def written(folder, model, spec=None):
    write_manifest(folder, Manifest(model, ("a", "b"), Preprocess((64, 64)), spec=spec), [])
    return folder / MANIFEST


def change(path, edit):
    """Rewrite a manifest's fields."""
    fields = yaml.safe_load(path.read_text())
    edit(fields)
    path.write_text(yaml.safe_dump(fields))
    return path


@pytest.mark.parametrize(("name", "momentum"), [("resnet50", 0.92), ("dpn92", 0.9), ("tiny", 0.9)])
def test_a_registered_network_comes_back_with_its_momentum(tmp_path, name, momentum):
    found = spec_of(parse_manifest(written(tmp_path, name)))
    assert dataclasses.replace(found, source="") == dataclasses.replace(get_spec(name), source="")
    assert found.momentum == momentum


@pytest.mark.parametrize("name", ["resnet50", "fcn_resnet50_cityscapes", "dpn92", "tiny"])
def test_files_from_before_the_field_are_of_networks_trained_with_the_old_momentum(tmp_path, name):
    path = written(tmp_path, name)
    alone = spec_of(parse_manifest(change(path, lambda fields: fields.pop("network", None))))
    assert alone == dataclasses.replace(get_spec(name), momentum=0.9)
    path = written(tmp_path, name, get_spec(name))
    of_spec = parse_manifest(change(path, lambda fields: fields["network"].pop("momentum"))).spec
    assert of_spec == dataclasses.replace(get_spec(name), momentum=0.9, source="")


def test_a_momentum_that_is_none_is_refused(tmp_path):
    for value in (1.0, "x", None, [0.9]):
        path = written(tmp_path, "tiny", get_spec("tiny"))
        change(path, lambda fields, value=value: fields["network"].update(momentum=value))
        with pytest.raises(InputError, match="manifest.yaml: the network's description can't be"):
            parse_manifest(path)


def test_a_network_that_nobody_registered_needs_its_spec(tmp_path):
    assert spec_of(parse_manifest(written(tmp_path, "somebodys"))) is None


@pytest.mark.parametrize(
    ("preprocess", "scale"),
    [
        (Preprocess(), 0.0167),
        (Preprocess(scale=(0.5, 0.25, 2.0)), [0.5, 0.25, 2.0]),
        (Preprocess((8, 8), 0, (22.0,), 1 / 255), 1 / 255),
    ],
)
def test_pixels_are_read_as_they_were_written_one_number_as_one(tmp_path, preprocess, scale):
    write_manifest(tmp_path, Manifest("tiny", ("a", "b"), preprocess), [])
    assert yaml.safe_load((tmp_path / MANIFEST).read_text())["preprocess"]["scale"] == scale
    assert parse_manifest(tmp_path / MANIFEST).preprocess == preprocess


def test_a_scale_for_other_channels_is_refused_naming_the_file(tmp_path):
    write_manifest(tmp_path, Manifest("tiny", ("a", "b"), Preprocess()), [])
    file = tmp_path / MANIFEST
    file.write_text(file.read_text().replace("scale: 0.0167", "scale: [1, 2]"))
    with pytest.raises(InputError, match="manifest.yaml: scale: one number, or one for each of 3"):
        parse_manifest(file)


FULL = Manifest(
    "small",
    ("a", "b"),
    Preprocess((64, 64)),
    epoch=3,
    step=7,
    order={"seed": 1, "pictures": 10},
    score=0.5,
    spec=get_spec("tiny_glore_0_1"),
    card=Card("somewhere"),
    deployment=Deployment((None, 3, 64, 64), checked={"mxnet": {"error": 1e-6}}),
    clip=Clip(8, 2, 25.0),
)
NAME = "a name of at most 200 characters without a slash"


@pytest.mark.parametrize(
    ("place", "value", "line"),
    [
        ("model", "../elsewhere/x", f"model: {NAME}, given '../elsewhere/x'"),
        ("model", "..", f"model: {NAME}, given"),
        ("model", 7, f"model: {NAME}, given 7"),
        ("sha256", {"../a.params": "0" * 64}, f"a name in sha256: {NAME}, given '../a.params'"),
        ("sha256", {"/etc/a.params": "0" * 64}, f"a name in sha256: {NAME}, given"),
        ("sha256", {"a.params": "zz"}, "sha256.a.params: a sha256 of 64 digits, given 'zz'"),
        ("sha256", ["a.params"], "sha256: names and values, each a sha256"),
        ("epoch", math.inf, "epoch: a whole number from 0 to 1000000000, given inf"),
        ("epoch", True, "epoch: a whole number"),
        ("step", -1, "step: a whole number from 0 to 1000000000, given -1"),
        ("order", {"seed": "x"}, "order.seed: a whole number"),
        ("order", [1], "order: names and values"),
        ("score", "high", "score: a number that is finite, given 'high'"),
        ("score", -math.inf, "score: a number that is finite, given -inf"),
        ("class_names", ["a", [1, 2]], "class_names[1]: a line of text, given [1, 2]"),
        ("class_names", ["a", "b\nc"], "class_names[1]: a line of text, given 'b\\nc'"),
        ("class_names", "ab", "class_names: a list of values, each a line of text, given 'ab'"),
        ("preprocess scale", "x", "preprocess.scale: a number above 0, at most 1e+09, or a list"),
        ("preprocess scale", [1, math.inf, 1], "preprocess.scale: a number above 0"),
        ("preprocess resize", -5, "preprocess.resize: a whole number from 0 to 1048576, given -5"),
        ("preprocess mean", [math.nan] * 3, "preprocess.mean[0]: a number from"),
        ("preprocess mean", [], "preprocess.mean: a list of 1 to 1024 values"),
        ("preprocess size", [0, 64], "preprocess.size[0]: a whole number from 1 to"),
        ("preprocess size", [10**9, 64], "preprocess.size[0]: a whole number from 1 to"),
        ("preprocess size", [10**5, 10**5], "size: at most 67108864 pixels in all, given (100000,"),
        ("preprocess", {"size": [1, 1]}, "preprocess.resize: missing"),
        ("versions", [1], "versions: names and values"),
        ("output", "shares", "output: one of logits, probabilities, given 'shares'"),
        ("clip stride", 0, "clip.stride: a whole number from 1 to 1000000, given 0"),
        ("clip rate", math.nan, "clip.rate: a number from 0 to 1000000, given nan"),
        ("clip rate", "25", "clip.rate: a number"),
        ("deployment tolerance", math.nan, "deployment.tolerance: a number from 0"),
        ("deployment precision", "int4", "deployment.precision: one of fp32, bf16, int8, given"),
        ("deployment float32", {"onnx": ["a\nb"]}, "deployment.float32.onnx[0]: a line of text"),
        (
            "deployment checked",
            {"mxnet": {"error": "x"}},
            "deployment.checked.mxnet.error: a number",
        ),
        ("input shape", [None, 3, 0, 64], "input.shape[2]: a whole number from 1"),
        ("input layout", "NCDHW", "input.layout: a letter for each of the shape's 4 axes, given"),
        ("input dtype", "object", "input.dtype: one of float32, uint8, given 'object'"),
        ("card source", [1], "card.source: a text, given [1]"),
        ("card measured", {"top1": "x"}, "card.measured.data: missing"),
        ("network stages 0 blocks", "many", "network.stages[0].blocks: whole numbers go from 0"),
        ("network stages 0 blocks", 10**6, "a stage has 1 to 1000 blocks, given 1000000"),
        ("network stages 0 stride", 0, "kernel and stride must be at least 1, given"),
        ("network stem kernel", "x", "network.stem.kernel: whole numbers go from 0"),
        ("network extras 0 options", {"name": "../x"}, "network.extras[0].options.name: unknown"),
        ("network extras 0 kind", [1], "network.extras[0].kind: a line of text, given [1]"),
        ("network head", {"channels": "x"}, "network.head.channels: whole numbers"),
        ("network name", "../x", "network.name: unknown, known: stages, stem"),
        ("network eps", "1e-4", "network.eps: numbers go from 0"),
    ],
)
def test_a_field_that_will_not_do_is_named_in_a_line_with_what_is_allowed(
    tmp_path, place, value, line
):
    write_manifest(tmp_path, FULL, [])

    def edit(fields):
        *way, last = (int(part) if part.isdigit() else part for part in place.split())
        for part in way:
            fields = fields[part]
        fields[last] = value

    with pytest.raises(InputError) as refused:
        parse_manifest(change(tmp_path / MANIFEST, edit))
    told = str(refused.value)
    assert told.startswith(f"{tmp_path / MANIFEST}: ") and line in told
    assert len(told.splitlines()) == 1


def test_a_manifest_with_everything_comes_back(tmp_path):
    write_manifest(tmp_path, FULL, [])
    spec = dataclasses.replace(FULL.spec, name="small", source="")
    assert parse_manifest(tmp_path / MANIFEST) == dataclasses.replace(FULL, spec=spec)


@pytest.mark.parametrize("field", ["model", "epoch", "preprocess", "class_names", "sha256"])
def test_a_field_that_is_missing_is_named(tmp_path, field):
    path = change(written(tmp_path, "tiny"), lambda fields: fields.pop(field))
    with pytest.raises(InputError, match=f"^{path}: damaged manifest: {field}: missing$"):
        parse_manifest(path)


def test_manifests_of_the_first_version_are_read(tmp_path):
    def edit(fields):
        for newer in ("network", "step", "order", "score"):
            fields.pop(newer, None)
        fields["top1"] = 0.25
        fields["of_a_later_version"] = {"a": 1}

    manifest = parse_manifest(change(written(tmp_path, "tiny"), edit))
    assert (manifest.score, manifest.step, manifest.order) == (0.25, 0, {})


def test_every_entry_that_comes_with_the_package_is_read():
    entries = list(SHIPPED.glob("*/manifest.yaml"))
    assert entries and all(parse_manifest(path).card for path in entries)


def test_an_evaluation_of_nothing_has_no_score(tmp_path):
    manifest = Manifest("tiny", ("a", "b"), Preprocess(), score=math.nan)
    write_manifest(tmp_path, manifest, [])
    assert yaml.safe_load((tmp_path / MANIFEST).read_text())["score"] is None
    path = change(tmp_path / MANIFEST, lambda fields: fields.update(score=math.nan))
    assert parse_manifest(path).score is None


def test_what_could_not_be_read_is_not_written(tmp_path):
    with pytest.raises(InputError, match=r"damaged manifest: class_names\[0\]: a line of text"):
        write_manifest(tmp_path, Manifest("tiny", ("a\nb",), Preprocess()), [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "the fields model, epoch"),
        ("- 1", "the fields model, epoch"),
        ("score: !!float", "'' is not a number, line 1, column 8"),
        ("epoch: 1\nepoch: 2", "key 'epoch' is there twice, line 2"),
        ("a: &a 1\nb: *a", "an alias, none may be here: write the value again, line 2"),
    ],
)
def test_what_is_no_manifest_says_why(tmp_path, text, line):
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(InputError, match=f"^{tmp_path / MANIFEST}: damaged manifest: {line}"):
        parse_manifest(tmp_path / MANIFEST)


def sparse(path):
    path.touch()
    os.truncate(path, 30 * 2**30)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "a named pipe, a file is needed"),
        (lambda path: path.symlink_to("/dev/zero"), "a device, a file is needed"),
        (os.mkdir, "Is a directory"),
        (sparse, "32212254720 bytes, at most [0-9]+ are read"),
    ],
    ids=["pipe", "device", "folder", "sparse"],
)
def test_what_is_no_file_is_refused_as_a_manifest_and_as_a_file_of_one(tmp_path, make, reason):
    make(tmp_path / MANIFEST)
    with pytest.raises(InputError, match=f"^{tmp_path / MANIFEST}: {reason}$"):
        read_manifest(tmp_path)
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "a.params").write_text("x")
    write_manifest(folder, Manifest("tiny", ("a", "b"), Preprocess()), ["a.params"])
    (folder / "a.params").unlink()
    make(folder / "a.params")
    with pytest.raises(InputError, match=f"^{folder / 'a.params'}: {reason}$"):
        read_manifest(folder)


def test_a_link_out_of_the_folder_is_under_the_checksum_too(tmp_path):
    (tmp_path / "outside").write_text("x")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.params").symlink_to("../outside")
    write_manifest(folder, Manifest("tiny", ("a", "b"), Preprocess()), ["a.params"])
    assert read_manifest(folder).model == "tiny"
    (tmp_path / "outside").write_text("y")
    with pytest.raises(InputError, match="a.params: damaged, its checksum is not the manifest's"):
        read_manifest(folder)
    (tmp_path / "outside").unlink()
    with pytest.raises(InputError, match="a.params: No such file or directory"):
        read_manifest(folder)


def test_a_network_of_others_says_what_it_does_and_has_no_spec(tmp_path):
    for task, clip in (("classify", None), ("segment", None), ("recognize", Clip(4, 2))):
        manifest = Manifest("resnet50", ("a", "b"), Preprocess((64, 64)), task=task, clip=clip)
        write_manifest(tmp_path, manifest, [])
        found = parse_manifest(tmp_path / MANIFEST)
        assert (found.task, found.clip, spec_of(found)) == (task, clip, None)
        assert labels_pixels(found) == (task == "segment") and clip_of(found) == clip


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"task": "detect"}, "task: one of .*classify, segment, recognize"),
        ({"task": "recognize"}, "task: recognize, clips are what networks that recognize see"),
        ({"task": "classify", "clip": {"frames": 2}}, "task: classify, clips are what"),
    ],
)
def test_another_task_is_a_damaged_manifest(tmp_path, fields, message):
    path = change(written(tmp_path, "net"), lambda own: own.update(fields))
    with pytest.raises(InputError, match=f"damaged manifest: {message}"):
        parse_manifest(path)
