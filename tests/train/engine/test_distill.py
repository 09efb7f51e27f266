"""A network that learns from another: the loss, and which teachers are refused."""

import dataclasses
from types import SimpleNamespace

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError, Network, as_fcn, get_spec, save_weights
from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess
from gluon_glore.networks.registry import unregistered
from gluon_glore.utils.files import sha256
from gluon_glore.weights.manifest import WEIGHTS, Manifest, write_manifest
from train.config.distill import Distill
from train.config.optim import Optim
from train.config.sections import Config, Model
from train.engine.comm import LocalComm
from train.engine.distill import check_teacher, distilled, load_teacher
from train.engine.losses import binary_cross_entropy, cross_entropy
from train.engine.optimizer import make_optimizer
from train.engine.step import make_step

RNG = np.random.RandomState(0)
LOGITS, TAUGHT = ((2 * RNG.normal(size=(4, 5))).astype("float32") for _ in range(2))
LABELS = np.array([0, 4, 2, 2])
RUN = Manifest("tiny", ("no", "yes"), Preprocess((64, 64), 0, (22.0,), 0.0167))


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def lose(loss, logits=LOGITS, taught=TAUGHT):
    """Losses and the gradient of the logits."""
    z = mx.nd.array(logits)
    z.attach_grad()
    with mx.autograd.record():
        losses = loss(z, (mx.nd.array(LABELS), mx.nd.array(taught)))
    losses.backward()
    assert losses.shape == (4,) and losses.dtype == np.float32
    return losses.asnumpy(), z.grad.asnumpy()


def test_the_whole_weight_at_temperature_1_is_cross_entropy_to_the_teachers_softmax():
    losses, gradient = lose(distilled(cross_entropy(), 1.0, 1.0))
    soft = mx.nd.array(softmax(TAUGHT))
    assert losses == pytest.approx(cross_entropy()(mx.nd.array(LOGITS), soft).asnumpy(), rel=1e-5)
    assert np.abs(gradient - (softmax(LOGITS) - softmax(TAUGHT))).max() < 1e-5


@pytest.mark.parametrize("make", [cross_entropy, binary_cross_entropy])
def test_weight_and_temperature_are_hintons(make):
    losses, gradient = lose(distilled(make(0.1), 0.3, 4.0))
    own, own_gradient = lose(lambda z, targets: make(0.1)(z, targets[0]))
    p, q = softmax(LOGITS / 4), softmax(TAUGHT / 4)
    assert losses == pytest.approx(0.7 * own - 0.3 * 16 * (q * np.log(p)).sum(axis=1), rel=1e-5)
    assert np.abs(gradient - (0.7 * own_gradient + 0.3 * 4 * (p - q))).max() < 1e-5


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_a_student_that_says_what_its_teacher_says_has_no_gradient(temperature):
    _, gradient = lose(distilled(cross_entropy(), 1.0, temperature), TAUGHT)
    assert np.abs(gradient).max() < 1e-5


def write_teacher(folder, name="tiny", spec=None, weights=True, **changes):
    """A checkpoint of a network with random weights; returns (folder, network)."""
    manifest = dataclasses.replace(RUN, model=name, **changes)
    net = Network(spec or get_spec(name), len(manifest.class_names))
    net.initialize(mx.init.Xavier())
    folder.mkdir()
    save_weights(net, folder / WEIGHTS)
    manifest = dataclasses.replace(manifest, spec=unregistered(net.spec, name))
    write_manifest(folder, manifest, [WEIGHTS])
    return str(folder), net


def configured(teacher, **optim):
    distill = Distill(str(teacher), weight=1.0)
    return Config(Model("tiny", classes=2), optim=Optim(batch_size=4, **optim), distill=distill)


@pytest.mark.parametrize(
    "options", [{}, {"accumulate": 2}, {"recompute": 1}, {"recompute": 1, "accumulate": 2}], ids=str
)
def test_a_step_moves_a_student_to_its_teacher_and_never_the_teacher(tmp_path, options):
    folder, source = write_teacher(tmp_path / "teacher")
    config = configured(folder, **options)
    mx.random.seed(1)
    net = Network(get_spec("tiny"), 2)
    net.initialize(mx.init.Xavier())
    x = mx.nd.array(RNG.normal(size=(4, 1, 64, 64)).astype("float32"))
    said = source(x).asnumpy()
    trainer = LocalComm().trainer(net.collect_params(), make_optimizer(config.optim))
    trainer.set_learning_rate(0.01)
    take = make_step(config, net, LocalComm())
    logits, losses = take(net, trainer, x, mx.nd.array([0, 1, 0, 1]), 0)
    expected = -(softmax(said) * np.log(softmax(logits.asnumpy()))).sum(axis=1)
    assert losses.asnumpy() == pytest.approx(expected, rel=1e-3)
    for number in range(1, 8):
        _, losses = take(net, trainer, x, mx.nd.array([0, 1, 0, 1]), number)
    least = -(softmax(said) * np.log(softmax(said))).sum(axis=1)  # where both say the same
    assert (losses.asnumpy() - least).sum() < 0.5 * (expected - least).sum()
    again = load_teacher(config, net, LocalComm())
    theirs, own = again.collect_params(), take._teacher.collect_params()
    for name, param in own.items():
        assert np.array_equal(param.data().asnumpy(), theirs[name].data().asnumpy()), name
        assert param is not net.collect_params()[name]
    assert np.abs(take._teacher(x).asnumpy() - said).max() < 1e-5


