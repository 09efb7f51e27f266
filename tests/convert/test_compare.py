import json

import numpy as np
import pytest

from gluon_glore import InputError, NetSpec, Stage, Stem
from gluon_glore.convert import compare
from gluon_glore.convert.compare import released_logits
from tests.helpers.released import network, picture, write_files

SPEC = NetSpec(stages=(Stage(1, 16, 2),), stem=Stem(8, 3, 2, 0), input_size=(16, 16), classes=3)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    spec = SPEC.with_units("glore", res2=(1,))
    return write_files(tmp_path_factory.mktemp("in"), *network(spec)), picture(spec)


def test_the_logits_are_those_before_the_softmax(release):
    files, x = release
    logits = released_logits(*files, x)
    assert logits.shape == (2, 3) and logits.dtype == np.float32
    assert np.isfinite(logits).all() and (logits < 0).any()
    assert not np.allclose(logits.sum(axis=1), 1)


def test_what_does_not_run_says_the_last_line_of_why(release, tmp_path):
    files, x = release
    with pytest.raises(InputError, match="symbol.json: does not run on .* operators: ") as error:
        released_logits(*files, x[:, :, :9])
    assert "\n" not in str(error.value)
    symbol = json.loads(files[0].read_text())
    symbol["nodes"][2]["op"] = "Nonsense"
    (tmp_path / "n-symbol.json").write_text(json.dumps(symbol))
    with pytest.raises(InputError, match="n-symbol.json: does not run on .* operators: "):
        released_logits(tmp_path / "n-symbol.json", files[1], x)


def test_what_runs_for_too_long_is_stopped(release, monkeypatch):
    files, x = release
    monkeypatch.setattr(compare, "TIMEOUT", 0.1)
    with pytest.raises(InputError, match="symbol.json: does not run within 0.1 s"):
        released_logits(*files, x)
