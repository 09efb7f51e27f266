"""What is not exported runs on PyTorch where that is asked for, or MXNet is missing."""

import subprocess
import sys

import numpy as np
import pytest

from gluon_glore.data.image import encode_png
from gluon_glore.inference import predictor
from gluon_glore.inference.predictor import load_predictor
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.golden import compare_logits, read_golden
from tests.helpers.places import ROOT

pytest.importorskip("torch", reason="needs torch")
NAME = "tiny_glore_0_1"
ENTRY = next((ROOT / "gluon_glore/model_zoo/entries").glob(f"{NAME}-*"))


@pytest.mark.parametrize("model", [NAME, ENTRY], ids=["name", "entry"])
def test_a_network_runs_on_pytorch(model):
    found = load_predictor(model, runtime="pytorch")
    x, expected = read_golden(ENTRY)
    logits = found.network(x)
    assert (type(logits), logits.dtype, found.runtime) == (np.ndarray, np.float32, "pytorch")
    assert compare_logits(logits, expected, "pytorch") < 1e-5
    x.flags.writeable = False  # as of a shared buffer
    assert np.array_equal(found.network(x), logits)


def test_it_is_chosen_where_mxnet_is_missing(monkeypatch):
    monkeypatch.setattr(predictor, "installed", lambda module: module != "mxnet")
    assert load_predictor(NAME).runtime == "pytorch"


def test_what_it_does_not_run_is_one_line(tmp_path):
    with pytest.raises(InputError, match="runs on mxnet or pytorch, not on openvino"):
        load_predictor(NAME, runtime="openvino")
    (tmp_path / "net-symbol.json").write_text("{}")
    with pytest.raises(InputError, match="net-symbol.json: a symbol, which only MXNet runs"):
        load_predictor(tmp_path / "net-symbol.json", runtime="pytorch")


def test_the_command_says_a_class(tmp_path):
    (tmp_path / "a.png").write_bytes(encode_png(np.zeros((64, 64), np.uint8)))
    command = [sys.executable, "-m", "gluon_glore", "predict", str(tmp_path / "a.png")]
    options = ["--model", NAME, "--runtime", "pytorch"]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "same" in done.stdout, done.stderr
