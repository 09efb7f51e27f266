import pytest
import yaml

from gluon_glore import InputError
from gluon_glore.data.image import Preprocess
from gluon_glore.weights.manifest import MANIFEST, Manifest, parse_manifest, write_manifest


@pytest.mark.parametrize(
    ("preprocess", "written"),
    [
        (Preprocess(), 0.0167),
        (Preprocess(scale=(0.5, 0.25, 2.0)), [0.5, 0.25, 2.0]),
        (Preprocess((8, 8), 0, (22.0,), 1 / 255), 1 / 255),
    ],
)
def test_pixels_are_read_as_they_were_written_one_number_as_one(tmp_path, preprocess, written):
    write_manifest(tmp_path, Manifest("tiny", ("a", "b"), preprocess), [])
    assert yaml.safe_load((tmp_path / MANIFEST).read_text())["preprocess"]["scale"] == written
    assert parse_manifest(tmp_path / MANIFEST).preprocess == preprocess


def test_a_scale_for_other_channels_is_refused_naming_the_file(tmp_path):
    write_manifest(tmp_path, Manifest("tiny", ("a", "b"), Preprocess()), [])
    file = tmp_path / MANIFEST
    file.write_text(file.read_text().replace("scale: 0.0167", "scale: [1, 2]"))
    with pytest.raises(InputError, match="manifest.yaml: scale: one number, or one for each of 3"):
        parse_manifest(file)
