"""Runs of the trainer on videos, and what stops them."""

import csv
import dataclasses
import json
import shutil

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError, Network, get_model, get_spec, list_models, save_weights
from gluon_glore.data.clips import Clip
from gluon_glore.data.video import Video
from gluon_glore.data.videos import Videos
from gluon_glore.model_zoo.load import load_network
from gluon_glore.weights.run_folder import checkpoints
from tests.helpers.damaged_records import count_bad
from tests.helpers.horovod import horovodrun, needs_horovod, train_in_turn
from tests.helpers.places import ROOT
from tests.helpers.runs import ask, call_at, rows, same, story, weights
from tests.helpers.videos import write_sound, write_video
from train import evaluate, evaluate_kinetics, kinetics
from train.config.kinetics import VideoConfig
from train.config.load import load_config
from train.engine.comm import LocalComm
from train.engine.optimizer import learning_rate, set_multipliers
from train.engine.stop import STOPPED
from train.moving_digits import write_moving_digits
from train.reporting.reporter import Reporter

CONFIG = ROOT / "configs" / "moving_digits.yaml"


@pytest.fixture(scope="session")
def moving_digits(tmp_path_factory):
    """A small moving-digits data set: 20 training and 6 test videos."""
    directory = tmp_path_factory.mktemp("moving") / "digits"
    write_moving_digits(directory, train=20, test=6)
    return directory


def settings(data, *more):
    small = [
        f"data.train={data}/train",
        f"data.val={data}/val",
        "data.max_bad=0",
        "optim.epochs=2",
        "optim.batch_size=4",
        "log_every=1",
    ]
    return [word for setting in (*small, *more) for word in ("--set", setting)]


def train(out, data, *more):
    return kinetics.main(["--config", str(CONFIG), "--out", str(out), *settings(data, *more)])


def configuration(data, *more):
    return load_config(CONFIG, settings(data, *more)[1::2], VideoConfig)


def test_a_run_trains_and_knows_its_clips(tmp_path, moving_digits):
    assert train(tmp_path, moving_digits) == 0
    assert [row["step"] for row in rows(tmp_path) if row["kind"] == "train"] == list(range(10))
    evaluations = [row for row in rows(tmp_path) if row["kind"] == "eval"]
    assert [row["samples"] for row in evaluations] == [6, 6]
    net, manifest = load_network(tmp_path)
    assert manifest.clip == configuration(moving_digits).clip
    assert manifest.class_names == ("opposite", "same")
    assert net.spec.name == "tiny_3d_glore_0_1"
    assert json.loads((tmp_path / "summary.json").read_text())["top1"] == evaluations[-1]["top1"]


@pytest.mark.parametrize("step", [1, 4, 6])
def test_a_run_stopped_after_any_step_goes_on_bit_equal(tmp_path, moving_digits, step, monkeypatch):
    more = ("optim.precise_norm=2", "optim.accumulate=2", "optim.nesterov=true")
    assert train(tmp_path / "whole", moving_digits, *more) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "train", call_at(step, ask))
        assert train(tmp_path / "parts", moving_digits, *more) == STOPPED
    out = ["--config", str(CONFIG), "--out", str(tmp_path / "parts"), "--resume"]
    assert kinetics.main([*out, *settings(moving_digits, *more)]) == 0
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))
    assert story(tmp_path / "parts") == story(tmp_path / "whole")


def test_clips_are_a_function_of_seed_epoch_and_index(moving_digits):
    """However many ranks share a step, and however many threads decode."""

    def step(epoch=1, rank=0, ranks=1, threads=1, seed=0):
        config = configuration(moving_digits, f"data.threads={threads}", f"seed={seed}")
        task = kinetics.Recognition()
        videos, _ = kinetics.load_data(config)
        return next(task.training_batches(videos, count_bad(videos), config, epoch, rank, ranks))

    clips, labels = step()
    assert clips.shape == (4, 1, 8, 64, 64) and labels.shape == (4,)
    assert 0.5 < clips.std() < 3
    for other in (step(threads=3), step(), map(np.concatenate, zip(step(ranks=2), step(1, 1, 2)))):
        for array, whole in zip(other, (clips, labels)):
            assert np.array_equal(array, whole)
    for other in (step(epoch=2), step(seed=1)):
        assert not np.array_equal(other[0], clips)


