import threading
import time
from dataclasses import replace

import mxnet as mx
import numpy as np
import pytest
import yaml

from benchmarks.networks import settle
from gluon_glore import InputError, Network, get_spec
from gluon_glore.data.clips import Clip, read_views
from gluon_glore.data.image import Preprocess
from gluon_glore.data.video import Video
from gluon_glore.export import export_model
from gluon_glore.inference.classify import load_classifier, softmax
from gluon_glore.inference.recognize import ClipViews, Recognizer, load_recognizer
from gluon_glore.inference.segment import load_segmenter
from gluon_glore.model_zoo.load import load_network
from gluon_glore.weights import save_weights
from gluon_glore.weights.manifest import MANIFEST as MANIFEST_FILE
from gluon_glore.weights.manifest import Manifest, read_manifest, write_manifest
from tests.helpers.networks import initialize
from tests.helpers.small_video import small
from tests.helpers.videos import moving, write_video

NAMES = ("jump", "run", "sit", "stand", "walk")
SPEC = replace(small(), input_size=(8, 32, 32), in_channels=3)
MANIFEST = Manifest("small", NAMES, Preprocess((32, 32), 36), spec=SPEC, clip=Clip(8, 2))


@pytest.fixture(scope="module")
def net():
    mx.random.seed(1)
    net = Network(SPEC)
    net.initialize(mx.init.Normal(0.3))
    settle(net, mx.nd.random.normal(shape=(8, 3, 8, 32, 32)))
    net.hybridize()
    return net


