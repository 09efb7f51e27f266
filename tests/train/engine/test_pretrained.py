"""Weights to start from: every form of them, what may be new, and what is said."""

from dataclasses import replace

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError, Network, as_fcn, get_model, get_spec, save_weights
from gluon_glore.data.image import Preprocess
from gluon_glore.networks.registry import unregistered
from gluon_glore.plan.stages import Stage
from gluon_glore.weights.deployment import Deployment
from gluon_glore.weights.manifest import WEIGHTS, Manifest, write_manifest
from train import cityscapes, imagenet, kinetics
from train.config.cityscapes import SceneConfig, SceneData, SceneModel
from train.config.kinetics import VideoConfig
from train.config.pictures import Data
from train.config.sections import Config, Model
from train.engine.pretrained import find_pretrained, load_pretrained, starting_spec

SEEN = Preprocess(size=(64, 64), resize=0, mean=(22.0,), scale=0.0167)
UNITS = {"kind": "glore", "res4": [1], "arrangement": "post"}


def made(name, classes=2, spec=None):
    """A network with random weights, all of them other than a second call's."""
    net = Network(spec or get_spec(name), classes)
    net.initialize(mx.init.Uniform(0.1))
    for param in net.collect_params().values():
        param.set_data(mx.nd.random.uniform(0.1, 0.2, shape=param.shape))
    return net


def write_folder(folder, net, epoch=0, deployment=None, file=WEIGHTS):
    """A checkpoint, or with a `deployment` an export, of a network."""
    folder.mkdir(parents=True)
    save_weights(net, folder / file)
    name = net.spec.name
    seen = replace(SEEN, mean=SEEN.mean * net.spec.in_channels)
    manifest = Manifest(
        name,
        tuple(map(str, range(net.classes))),
        seen,
        epoch,
        spec=unregistered(net.spec, name),
        deployment=deployment,
    )
    write_manifest(folder, manifest, [file])
    return folder


def started(net, model, preprocess=SEEN):
    """A new network of a `model` section, what it was before, and its `Start`."""
    fresh = Network(starting_spec(model), net.classes if net else model.classes)
    fresh.initialize(mx.init.Uniform(0.1))
    before = values(fresh)
    return fresh, before, load_pretrained(fresh, model, preprocess)


def values(net):
    return {name: param.data().asnumpy() for name, param in net.collect_params().items()}


def assert_taken(net, source, before, new):
    """All but the parameters named `new` are the source's; those are as they were."""
    theirs = values(source)
    for name, array in values(net).items():
        expected = before[name] if name in new else theirs[name]
        assert np.array_equal(array, expected), name


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """`tiny` with weights, and every form of them: {form: what model.pretrained is given}."""
    root, net = tmp_path_factory.mktemp("tiny"), made("tiny")
    deployment = Deployment((None, 1, 64, 64), plain=True)
    write_folder(root / "run" / "checkpoints" / "epoch-0001", made("tiny"), 1)
    forms = {
        "run": root / "run",
        "checkpoint": write_folder(root / "run" / "checkpoints" / "epoch-0002", net, 2),
        "plain export": write_folder(root / "plain", net, 0, deployment, "tiny-0000.params"),
        "file": root / "weights.params",
    }
    save_weights(net, forms["file"])
    forms["file in a folder"] = forms["plain export"] / "tiny-0000.params"
    write_folder(root / "export", net, 0, replace(deployment, plain=False), "tiny-0000.params")
    return net, {form: str(path) for form, path in forms.items()}, root


@pytest.mark.parametrize("form", ["run", "checkpoint", "plain export", "file", "file in a folder"])
def test_every_form_of_weights_fills_the_same_network(tiny, form):
    source, forms, _ = tiny
    net, before, start = started(source, Model("tiny", classes=2, pretrained=forms[form]))
    assert_taken(net, source, before, new=())
    assert start.new == () and len(start.notes) == 1
    assert start.notes[0].startswith("starts from ") and "new" not in start.notes[0]