def test_a_clip_is_the_frames_of_its_file_at_the_stride(moving_digits):
    config = configuration(moving_digits)
    videos, _ = kinetics.load_data(config)
    order = np.random.default_rng([config.seed, 0]).permutation(len(videos))
    batches = kinetics.Recognition().training_batches(videos, count_bad(videos), config, 0, 0, 1)
    clips, labels = next(batches)
    (mean,), scale = config.data.mean, config.data.scale
    for clip, label, index in zip(clips, labels, order):
        assert label == videos.label(index)
        with Video(videos.name(index)) as video:
            frames = video.read(range(len(video)), channels=1)[..., 0]
        pixels = np.rint(clip[0] / scale + mean).astype(np.uint8)
        stride = config.clip.stride
        starts = range(len(frames) - 7 * stride)
        assert any(np.array_equal(frames[s : s + 8 * stride : stride], pixels) for s in starts)


def test_evaluation_sees_each_video_once_over_all_ranks(moving_digits):
    config = configuration(moving_digits)
    _, videos = kinetics.load_data(config)

    def clips(rank, ranks):
        batches = kinetics.views_in_turn(videos, count_bad(videos), config, rank, ranks)
        return [x for views, _ in batches for x in views[:, 0]]

    whole = clips(0, 1)
    assert len(whole) == 6
    seen = {}
    for rank in range(4):
        seen.update(zip(range(rank, 6, 4), clips(rank, 4)))
    assert sorted(seen) == list(range(6))
    assert all(np.array_equal(seen[i], whole[i]) for i in range(6))


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_text(path):
    path.write_text("not a video\n")


FAULTS = {
    "truncated": (truncate, "not a readable video"),
    "empty": (lambda path: path.write_bytes(b""), "not a readable video"),
    "text": (other_text, "not a readable video"),
    "sound": (write_sound, "no video stream"),
    "missing": (lambda path: path.unlink(), "No such file"),
}


def listed(data, tmp_path):
    """A copy of the set whose training videos are named by a list, and their paths."""
    shutil.copytree(data, tmp_path / "data")
    paths = sorted((tmp_path / "data" / "train").rglob("*.mp4"))
    lines = [f"{path.relative_to(tmp_path / 'data')}\t{path.parent.name}\n" for path in paths]
    (tmp_path / "data" / "train.txt").write_text("".join(lines))
    return tmp_path / "data", paths


@pytest.mark.parametrize("fault", FAULTS)
def test_a_video_that_cannot_be_used_is_named_and_training_goes_on(
    tmp_path, moving_digits, fault, capsys
):
    data, paths = listed(moving_digits, tmp_path)
    damage, reason = FAULTS[fault]
    damage(paths[3])
    bad = (f"data.train={data}/train.txt", "data.max_bad=0.05", "optim.epochs=1")
    assert train(tmp_path / "run", data, *bad) == 0
    err = capsys.readouterr().err
    assert err.count(str(paths[3])) == 1 and reason in err
    assert str(paths[3]) in (tmp_path / "run" / "bad_records.txt").read_text()
    for path in paths[4:6]:
        path.write_bytes(b"")
    assert train(tmp_path / "more", data, *bad) == 2
    assert "are bad" in capsys.readouterr().err


