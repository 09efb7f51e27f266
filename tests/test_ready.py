import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT
from test_export import TINY, exported

from gluon_glore import InputError, get_spec
from gluon_glore.manifest import Manifest
from gluon_glore.ready import Ready, load_ready
from gluon_glore.zoo import spec_of


def test_a_networks_spec_is_its_manifests_else_the_registered_one_else_unknown():
    own = get_spec("tiny")
    assert spec_of(Manifest("resnet50", (), TINY, spec=own)) is own
    assert spec_of(Manifest("resnet50", (), TINY)) == get_spec("resnet50")
    assert spec_of(Manifest("nobody_s", (), TINY)) is None


def test_networks_with_a_head_of_pixels_segment_others_do_not():
    for spec, segments in ((SimpleNamespace(head="some"), True), (get_spec("tiny"), False)):
        assert Ready(None, Manifest("m", (), TINY, spec=spec), "mxnet").segments == segments
    assert not Ready(None, Manifest("nobody_s", (), TINY), "mxnet").segments


def test_a_network_by_name_and_one_exported_map_numpy_to_numpy(tmp_path):
    net = exported(tmp_path)
    x = np.random.RandomState(0).normal(size=(2, 1, 64, 64)).astype("float32")
    for model, runtime in (("tiny_glore_0_1", None), (tmp_path, "mxnet")):
        ready = load_ready(model, runtime=runtime)
        logits = ready.network(x)
        assert (type(logits), logits.shape, logits.dtype) == (np.ndarray, (2, 2), np.float32)
        assert (ready.runtime, ready.manifest.model) == ("mxnet", net.spec.name)


def test_what_holds_its_own_takes_no_other_weights(tmp_path):
    exported(tmp_path)
    with pytest.raises(InputError, match="holds its own weights and class names"):
        load_ready(tmp_path, weights="w.params")


def test_mxnet_is_imported_only_where_it_runs_something():
    code = "import sys, gluon_glore.segment, gluon_glore.classify; print('mxnet' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
