import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from gluon_glore import InputError, get_spec
from gluon_glore.data.clips import Clip
from gluon_glore.inference.predictor import Predictor, Task, load_predictor
from gluon_glore.weights.manifest import Manifest, clip_of, spec_of
from tests.helpers.exports import TINY, exported
from tests.helpers.places import ROOT


def test_a_networks_spec_is_its_manifests_else_the_registered_one_else_unknown():
    own = get_spec("tiny")
    assert spec_of(Manifest("resnet50", (), TINY, spec=own)) is own
    assert spec_of(Manifest("resnet50", (), TINY)) == get_spec("resnet50")
    assert spec_of(Manifest("nobody_s", (), TINY)) is None


def test_networks_with_a_head_of_pixels_segment_others_do_not():
    for spec, segments in ((SimpleNamespace(head="some", ndim=2), True), (get_spec("tiny"), False)):
        predictor = Predictor(None, Manifest("m", (), TINY, spec=spec))
        assert (predictor.task is Task.SEGMENT) == segments
    assert Predictor(None, Manifest("nobody_s", (), TINY)).task is not Task.SEGMENT


def test_networks_of_three_dimensions_watch_videos_others_see_pictures():
    tasks = [
        Predictor(None, Manifest("m", (), TINY, spec=get_spec(name))).task
        for name in ("tiny", "fcn_resnet50_cityscapes", "resnet50_3d_kinetics400")
    ]
    assert tasks == [Task.CLASSIFY, Task.SEGMENT, Task.RECOGNIZE] == list(Task)
    assert [task is Task.RECOGNIZE for task in tasks] == [False, False, True]
    assert Predictor(None, Manifest("nobody_s", (), TINY)).task is Task.CLASSIFY


def test_a_network_sees_its_manifests_clips_else_the_papers():
    video = Manifest("resnet50_3d_kinetics400", (), TINY)
    assert clip_of(video) == Clip(8, 8)
    assert clip_of(replace(video, clip=Clip(8, 2, 15.0))) == Clip(8, 2, 15.0)
    assert clip_of(Manifest("tiny", (), TINY, clip=Clip())) is None


def test_a_network_by_name_and_one_exported_map_numpy_to_numpy(tmp_path):
    net = exported(tmp_path)
    x = np.random.RandomState(0).normal(size=(2, 1, 64, 64)).astype("float32")
    for model, runtime in (("tiny_glore_0_1", None), (tmp_path, "mxnet")):
        predictor = load_predictor(model, runtime=runtime)
        logits = predictor.network(x)
        assert (type(logits), logits.shape, logits.dtype) == (np.ndarray, (2, 2), np.float32)
        assert (predictor.runtime, predictor.manifest.model) == ("mxnet", net.spec.name)


def test_what_holds_its_own_takes_no_other_weights(tmp_path):
    exported(tmp_path)
    with pytest.raises(InputError, match="holds its own weights and class names"):
        load_predictor(tmp_path, weights="w.params")


def test_mxnet_is_imported_only_where_it_runs_something():
    code = "import sys, gluon_glore.inference.pipeline; print('mxnet' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