def test_zoo_and_names_are_looked_up(tmp_path, monkeypatch):
    monkeypatch.setenv("GLORE_HOME", str(tmp_path))
    shipped = get_model("tiny_glore_0_1", pretrained=True)
    for pretrained in ("zoo", "tiny_glore_0_1", "3a9af620"):
        net, before, start = started(
            None, Model("tiny_glore_0_1", classes=2, pretrained=pretrained)
        )
        assert_taken(net, shipped, before, new=())
    # Another network's name: `tiny` without the unit lacks what the weights have.
    with pytest.raises(InputError, match="units that tiny has not: conv4_B01_extra; take a"):
        started(None, Model("tiny", classes=2, pretrained="tiny_glore_0_1"))


def test_an_export_for_inference_and_a_missing_run_are_refused(tiny, tmp_path):
    with pytest.raises(InputError, match="exported for inference, .* export with --plain"):
        find_pretrained(Model("tiny", pretrained=str(tiny[2] / "export")))
    for pretrained, message in (
        (tmp_path, "no manifest.yaml in it"),
        (tmp_path / "none", "none: no such parameter file, run or folder"),
        ("none.params", "none.params: no such parameter file, run or folder"),
        ("tiny_glore", "tiny_glore: .* no network with weights is called so"),
        ("0123456789", "no weights 0123456789 for tiny"),
    ):
        with pytest.raises(InputError, match=message):
            find_pretrained(Model("tiny", pretrained=str(pretrained)))


@pytest.mark.parametrize("form", ["run", "file"])
def test_units_are_new_under_a_plain_networks_weights(tiny, form):
    source, forms, _ = tiny
    for model in (
        Model("tiny_glore_0_1", classes=2, pretrained=forms[form]),
        Model("tiny", units=UNITS, classes=2, pretrained=forms[form]),
    ):
        net, before, start = started(source, model)
        assert start.new and all(name.startswith("conv4_B01_extra_") for name in start.new)
        assert_taken(net, source, before, start.new)
        assert start.notes[0].endswith("; new: conv4_B01_extra (glore)")


def test_a_new_classifier_is_named_with_the_units(tiny):
    source, forms, _ = tiny
    model = Model("tiny_nl_0_1", classes=5, pretrained=forms["run"], new_classifier=True)
    net, before, start = started(None, model)
    assert_taken(net, source, before, start.new)
    assert {"classifier_weight", "classifier_bias"} < set(start.new)
    assert start.notes[0].endswith(
        "; new: conv4_B01_extra (nonlocal), classifier; left out: classifier"
    )


def test_other_classes_need_a_new_classifier(tiny):
    with pytest.raises(InputError) as error:
        started(None, Model("tiny", classes=5, pretrained=tiny[1]["run"]))
    assert "its classifier has 2 classes, the network 5; model.new_classifier=true" in str(
        error.value
    )


def test_a_part_of_a_unit_or_no_classifier_is_refused(tiny, tmp_path):
    arrays = dict(made("tiny_glore_0_1").collect_params().items())
    for missing, message in (
        ("conv4_B01_extra_conv-proj__conv_weight", "it lacks conv4_B01_extra_conv-proj__conv_weig"),
        ("conv3_B01_conv-m1__conv_weight", "it lacks conv3_B01_conv-m1__conv_weight and 0 more"),
        ("classifier_weight", "no classifier in it; model.new_classifier=true"),
    ):
        assert missing in arrays
        some = {name: p.data() for name, p in arrays.items() if name != missing}
        mx.nd.save(str(tmp_path / "part.params"), some)
        model = Model("tiny_glore_0_1", classes=2, pretrained=str(tmp_path / "part.params"))
        with pytest.raises(InputError) as error:
            started(None, model)
        assert message in str(error.value) and "\n" not in str(error.value)