def test_missing_videos_are_counted_before_the_first_step(tmp_path, moving_digits, capsys):
    data, paths = listed(moving_digits, tmp_path)
    for path in paths[1:19:4]:  # the first and the last, which are tried, are there
        path.unlink()
    more = (f"data.train={data}/train.txt", "data.max_bad=0.1")
    assert train(tmp_path / "run", data, *more) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {data}/train.txt: 5 of 20 videos are missing, as {paths[1]}: ")
    assert error.endswith(
        "data.max_bad 0.1 allows 2: bring them, leave them out of the list, or "
        "set data.max_bad to 0.25"
    )
    assert not checkpoints(tmp_path / "run")
    config = configuration(data, more[0], "data.max_bad=0.25")
    kinetics.Recognition().prepare(config, LocalComm())  # 5 of 20 tried would be too many here
    assert "train.txt: 5 of 20 videos are missing, data.max_bad 0.25" in capsys.readouterr().err


def test_short_videos_and_other_frame_rates_are_trained_on(tmp_path, moving_digits, capsys):
    data, paths = listed(moving_digits, tmp_path)
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    write_video(paths[0], frames)
    write_video(paths[1], np.repeat(frames, 10, axis=0), rate=6)
    assert train(tmp_path / "run", data, "optim.epochs=1", "clip.rate=25") == 0
    assert "skipped" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.name=tiny", "tiny takes 2 dimensions, clips have 3"),
        (
            "model.classes=3",
            "train: 2 classes, model.classes is 3: set model.classes to 2, or 0",
        ),
        ("clip.frames=4", "takes clips of 8 frames, given 4"),
        ("clip.stride=0", "stride are whole numbers from 1 to 1000000"),
        ("data.mean=[1, 2, 3]", "takes 1 channels, given 3 means"),
        ("data.train=nowhere", "nowhere"),
        ("data.size=[96, 80]", "picture of 64x64 pixels, the network takes 96x80"),
        ("augment.scale=[32, 64]", "augment.scale"),
        ("optim.lr_mult={fc6: 1}", "no parameter has 'fc6'"),
    ],
)
def test_what_does_not_fit_is_said_before_the_first_step(
    tmp_path, moving_digits, setting, message, capsys
):
    more = ("augment.scale=[96, 96]",) if "size" in setting else ()
    assert train(tmp_path / "run", moving_digits, *more, setting) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and message in line
    assert not checkpoints(tmp_path / "run")


def flat_weights(path, classes=2):
    """The weights of the network without time and units, and themselves."""
    net = Network(get_spec("tiny_3d").flattened(), classes)
    net.initialize()
    save_weights(net, path)
    return {name: param.data().asnumpy() for name, param in net.collect_params().items()}


def filled(config, *more):
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, **dict(more)))
    net = kinetics.make_network(config)
    net.initialize()
    kinetics.Recognition().load_weights(config, net)
    return net


def test_weights_without_time_are_inflated_and_units_are_new(tmp_path, moving_digits):
    flat = flat_weights(tmp_path / "flat.params", classes=7)
    pretrained = ("pretrained", str(tmp_path / "flat.params"))
    net = filled(configuration(moving_digits), pretrained, ("new_classifier", True))
    kernel = net.collect_params()["conv1__conv_weight"].data().asnumpy()
    times = kernel.shape[2]
    assert times > 1
    assert np.allclose(kernel[:, :, 0] * times, flat["conv1__conv_weight"], rtol=1e-6)
    assert net.output.weight.shape[0] == 2


def test_all_weights_of_a_network_of_videos_are_taken(tmp_path, moving_digits):
    source = get_model("tiny_3d_glore_0_1", classes=2)
    source.initialize()
    save_weights(source, tmp_path / "source.params")
    net = filled(configuration(moving_digits), ("pretrained", str(tmp_path / "source.params")))
    for name, param in source.collect_params().items():
        assert (net.collect_params()[name].data() == param.data()).asnumpy().all(), name


def test_a_file_without_the_backbone_is_refused(tmp_path, moving_digits):
    mx.nd.save(str(tmp_path / "part.params"), {"conv1__conv_weight": mx.nd.ones((1,))})
    with pytest.raises(InputError, match="part.params"):
        filled(configuration(moving_digits), ("pretrained", str(tmp_path / "part.params")))