def test_a_teacher_that_fits_is_named_with_its_sha256(tmp_path, capsys):
    folder, _ = write_teacher(tmp_path / "teacher")
    config = configured(folder)
    distill = check_teacher(config, RUN, LocalComm())
    digest = sha256(tmp_path / "teacher" / WEIGHTS)
    assert distill == dataclasses.replace(config.distill, sha256=digest)
    told = f"learns from distill.teacher {folder}/{WEIGHTS} (tiny), sha256 {digest[:8]}\n"
    assert capsys.readouterr().err == told
    other = dataclasses.replace(distill, sha256="0" * 64)
    with pytest.raises(
        InputError, match="distill.sha256 is 00000000..., .*: give the teacher that"
    ):
        check_teacher(dataclasses.replace(config, distill=other), RUN, LocalComm())
    with pytest.raises(InputError, match="distill.sha256 is 00000000"):
        load_teacher(dataclasses.replace(config, distill=other), None, LocalComm())


def test_classes_without_names_are_said(tmp_path, capsys):
    folder, _ = write_teacher(tmp_path / "teacher", class_names=("0", "1"))
    check_teacher(configured(folder), RUN, LocalComm())
    assert "; its classes have numbers, no names: they are taken" in capsys.readouterr().err
    named, _ = write_teacher(tmp_path / "named")
    numbered = dataclasses.replace(RUN, class_names=("0", "1"))
    check_teacher(configured(named), numbered, LocalComm())
    assert "; the run's classes have numbers, no names" in capsys.readouterr().err


def seen(**changes):
    return {"preprocess": dataclasses.replace(RUN.preprocess, **changes)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": ("yes", "no")}, "its class 0 is yes, the run's no: names and order must"),
        ({"class_names": ("a", "b", "c")}, "its classes are 3, the run's 2: they must agree"),
        (seen(size=(32, 64)), r"its pixels \(height, width\) are \(32, 64\), the run's \(64, 64\)"),
        (seen(mean=(23.0,)), r"saw \(pixel - \[23.0\]\) \* 0.0167, this run shows .* must agree"),
        (seen(scale=0.0168), "saw .* this run shows"),
        (
            {"name": "mini", **seen(mean=(1.0, 2.0, 3.0))},
            "its channels are 3, the run's 1: they must agree",
        ),
    ],
)
def test_a_teacher_of_other_pixels_or_classes_is_refused(tmp_path, changes, message):
    folder, _ = write_teacher(tmp_path / "teacher", **changes)
    with pytest.raises(InputError, match=f"^distill.teacher {tmp_path}.*{message}"):
        check_teacher(configured(folder), RUN, LocalComm())


def test_a_teacher_of_pixels_or_of_other_clips_is_refused(tmp_path):
    labels = as_fcn(get_spec("tiny"), units=0, classes=2)
    folder, _ = write_teacher(tmp_path / "labels", "tiny_fcn", labels)
    with pytest.raises(InputError, match="labels pixels, this run's network does not"):
        check_teacher(configured(folder), RUN, LocalComm())
    folder, _ = write_teacher(tmp_path / "pictures")
    videos = dataclasses.replace(RUN, model="resnet50_3d_kinetics400", clip=Clip(8, 3))
    with pytest.raises(InputError, match="its clips are none, the run's 8 frames, 3 apart"):
        check_teacher(configured(folder), videos, LocalComm())


def test_a_teacher_that_is_not_there_damaged_or_without_manifest_is_refused(tmp_path):
    folder, _ = write_teacher(tmp_path / "teacher")
    bare = tmp_path / "bare.params"
    bare.write_bytes((tmp_path / "teacher" / WEIGHTS).read_bytes())
    (tmp_path / "teacher" / WEIGHTS).write_bytes(b"damaged")
    for teacher, message in (
        (folder, "damaged, its checksum is not the manifest's"),
        (tmp_path / "none", "no such parameter file, run or folder"),
        (bare, "no manifest says what its network is and sees"),
    ):
        with pytest.raises(InputError, match=f"^config key distill.teacher: .*{message}"):
            check_teacher(configured(teacher), RUN, LocalComm())


def test_all_ranks_need_the_same_teacher(tmp_path):
    folder, net = write_teacher(tmp_path / "teacher")
    agreed = []
    comm = SimpleNamespace(agree=lambda name, value: agreed.append((name, value)))
    load_teacher(configured(folder), net, comm)
    digest = sha256(tmp_path / "teacher" / WEIGHTS)
    assert agreed == [("weights of distill.teacher", int(digest[:6], 16))]


def test_another_loss_has_no_teacher(tmp_path):
    net = Network(get_spec("tiny"), 2)
    with pytest.raises(InputError, match="distill.teacher is for classification"):
        make_step(configured("x"), net, LocalComm(), loss=lambda z, y: y)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"weight": 0.5}, "config key distill.weight needs distill.teacher, given none"),
        ({"temperature": 2.0}, "config key distill.temperature needs distill.teacher"),
        ({"teacher": "x"}, "distill.weight is a share of the loss, above 0 to 1, given 0.0"),
        ({"teacher": "x", "weight": 1.1}, "distill.weight is a share .*, given 1.1"),
        ({"teacher": "x", "weight": 1.0, "temperature": 0.0}, "distill.temperature must be above"),
        ({"teacher": "x", "weight": 1.0, "sha256": "12"}, "distill.sha256 is 64 hexadecimal"),
    ],
)
def test_values_that_make_no_sense_are_refused(keys, message):
    with pytest.raises(InputError, match=message):
        Distill(**keys).check()
