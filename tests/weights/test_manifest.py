import dataclasses

import pytest
import yaml

from gluon_glore import InputError, get_spec
from gluon_glore.data.image import Preprocess
from gluon_glore.weights.manifest import MANIFEST, Manifest, parse_manifest, spec_of, write_manifest


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