def test_another_network_is_refused_by_its_name(tmp_path):
    source = write_folder(tmp_path / "mini", made("mini"))
    with pytest.raises(InputError, match=r"\(mini\): .*it lacks"):
        started(None, Model("tiny", classes=2, pretrained=str(source)))


def test_weights_of_pictures_are_inflated_under_videos_units(tmp_path):
    flat = made(None, 2, get_spec("tiny_3d").flattened())
    save_weights(flat, tmp_path / "flat.params")
    model = Model("tiny_3d_glore_0_1", classes=2, pretrained=str(tmp_path / "flat.params"))
    net, before, start = started(None, model)
    kernel, frame = values(net)["conv1__conv_weight"], values(flat)["conv1__conv_weight"]
    assert kernel.shape[2] == 3
    assert np.allclose(kernel, frame[:, :, None] / 3, rtol=1e-6)
    assert all("_extra_" in name for name in start.new)
    assert start.notes[0].endswith("inflated in time; new: conv4_B01_extra (glore)")


@pytest.fixture
def pixels(monkeypatch):
    """A spec that labels pixels over `tiny`, with a unit in its head."""
    return replace(as_fcn(get_spec("tiny"), units=1, channels=8, mid_channels=4), name="fcn_tiny")


def test_a_classification_network_fills_the_backbone_of_one_for_pixels(tiny, pixels):
    source, forms, _ = tiny
    model = SceneModel("tiny", pretrained=forms["file"])  # SEEN, or a file that says nothing
    head = replace(pixels, head=replace(pixels.head, auxiliary=2))
    net = made(None, 2, head)  # as many classes: still the classifier of pixels is new
    before = values(net)
    start = load_pretrained(net, model, SEEN)
    assert_taken(net, source, before, start.new)
    assert {"classifier_weight", "classifier_bias"} < set(start.new)
    assert start.notes[0].endswith(
        "; new: head, head_extra1 (glore), classifier, auxiliary; left out: classifier"
    )


def test_a_network_for_pixels_fills_another_with_its_head(pixels, tmp_path):
    source = made(None, 3, replace(pixels, head=replace(pixels.head, auxiliary=2)))
    save_weights(source, tmp_path / "pixels.params")
    model = SceneModel("fcn_small_cityscapes", pretrained=str(tmp_path / "pixels.params"))
    net = made(None, 3, pixels)
    before = values(net)
    start = load_pretrained(net, model, SEEN)
    assert_taken(net, source, before, new=())
    assert start.notes[0].endswith("left out: auxiliary")
    other = made(None, 4, pixels)
    with pytest.raises(InputError, match="has 3 classes, the network 4; model.new_classifier"):
        load_pretrained(other, model, SEEN)
    before = values(other)
    start = load_pretrained(other, replace(model, new_classifier=True), SEEN)
    assert set(start.new) == {"classifier_weight", "classifier_bias"}
    assert_taken(other, source, before, start.new)


def test_a_network_for_pixels_fills_a_classification_networks_backbone(pixels, tmp_path):
    spec = replace(pixels, head=replace(pixels.head, units=0))
    source = made(None, 2, spec)
    save_weights(source, tmp_path / "pixels.params")
    flat = replace(spec, head=None)
    net = made(None, 2, flat)
    before = values(net)
    start = load_pretrained(net, Model("tiny", pretrained=str(tmp_path / "pixels.params")), SEEN)
    assert set(start.new) == {"classifier_weight", "classifier_bias"}
    assert_taken(net, source, before, start.new)
    assert start.notes[0].endswith("; new: classifier; left out: classifier, head")