def test_configs_of_table_5_are_its_networks_with_the_released_recipe():
    names = set()
    for path in (ROOT / "configs" / "kinetics").glob("*.yaml"):
        config = load_config(path, (), VideoConfig)
        assert config.model.name == path.stem
        names.add(path.stem)
        assert config.clip == Clip(8, 8) and config.optim.steps == (45, 65, 85)
        assert config.optim.epoch_samples == 240000 and config.optim.nesterov
        rates = [learning_rate(config.optim, step, 3750) for step in (0, 750, 1500, 168749)]
        assert rates == pytest.approx([0.005, 0.0275, 0.05, 0.05])  # of one node
        assert learning_rate(config.optim, 168750, 3750) == pytest.approx(0.005)  # 45 x 240,000
        net = kinetics.make_network(config)
        assert any("conv-m2" in name for name in net.collect_params())
        assert get_spec(config.model.pretrained).ndim == 2
    assert names == {n for n in list_models() if n.endswith("_kinetics400")}


def test_the_config_of_ucf101_fine_tunes_all_but_the_classifier_at_a_fifth_of_the_rate():
    path = ROOT / "configs" / "ucf101" / "resnet50_3d_glore_2_3.yaml"
    config = load_config(path, (), VideoConfig)
    assert (config.model.classes, config.model.new_classifier) == (101, True)
    rates = [learning_rate(config.optim, step, 298) for step in (0, 6249, 6250, 12500, 14899)]
    assert rates == pytest.approx([0.005, 0.005, 5e-4, 5e-5, 5e-5])  # x 0.1 at 200,000, 400,000
    params = get_model("tiny_3d_glore_0_1").collect_params()
    set_multipliers(params, config.optim)
    factors = {name: param.lr_mult for name, param in params.items() if param.grad_req != "null"}
    assert len(factors) > 20
    for name, factor in factors.items():
        assert factor == (1 if name in ("classifier_weight", "classifier_bias") else 0.2), name


@pytest.fixture(scope="module")
def run(tmp_path_factory, moving_digits):
    out = tmp_path_factory.mktemp("kinetics") / "run"
    assert train(out, moving_digits, "optim.epochs=1", "optim.lr=0.01") == 0
    return out


def evaluated(run, out, *arguments):
    arguments = [str(run), *map(str, arguments), "--out", str(out / "result.json")]
    assert evaluate_kinetics.main(arguments) == 0
    return json.loads((out / "result.json").read_text())


def test_one_clip_is_what_training_evaluates(run, moving_digits, tmp_path, capsys):
    table, videos = tmp_path / "out.csv", Videos(moving_digits / "val")
    result = evaluated(run, tmp_path, "--clips", 1, "--predictions", table)
    with open(table, newline="") as file:
        said = list(csv.DictReader(file))
    assert [row["name"] for row in said] == [videos.name(i) for i in range(6)]
    assert np.mean([row["label"] == row["class1"] for row in said]) == result["top1"]
    last = rows(run)[-1]
    assert result["top1"] == last["top1"] and result["samples"] == last["samples"] == 6
    assert result["loss"] == pytest.approx(last["loss"], rel=1e-5)
    assert result["clips"] == result["crops"] == 1
    out = capsys.readouterr().out
    assert out.startswith("tiny_3d_glore_0_1: top-1 ") and "on 6 of 6 videos of" in out


def test_lists_are_looked_up_where_the_run_did(tmp_path, moving_digits, capsys):
    for part in ("train", "val"):
        videos = sorted((moving_digits / part).glob("*/*.mp4"))
        lines = [f"{part}/{v.parent.name}/{v.name}\t{v.parent.name}\n" for v in videos]
        (tmp_path / part).write_text("".join(lines))
    run = tmp_path / "run"
    assert train(run, tmp_path, f"data.root={moving_digits}", "optim.epochs=1") == 0
    assert evaluated(run, tmp_path, "--clips", 1)["samples"] == 6
    capsys.readouterr()
    arguments = [str(run), "--data", str(tmp_path / "val")]
    assert evaluate_kinetics.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1  # not a line for each video
    assert "val: 6 of 6 videos are missing, as " in error and "do the paths begin where" in error
    assert evaluate_kinetics.main([*arguments, "--root", str(moving_digits)]) == 0