@pytest.fixture(scope="module")
def recognizer(net):
    return Recognizer(lambda x: net(mx.nd.array(x)).asnumpy(), MANIFEST)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Two seconds, brighter and brighter."""
    frames = moving(50) // 2 + np.arange(50, dtype=np.uint8)[:, None, None, None] * 2
    return write_video(tmp_path_factory.mktemp("videos") / "v.mp4", frames, g=10)


def brightness(x):
    """A network whose logits are (the mean of a view's pixels, 0)."""
    means = x.mean((1, 2, 3, 4))
    return np.stack([means, 0 * means], axis=1)


def toy(network=brightness, **changes):
    preprocess = Preprocess((4, 4), 0, (0.0,), 1 / 50)
    return Recognizer(
        network, replace(MANIFEST, class_names=("a", "b"), preprocess=preprocess, **changes)
    )


class Frames:
    """What a Video is, of frames in memory."""

    def __init__(self, pictures, rate=10.0):
        self.pictures, self.rate, self.read_in = pictures, rate, []
        self.size = pictures.shape[1:3]

    def __len__(self):
        return len(self.pictures)

    def frames(self, indices, channels=3):
        self.read_in.append(threading.current_thread().name)
        for i in sorted(set(map(int, indices))):
            yield i, self.pictures[i]


def grey(values, size=(4, 4)):
    return np.uint8([np.full((*size, 1), value) for value in values])


@pytest.mark.parametrize(("clips", "crops", "batch"), [(1, 1, 4), (4, 1, 3), (3, 3, 4), (2, 5, 2)])
def test_a_videos_probabilities_are_the_mean_of_those_of_its_views_alone(
    recognizer, video, clips, crops, batch
):
    seen = recognizer.watch(video, clips, crops, top=5, batch=batch)
    with Video(video) as opened:
        starts = MANIFEST.clip.even_starts(clips, 50, opened.rate)
        views = read_views(opened, MANIFEST.clip, MANIFEST.preprocess, starts, crops)
    assert len(views) == clips * crops
    alone = np.concatenate([softmax(recognizer.network(view[None])) for view in views])
    assert np.abs(alone - alone[0]).max() > 1e-3 or clips * crops == 1
    assert np.abs(seen.probabilities - alone.mean(axis=0)).max() < 1e-6
    assert seen.probabilities.dtype == seen.moments[0].probabilities.dtype == np.float32
    by_clip = alone.reshape(clips, crops, 5).mean(axis=1)
    assert np.abs([m.probabilities for m in seen.moments] - by_clip).max() < 1e-6
    order = seen.probabilities.argsort()[::-1]
    assert seen.top == [(NAMES[i], pytest.approx(seen.probabilities[i])) for i in order]


def test_moments_say_when_and_what():
    frames = Frames(grey([0] * 20 + [200] * 20))
    seen = toy(clip=Clip(5, 2)).watch(frames, clips=4, top=1)
    assert seen.seconds == 4
    assert [(m.start, m.end) for m in seen.moments] == [
        (0.3, 1.2),
        (1.1, 2.0),
        (1.9, 2.8),
        (2.7, 3.6),
    ]
    assert seen.moments[0].top == [("a", pytest.approx(0.5))]
    assert seen.moments[3].top == [("a", pytest.approx(1 / (1 + np.exp(-4))))]
    assert len(toy(clip=Clip(5, 2)).watch(frames, clips=4, top=9).moments[0].top) == 2


def test_probabilities_are_averaged_and_not_logits():
    """One clip that is very sure does not outvote three that are fairly sure."""

    def network(x):
        bright = x.mean((1, 2, 3, 4)) > 2
        return np.where(bright[:, None], [[20.0, 0.0]], [[0.0, 2.0]])

    frames = Frames(grey([0] * 30 + [200] * 10))
    seen = toy(network, clip=Clip(1, 1)).watch(frames, clips=4)
    assert [m.top[0][0] for m in seen.moments] == ["b", "b", "b", "a"]
    assert seen.top[0][0] == "b"


def test_a_short_video_is_looped_and_its_one_clip_seen_once():
    batches = []

    def network(x):
        batches.append(x)
        return brightness(x)

    seen = toy(network, clip=Clip(8, 2)).watch(Frames(grey([10, 20, 30])), clips=10)
    assert [x.shape for x in batches] == [(1, 1, 8, 4, 4)]
    assert np.allclose(batches[0][0, 0, :, 0, 0] * 50, [10, 30, 20, 10, 30, 20, 10, 30])
    assert [(m.start, m.end) for m in seen.moments] == [(0, 0.3)] and seen.seconds == 0.3


def test_clips_that_fall_together_count_as_often_as_they_were_asked_for():
    frames = Frames(grey([0, 0, 0, 200, 200]))
    recognizer = toy(clip=Clip(3, 1))
    seen = recognizer.watch(frames, clips=5)
    starts = recognizer.clip.even_starts(5, 5, 10.0)
    assert list(starts) == [0, 0, 1, 1, 1]
    assert len(seen.moments) == 2
    places = dict(zip(sorted(set(starts)), seen.moments))
    mean = np.mean([places[start].probabilities for start in starts], axis=0)
    assert np.abs(seen.probabilities - mean).max() < 1e-6


def test_at_most_a_batch_is_seen_at_once_and_it_is_read_elsewhere():
    shapes = []

    def network(x):
        shapes.append(len(x))
        return brightness(x)

    frames = Frames(grey(range(100), size=(6, 8)))
    toy(network).watch(frames, clips=7, crops=3, batch=6)
    assert shapes == [6, 6, 6, 3]
    shapes.clear()
    toy(network).watch(frames, clips=2, crops=5, batch=1)  # a clip is the least
    assert shapes == [5, 5]
    assert threading.current_thread().name not in frames.read_in


def test_no_more_than_a_batch_is_read_ahead():
    frames = Frames(grey(range(100)))
    begun = toy().begin(frames, ClipViews(clips=9, batch=1))
    first = next(begun)
    time.sleep(0.1)
    assert len(first.views) == 1 and len(frames.read_in) == 2
    begun.stop()


def test_a_network_that_fails_leaves_no_thread_that_reads_on():
    before = set(threading.enumerate())
    frames = Frames(grey(range(100)))
    with pytest.raises(InputError, match="outputs are not finite"):
        toy(lambda x: np.nan * brightness(x)).watch(frames, clips=50, batch=1)
    for _ in range(1000):
        if set(threading.enumerate()) <= before:
            break
        time.sleep(0.01)
    assert set(threading.enumerate()) <= before and len(frames.read_in) <= 2


def test_what_can_not_be_watched_is_refused(tmp_path):
    frames = Frames(grey(range(20)))
    for clips, crops in ((0, 1), (1, 2), (1, 0)):
        with pytest.raises(InputError, match=f"{clips} clips in {crops} crops: .* 1, 3 or 5"):
            toy().watch(frames, clips, crops)
    with pytest.raises(InputError, match="outputs are not finite"):
        toy(lambda x: np.nan * brightness(x)).watch(frames)
    (tmp_path / "bad.mp4").write_text("no video")
    with pytest.raises(InputError, match=f"^{tmp_path}/bad.mp4: not a readable video"):
        toy().watch(tmp_path / "bad.mp4")


def checkpoint(folder, net, manifest=MANIFEST):
    """What a training run saves."""
    folder.mkdir(parents=True)
    save_weights(net, folder / "weights.params")
    write_manifest(folder, manifest, ["weights.params"])
    return folder


@pytest.mark.parametrize("runtime", ["mxnet", "onnxruntime", "openvino"])
@pytest.mark.parametrize("pictures", [False, True], ids=["pixels", "pictures"])
def test_an_exported_network_says_what_its_run_says(tmp_path, net, video, runtime, pictures):
    pytest.importorskip(runtime)
    run = checkpoint(tmp_path / "run" / "checkpoints" / "epoch-0001", net).parent.parent
    source, manifest = load_network(run)
    onnx = runtime != "mxnet"
    export_model(source, tmp_path / "out", manifest, onnx=onnx, preprocess=pictures)
    exported = load_recognizer(tmp_path / "out", runtime=runtime)
    assert exported.runtime == runtime and exported.clip == Clip(8, 2)
    expected = load_recognizer(run).watch(video, clips=3, crops=3)
    got = exported.watch(video, clips=3, crops=3)
    assert np.abs(got.probabilities - expected.probabilities).max() < 1e-5
    assert [(m.start, m.end) for m in got.moments] == [(m.start, m.end) for m in expected.moments]


def test_an_exported_folder_says_how_its_clips_are_made(tmp_path, net):
    export_model(net, tmp_path / "own", replace(MANIFEST, clip=Clip(8, 2, 15.0)), onnx=False)
    text = " ".join((tmp_path / "own" / "README.md").read_text().split())
    assert "clips of 8 frames of a video at 15 frames a second, each 2 after the one before" in text
    assert "the centre 32x32 cropped" in text and "(varies, 3, 8, 32, 32)" in text
    export_model(net, tmp_path / "none", replace(MANIFEST, clip=None, spec=None))
    assert read_manifest(tmp_path / "none").clip == Clip(8, 8)  # the paper's
    assert read_manifest(tmp_path / "none").deployment.shape == (None, 3, 8, 32, 32)


def test_a_manifest_says_how_a_clip_lies_in_memory(tmp_path, net):
    folder = checkpoint(tmp_path / "run", net, MANIFEST)
    (manifest,) = folder.rglob(MANIFEST_FILE)
    assert "layout: NCDHW" in manifest.read_text()


@pytest.mark.parametrize("clip", [5, None, [], {"frames": 8.5}, {"rate": "25"}, {"step": 1}])
def test_a_clip_that_is_none_is_a_damaged_manifest(tmp_path, net, clip):
    folder = checkpoint(tmp_path / "run", net, MANIFEST)
    (manifest,) = folder.rglob(MANIFEST_FILE)
    fields = yaml.safe_load(manifest.read_text())
    manifest.write_text(yaml.safe_dump({**fields, "clip": clip}))
    with pytest.raises(InputError, match="manifest.yaml: (damaged manifest|a clip's frames)"):
        load_recognizer(folder)


def test_a_manifest_without_a_clip_has_the_papers(tmp_path, net):
    folder = checkpoint(tmp_path / "old", net, replace(MANIFEST, clip=None))
    assert load_recognizer(folder).clip == Clip(8, 8)


def test_a_network_by_name_sees_the_papers_clips(tmp_path):
    name = "resnet50_3d_kinetics400"
    net = Network(get_spec(name), classes=2)
    initialize(net)
    save_weights(net, tmp_path / "w.params")
    weights = str(tmp_path / "w.params")
    recognizer = load_recognizer(name, weights=weights, preprocess=Preprocess())
    assert recognizer.manifest.preprocess == Preprocess()
    assert recognizer.clip == Clip(8, 8)


def test_a_network_of_videos_with_pictures_weights_is_refused(tmp_path):
    """Its classifier would be new, and its answers noise."""
    net = Network(get_spec("resnet50_lite"))
    initialize(net)
    save_weights(net, tmp_path / "w.params")
    with pytest.raises(InputError, match="w.params: weights of a network of pictures"):
        load_recognizer("resnet50_3d_kinetics400", weights=str(tmp_path / "w.params"))


def test_networks_are_loaded_for_what_they_do(tmp_path, net):
    folder = checkpoint(tmp_path / "run", net)
    with pytest.raises(InputError, match="small watches videos: give a network that classifies"):
        load_classifier(folder)
    with pytest.raises(InputError, match="small watches videos: give a network that segments"):
        load_segmenter(folder)
    with pytest.raises(InputError, match="tiny_glore_0_1 classifies pictures: .* watches videos"):
        load_recognizer("tiny_glore_0_1")