def test_pixels_that_differ_from_those_of_the_weights_are_said(tiny):
    source, forms, _ = tiny
    model = Model("tiny", classes=2, pretrained=forms["run"])
    net, _, start = started(source, model)
    assert len(start.notes) == 1
    for other in (replace(SEEN, mean=(23.0,)), replace(SEEN, scale=1 / 255)):
        _, note = load_pretrained(net, model, other).notes
        assert f"its weights saw (pixel - [22.0]) * 0.0167, this run shows {other.formula}" in note
    for same in (replace(SEEN, scale=(0.0167,)), replace(SEEN, size=(48, 48), resize=50)):
        assert len(load_pretrained(net, model, same).notes) == 1
    nothing_said = replace(model, pretrained=forms["file"])
    assert len(load_pretrained(net, nothing_said, other).notes) == 1


def test_the_network_has_the_eps_of_its_weights_and_of_equal_ones_momentum_and_units(tmp_path):
    spec = replace(get_spec("tiny").with_units("glore", res3=(1,)), eps=0.25, momentum=0.5)
    folder = str(write_folder(tmp_path / "tiny", made(None, 2, replace(spec, name="tiny"))))
    equal = starting_spec(Model("tiny", pretrained=folder))
    assert (equal.eps, equal.momentum) == (0.25, 0.5)
    assert equal.placement == spec.placement and equal.placement != "none"
    units = {"kind": "glore", "res3": [1], "res4": [1]}
    more = starting_spec(Model("tiny", units, pretrained=folder))
    assert (more.eps, more.momentum) == (0.25, 0.5)
    assert more.extras == get_spec("tiny").with_units("glore", res3=(1,), res4=(1,)).extras
    other = starting_spec(Model("tiny_glore_0_1", pretrained=folder))
    assert (other.eps, other.momentum) == (0.25, get_spec("tiny_glore_0_1").momentum)
    assert other.extras == get_spec("tiny_glore_0_1").extras
    head = replace(as_fcn(get_spec("tiny"), channels=8), name="fcn")
    assert starting_spec(SceneModel("fcn", pretrained=folder), head) == replace(head, eps=0.25)


def test_a_network_that_is_not_registered_is_that_of_its_own_weights(tmp_path):
    spec = replace(get_spec("tiny"), name="mine", stages=(Stage(1, 8, 2), Stage(1, 8, 1)))
    folder = write_folder(tmp_path / "mine", made(None, 2, spec))
    assert starting_spec(Model("mine", pretrained=str(folder))) == replace(spec, source="")


@pytest.mark.parametrize(
    ("module", "task", "config", "spec"),
    [
        (
            imagenet,
            imagenet.Classification,
            Config(Model("tiny", UNITS, 2), Data(mean=(22.0,))),
            get_spec("tiny"),
        ),
        (
            cityscapes,
            cityscapes.Segmentation,
            SceneConfig(
                SceneModel("fcn_small_glore_1_cityscapes", UNITS), SceneData(size=(64,) * 2)
            ),
            None,
        ),
        (
            kinetics,
            kinetics.Recognition,
            VideoConfig(Model("tiny_3d", UNITS, 2), replace(VideoConfig().data, mean=(22.0,))),
            get_spec("tiny_3d").flattened(),
        ),
    ],
    ids=["imagenet", "cityscapes", "kinetics"],
)
def test_all_trainers_add_units_to_a_plain_networks_weights(module, task, config, spec, tmp_path):
    if spec is None:
        spec = replace(get_spec(config.model.name), head=None, name="backbone")
    source = made(None, 2, spec)
    save_weights(source, tmp_path / "plain.params")
    model = replace(config.model, pretrained=str(tmp_path / "plain.params"))
    config = replace(config, model=model)
    section = config.model if module is imagenet else config
    classes = (19,) if module is cityscapes else ()
    net = module.make_network(section, *classes)
    net.initialize()
    start = task().load_weights(config, net)
    assert "new: " in start.notes[0] and "conv4_B01_extra (glore)" in start.notes[0]
    tail = "tail__bn_gamma"
    assert np.array_equal(values(net)[tail], values(source)[tail])