def test_ten_clips_are_the_mean_of_ten_runs_of_one(run, moving_digits):
    net, manifest = load_network(run)
    config = configuration(moving_digits)
    _, videos = kinetics.load_data(config)
    batches = kinetics.views_in_turn(videos, count_bad(videos), config, 0, 1, clips=10)
    views = [view for x, _ in batches for view in x]
    assert len(views) == 6 and views[0].shape == (10, 1, 8, 64, 64)
    for video in views:
        together = evaluate_kinetics.mean_probabilities(net, video, 4, mx.cpu())
        alone = [evaluate_kinetics.mean_probabilities(net, v[None], 1, mx.cpu()) for v in video]
        assert np.abs(together - np.mean(alone, axis=0)).max() < 1e-6
        assert np.ptp(alone, axis=0).max() > 1e-5  # clips differ


def test_more_crops_are_seen(run, tmp_path, moving_digits):
    assert evaluated(run, tmp_path, "--clips", 2, "--crops", 3)["crops"] == 3
    config = configuration(moving_digits, "data.size=[64, 64]")
    _, videos = kinetics.load_data(config)
    bad = count_bad(videos)
    views, _ = next(iter(kinetics.views_in_turn(videos, bad, config, 0, 1, clips=2, crops=3)))
    assert views.shape[1] == 6


@pytest.mark.parametrize(
    ("probabilities", "label", "top1", "top5"),
    [
        ([0.1, 0.6, 0.3], 1, 1, None),
        ([0.1, 0.6, 0.3], 2, 0, None),
        ([0.3, 0.2, 0.15, 0.14, 0.11, 0.1], 4, 0, 1),
        ([0.3, 0.2, 0.15, 0.14, 0.11, 0.1], 5, 0, 0),
        ([np.nan] * 7, 0, 0, 0),
        ([1 / 7] * 7, 0, 1, 1),
        ([1 / 7] * 7, 3, 0, 1),
        ([1 / 7] * 7, 5, 0, 0),
    ],
)
def test_a_video_counts_by_the_rank_of_its_class(probabilities, label, top1, top5):
    from train.engine.comm import LocalComm

    meter = evaluate_kinetics.score_videos([(np.array(probabilities), label)], LocalComm())
    assert meter.samples == 1 and meter.figures == {"top1": top1, "top5": top5}
    if np.isfinite(probabilities).all():
        assert meter.loss == pytest.approx(-np.log(probabilities[label]))


def test_networks_and_trainers_that_do_not_fit_are_refused(run, tmp_path, digit_pairs, capsys):
    assert evaluate.main([str(run)]) == 2
    assert "takes 3 dimensions, pictures have 2" in capsys.readouterr().err
    assert evaluate_kinetics.main([str(run), "--data", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err


@needs_horovod
def test_two_processes_score_what_one_scores(run, tmp_path):
    out = tmp_path / "two.json"
    done = horovodrun("-m", "train.evaluate_kinetics", str(run), "--clips", "3", "--out", str(out))
    assert done.returncode == 0, done.stderr
    one, two = evaluated(run, tmp_path, "--clips", 3), json.loads(out.read_text())
    assert two["loss"] == pytest.approx(one.pop("loss"), rel=1e-5)
    assert min(one.pop("images_per_second"), two["images_per_second"]) > 0
    assert {**two, **one} == two


@needs_horovod
def test_two_processes_train_and_resume(tmp_path, moving_digits):
    arguments = ["--config", str(CONFIG), *settings(moving_digits), "--out", str(tmp_path)]
    arguments += ["--set", "optim.precise_norm=2"]
    short = [*arguments, "--set", "optim.epochs=1"]
    done = train_in_turn("train.kinetics", short, [*arguments, "--resume", "--accept-changes"])
    assert done.returncode == 0, done.stderr
    assert [r["samples"] for r in rows(tmp_path) if r["kind"] == "eval"] == [6, 6]
