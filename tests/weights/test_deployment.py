from dataclasses import replace

import numpy as np
import pytest
import yaml

from gluon_glore import InputError
from gluon_glore.weights.deployment import Deployment, read_deployment, refuse_precision

WHOLE = Deployment(
    (None, 3, 32, None),
    precision="int8",
    float32={"onnx": ("stem", "tail")},
    tolerance=0.1,
    checked={"mxnet": {"error": 1e-6}},
)


def test_fields_come_back_through_yaml():
    given, fields = yaml.safe_load(yaml.safe_dump(WHOLE.fields()))
    assert given["name"] == "data"
    assert read_deployment(given, fields) == WHOLE
    named = replace(WHOLE, stem="model", probabilities=True)
    assert read_deployment(*named.fields(), named.output) == named


def test_pixels_are_laid_out_as_the_graph_takes_them():
    picture = np.arange(24).reshape(2, 4, 3).astype("uint8")
    clips = np.arange(120).reshape(5, 2, 2, 2, 3).astype("uint8")
    first = Deployment((None, 3, 2, 4), "NCHW", "uint8")
    assert np.array_equal(first.laid_out(picture), picture.transpose(2, 0, 1))
    assert first.laid_out(picture).flags.c_contiguous
    assert np.array_equal(first.laid_out(picture[None])[0], first.laid_out(picture))
    last = Deployment((None, 2, 4, 3), "NHWC", "uint8")
    assert np.array_equal(last.laid_out(picture), picture)
    first = Deployment((None, 3, 2, 2, 2), "NCDHW", "uint8")
    assert np.array_equal(first.laid_out(clips), clips.transpose(0, 4, 1, 2, 3))
    assert np.array_equal(first.laid_out(clips[1]), clips[1].transpose(3, 0, 1, 2))


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        (0, "shape", 3),
        (0, "shape", [None, "three"]),
        (0, "shape", [None, -1]),
        (0, "layout", None),
        (0, "dtype", "object"),
        (1, "precision", "int4"),
        (1, "tolerance", "much"),
        (1, "float32", ["stem"]),
        (1, "checked", [1]),
        (1, "plain", "yes"),
        (1, "more", 1),
        (1, "stem", "../elsewhere"),
        (1, "stem", ""),
        (1, "probabilities", True),  # the manifest's `output` says it
    ],
)
def test_damaged_fields_are_refused(part, key, value):
    parts = WHOLE.fields()
    parts[part][key] = value
    with pytest.raises(InputError, match="damaged description of the deployment"):
        read_deployment(*parts)


def test_what_is_a_batch_of_the_input():
    def accepts(*shape, dtype="float32"):
        return WHOLE.accepts(np.zeros(shape, dtype))

    assert accepts(1, 3, 32, 32) and accepts(5, 3, 32, 7)
    assert not accepts(1, 3, 31, 32) and not accepts(3, 32, 32)
    assert not accepts(1, 3, 32, 32, dtype="uint8")


def test_precisions_are_known_by_name():
    refuse_precision("bf16")
    with pytest.raises(InputError, match="unknown precision 'fp8', known: fp32, bf16, int8"):
        refuse_precision("fp8")
