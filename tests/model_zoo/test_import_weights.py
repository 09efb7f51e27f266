import dataclasses
import json
import shutil
import tempfile
from pathlib import Path

import gluoncv
import mxnet as mx
import numpy as np
import pytest
import yaml

from benchmarks.networks import settle
from gluon_glore import (
    InputError,
    NetSpec,
    Network,
    Stage,
    Stem,
    get_model,
    get_spec,
    list_models,
    transfer_weights,
)
from gluon_glore.__main__ import main
from gluon_glore.data.image import Preprocess
from gluon_glore.data.pixels import Pixels
from gluon_glore.export import export_model
from gluon_glore.model_zoo.entry import check_golden
from gluon_glore.model_zoo.import_weights import find_name, import_weights
from gluon_glore.networks import registry
from gluon_glore.weights import load_arrays
from gluon_glore.weights.card import Card
from gluon_glore.weights.golden import TOLERANCE
from gluon_glore.weights.manifest import Manifest, read_manifest
from gluon_glore.weights.names import without_kinds
from tests.helpers.networks import ALIKE, initialize, synthetic
from tests.helpers.places import GOLDEN
from tests.helpers.released import (
    Speller,
    logits_of,
    network,
    picture,
    scrambled,
    write_files,
    write_tar,
)

RELEASED = GOLDEN / "resnet50_w-glore_2-3-symbol.json"
PAPER = Pixels("paper")
FILES = {"README.md", "golden.npz", "manifest.yaml"}


@pytest.fixture
def scratch():
    """A folder that is gone when the test is over: these files are large."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def at_64(name, **changes):
    """A registered network for pictures of 64 pixels, so that it runs quickly."""
    return dataclasses.replace(get_spec(name), input_size=(64, 64), name="", source="", **changes)


def differs(name, entry, x, expected):
    """How far the entry's logits, loaded by the path of its parameters, are from those expected."""
    net = get_model(name, pretrained=entry / f"{name}-0000.params")
    net.hybridize(static_alloc=True, static_shape=True)
    logits = net(mx.nd.array(x)).asnumpy()
    assert logits.shape == expected.shape and np.isfinite(expected).all()
    return np.abs(logits - expected).max() / expected.std()


def test_an_archive_in_the_released_layout_gives_the_golden_logits(scratch):
    golden = np.load(GOLDEN / "resnet50_w-glore_2-3-golden.npz")
    symbol = mx.sym.load(str(RELEASED))
    shapes, _, statistics = symbol.infer_shape(data=(1, 3, 224, 224))
    named = zip(symbol.list_arguments(), shapes)
    weights = {n: synthetic(n, s) for n, s in named if n not in ("data", "softmax_label")}
    arrays = {f"arg:{name}": array for name, array in weights.items()}
    arrays.update({key: golden[key] for key in golden.files if key.startswith("aux:")})
    assert len(statistics) == sum(key.startswith("aux:") for key in arrays)
    path = write_tar(scratch / "misleading-name.tar", RELEASED.read_text(), arrays)
    entry = import_weights(path, scratch / "entry", preprocess=PAPER, compare=False)
    assert read_manifest(entry).model == "resnet50_glore_2_3"
    x = picture(get_spec("resnet50_glore_2_3"))
    assert differs("resnet50_glore_2_3", entry, x, golden["logits"]) < TOLERANCE


REAL = {  # name: spec in the file
    "resnet50": at_64("resnet50"),
    "resnet50_glore_0_3": at_64("resnet50_glore_0_3"),
    "resnet50_glore_2_3": at_64("resnet50", eps=2e-5).with_units(
        "glore", res3=(2, 4), res4=(1, 2, 6)
    ),
}


def test_other_released_networks_give_the_logits_of_their_own_symbols(scratch):
    files = {}
    for name, spec in REAL.items():
        made = network(spec)
        files[name] = write_files(scratch / name, *made)
        if name == "resnet50":  # called as the authors' file, with what the catalogue says of that
            tar = write_tar(scratch / "resnet50.tar", *made)
    references = logits_of([(*files[name], spec) for name, spec in REAL.items()], scratch)
    for (name, spec), expected in zip(REAL.items(), references):
        params = tar if name == "resnet50" else files[name][1]
        pixels = None if name == "resnet50" else PAPER
        out = scratch / f"{name}-entry"
        entry = import_weights(params, out, preprocess=pixels, compare=False)
        manifest = read_manifest(entry)
        assert manifest.card.licence == ("MIT" if name == "resnet50" else "not said")
        assert ("top-1 76.2 %" in manifest.card.claimed) == (name == "resnet50")
        assert manifest.model == name and manifest.spec.extras == spec.extras
        assert manifest.spec.eps == spec.eps and manifest.spec.input_size == (64, 64)
        assert differs(name, entry, picture(spec), expected) < TOLERANCE


SMALL = NetSpec(
    stages=(Stage(2, 16, 1), Stage(2, 32, 2), Stage(2, 64, 2)),
    stem=Stem(8, 3, 1, 0),
    bottleneck=False,
    input_size=(16, 16),
    classes=4,
    eps=1e-3,
).with_units("glore", res3=(1, 2), res4=(1,))


@pytest.fixture(scope="module")
def made():
    """A small network of no registered name: (symbol, arrays)."""
    return network(SMALL)


@pytest.fixture
def tar(tmp_path, made):
    return write_tar(tmp_path / "small.tar", *made)


def test_an_entry_is_whole_and_its_logits_were_compared(tmp_path, tar):
    card = Card("https://example.org/x.tar", origin="them", licence="MIT", claimed="9 of 10")
    entry = import_weights(tar, tmp_path / "deep" / "entry", "small", card, PAPER)
    assert {p.name for p in entry.iterdir()} == {*FILES, "small-0000.params"}
    manifest = read_manifest(entry)
    assert set(manifest.sha256) == {"golden.npz", "small-0000.params"}
    assert manifest.spec == dataclasses.replace(SMALL, name="small")
    assert manifest.class_names == ("0", "1", "2", "3")
    assert manifest.preprocess == Preprocess(size=(16, 16), resize=18)
    assert (manifest.card.source, manifest.card.origin) == (card.source, "them")
    assert len(manifest.card.source_sha256) == 64
    assert manifest.card.checked[0].startswith("every layer has its counterpart in the file")
    assert "of the released symbol on MXNet's plain operators" in manifest.card.checked[1]
    assert check_golden(entry) < 1e-6
    assert not list((tmp_path / "deep").glob(".*"))
    assert manifest.card.claimed in (entry / "README.md").read_text()


def test_archives_folders_and_parameters_beside_their_symbol_give_the_same_entry(
    tmp_path, made, tar
):
    files = write_files(tmp_path / "in" / "code", *made)
    shutil.copy(files[0], tmp_path / "in" / "code" / "net.v2-symbol.json")
    shutil.copy(files[1], tmp_path / "in" / "code" / "net.v2.params")
    places = tar, files[1], tmp_path / "in" / "code" / "net.v2.params"
    entries = [
        import_weights(path, tmp_path / f"entry{i}", "small", preprocess=PAPER, compare=False)
        for i, path in enumerate(places)
    ]
    (tmp_path / "in" / "code" / "net.v2.params").unlink()
    (tmp_path / "in" / "code" / "net.v2-symbol.json").unlink()
    last = tmp_path / "in", tmp_path / "last", "small"
    entries.append(import_weights(*last, preprocess=PAPER, compare=False))
    digests = {read_manifest(entry).sha256["small-0000.params"] for entry in entries}
    assert len(digests) == 1
    arrays = load_arrays(entries[0] / "small-0000.params")
    assert arrays["conv3_B01_extra_GCN-G__conv_weight"].shape == (8, 8, 1, 1)
    assert arrays["conv3_B01_extra_GCN-G__bn_running_var"].shape == (8,)


def refused(path, out, message, **options):
    """Importing is refused in one line that names the file; nothing is left behind."""
    before = sorted(out.parent.rglob("*"))
    with pytest.raises(InputError, match=message) as error:
        import_weights(path, out, **{"preprocess": PAPER, "compare": False, **options})
    assert "\n" not in str(error.value)
    assert sorted(out.parent.rglob("*")) == before
    return str(error.value)


def test_what_is_no_release_is_refused(tmp_path, made, tar):
    out = tmp_path / "entry"
    refused(tmp_path / "none.tar", out, "none.tar: no such file")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", out, r"empty: has no \*-symbol.json")
    (tmp_path / "page.tar").write_text("<html>")
    refused(tmp_path / "page.tar", out, "page.tar: neither an archive")
    (tmp_path / "cut.tar").write_bytes(tar.read_bytes()[:5000])
    refused(tmp_path / "cut.tar", out, "cut.tar: truncated archive")
    alone = write_files(tmp_path / "alone", *made)[1].rename(tmp_path / "alone-0001.params")
    refused(alone, out, "parameters alone; alone-symbol.json is needed beside them")


def test_an_archives_damage_is_said_of_the_archive(tmp_path, made):
    symbol, arrays = made
    path = write_tar(tmp_path / "a.tar", "{}", arrays)
    text = refused(path, tmp_path / "entry", "symbol.json: not an MXNet symbol")
    assert text == f"{path}: symbol.json: not an MXNet symbol"
    less = {name: a for name, a in arrays.items() if name != "arg:tail__bn_beta"}
    path = write_tar(tmp_path / "a.tar", symbol, less)
    text = refused(path, tmp_path / "entry", "tail__bn_beta is missing in the parameter file")
    assert text.startswith(f"{path}: symbol.json: 1 things can't be mapped onto the resnet of")
    other = mx.gluon.model_zoo.vision.squeezenet1_0(prefix="")(mx.sym.var("data"))
    path = write_tar(tmp_path / "a.tar", other, arrays)
    refused(path, tmp_path / "entry", "no residual or dual-path units of the released networks")
    folder = write_files(tmp_path / "in", "[]", arrays)[0].parent
    refused(folder, tmp_path / "entry", f"^{folder}/net-symbol.json: not an MXNet symbol")


def test_a_network_of_no_registered_name_needs_one_and_no_others(tmp_path, tar):
    out = tmp_path / "entry"
    refused(tar, out, r"no registered network .*\(6 units, .* Res3 1,2; Res4 1\): name it")
    message = "small.tar: another network than resnet18, its extra units: glore: Res3 1,2; Res4 1"
    refused(tar, out, message, name="resnet18")
    refused(tar, out, "a network's name has letters, digits, .* given '../x'", name="../x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("precious")
    refused(tar, tmp_path / "full", "full: not an empty folder", name="small")
    refused(tar, tmp_path / "full" / "mine", "mine: not an empty folder", name="small")
    (tmp_path / "full" / "mine").unlink()
    assert import_weights(tar, tmp_path / "full", "small", None, PAPER, False).is_dir()


NAMED = [n for n in list_models() if n not in ALIKE and get_spec(n).ndim == 2]


@pytest.mark.parametrize("name", NAMED)
def test_every_registered_network_has_its_own_name(name):
    assert find_name(get_spec(name)) == name


def test_names_are_of_the_same_layers_else_of_as_many_units_elsewhere():
    def units(**places):
        return get_spec("resnet50").with_units("glore", **places)

    assert find_name(units(res3=(2,))) == "resnet50_glore_1_0"
    assert find_name(units(res3=(1,))) == "resnet50_glore_1_0"
    assert find_name(units(res3=(3, 4), res4=(2, 5, 6))) == "resnet50_glore_2_3"
    assert find_name(dataclasses.replace(units(res4=(2, 5, 6)), eps=1e-3)) == "resnet50_glore_0_3"
    assert find_name(dataclasses.replace(get_spec("dpn92"), classes=7)) == "dpn92"
    both = get_spec("dpn92").with_units("glore", res3=(1, 3), res4=(5, 10, 15), both_paths=True)
    assert find_name(both) == "dpn92_glore_2_3"
    for unknown in (units(res4=(1, 2)), units(res5=(1,)), units(res4=(1, 2, 3), res5=(1,))):
        with pytest.raises(InputError, match=r"no registered .*\(16 units, .*Res.*\): name it"):
            find_name(unknown)
    deeper = get_spec("resnet50")
    deeper = dataclasses.replace(deeper, stages=(Stage(4, 256, 1), *deeper.stages[1:]))
    with pytest.raises(InputError, match="17 units, extra units none"):
        find_name(deeper)


def test_a_name_of_the_same_places_goes_before_one_of_others(monkeypatch):
    def resnet50_glore_late():
        """Registered for this test alone."""
        return get_spec("resnet50").with_units("glore", res4=(4, 5, 6))

    monkeypatch.setitem(registry._ROWS, "resnet50_glore_late", resnet50_glore_late)
    assert find_name(resnet50_glore_late()) == "resnet50_glore_late"
    assert find_name(get_spec("resnet50_glore_0_3")) == "resnet50_glore_0_3"


def test_other_placement_and_eps_than_the_registered_are_loaded_by_name(tmp_path):
    spec = dataclasses.replace(get_spec("cifar_resnet14"), eps=2e-5, classes=4)
    spec = spec.with_units("glore", res3=(2,), mid_channels=16)
    files = write_files(tmp_path / "in", *network(spec))
    entry = import_weights(files[1], tmp_path / "entry", preprocess=PAPER)
    name = "cifar_resnet14_glore_1_0"
    found = read_manifest(entry)
    assert found.model == name
    net = get_model(name, pretrained=entry / f"{name}-0000.params")
    assert (net.spec.eps, net.spec.placement, net.classes) == (2e-5, "glore: Res3 2", 4)
    (expected,) = logits_of([(*files, spec)], tmp_path)
    assert differs(name, entry, picture(spec), expected) < TOLERANCE
    with pytest.raises(InputError, match="weights of cifar_resnet14_glore_1_0, not of resnet18"):
        get_model("resnet18", pretrained=entry)


def test_our_own_exports_come_back(tmp_path):
    name = "cifar_resnet14_glore_1_0"
    net = get_model(name)
    initialize(net)
    classes = tuple("abcdefghij")
    export_model(
        net, tmp_path / "out", Manifest(name, classes, Preprocess((32, 32), 0)), plain=True
    )
    entry = import_weights(tmp_path / "out", tmp_path / "entry")
    manifest = read_manifest(entry)
    assert manifest.model == name and manifest.spec.input_size == (32, 32)
    assert manifest.preprocess == Preprocess((32, 32), 0) and manifest.class_names == classes
    assert "released symbol on MXNet's plain operators" in manifest.card.checked[-1]
    x = picture(get_spec(name))
    assert differs(name, entry, x, net(mx.nd.array(x)).asnumpy()) < 1e-4


def test_pixels_are_the_manifests_or_asked_for(tmp_path):
    net = get_model("tiny")
    initialize(net)
    preprocess = Preprocess((64, 64), 0, (22.0,))
    folder = export_model(
        net, tmp_path / "out", Manifest("tiny", ("a", "b"), preprocess), plain=True
    )
    beside = read_manifest(import_weights(folder, tmp_path / "beside", compare=False))
    assert (beside.preprocess, beside.class_names) == (preprocess, ("a", "b"))
    other = Pixels("0-1", resize=0)
    told = import_weights(folder, tmp_path / "told", preprocess=other, compare=False)
    assert read_manifest(told).preprocess == Preprocess((64, 64), 0, (0.0,), 1 / 255)
    (folder / "manifest.yaml").unlink()
    message = f"^{folder}: neither it nor the catalogue says its pixels: give --pixels paper"
    refused(folder, tmp_path / "entry", message, preprocess=None)


def test_only_a_file_called_as_a_released_one_has_the_releases_pixels(tmp_path):
    spec = dataclasses.replace(get_spec("resnet50"), input_size=(32, 32), classes=3)
    symbol, arrays = network(spec)
    write_files(tmp_path / "resnet50", symbol, arrays)
    own = write_tar(tmp_path / "resnet50.tar.gz", symbol, arrays)
    for path in (tmp_path / "resnet50", own):
        refused(path, tmp_path / "entry", "neither it nor the catalogue says", preprocess=None)


def test_a_file_whose_logits_differ_from_ours_is_refused(tmp_path):
    """A reshape of the data counts in no meaning, so that only its logits tell this graph."""
    spec = get_spec("cifar_resnet14")
    symbol, arrays = network(spec)
    folded = mx.sym.Reshape(mx.sym.var("data"), shape=(0, 0, 16, 64))
    text = symbol(data=folded).tojson().replace('"(4, 4)"', '"(4, 4)", "global_pool": "True"')
    path = write_tar(tmp_path / "a.tar", text, arrays)
    message = "^.*a.tar: symbol.json: logits differ by .* of their deviation, at most 0.005$"
    refused(path, tmp_path / "entry", message, compare=True)
    (tmp_path / "in").mkdir()
    import_weights(path, tmp_path / "in" / "entry", preprocess=PAPER, compare=False)


def test_a_full_disk_leaves_nothing(tmp_path, tar, mount):
    place = mount("size=300k")
    for blocks in (20, 200, 280):  # kilobytes taken by something else
        (place / "other").write_bytes(bytes(blocks << 10))
        message = "No space left|could not be written"
        refused(tar, place / "entry", message, name="small")


def test_a_folder_that_can_not_be_written_is_refused(tmp_path, tar):
    (tmp_path / "file").write_text("")
    refused(tar, tmp_path / "file" / "entry", "Not a directory|File exists", name="small")


def test_the_command_line_imports_and_says_what_it_wrote(tmp_path, tar, capsys):
    out = tmp_path / "entry"
    arguments = ["import", str(tar), "--out", str(out), "--name", "small", "--licence", "MIT"]
    arguments += ["--pixels", "paper"]
    assert main([*arguments, "--no-compare"]) == 0
    printed = capsys.readouterr().out
    assert (out / "README.md").read_text() in printed and f"written: {out}" in printed
    assert yaml.safe_load((out / "manifest.yaml").read_text())["card"]["licence"] == "MIT"
    assert main([*arguments, "--no-compare"]) == 2
    assert capsys.readouterr().err == f"error: {out}: not an empty folder\n"


def test_the_reference_symbols_need_the_spec_alone():
    """`Speller` is written from the spec, not from the blocks, whose errors it would repeat."""
    names = Speller(SMALL).symbol().list_arguments()
    ours = {n for n in Network(SMALL).collect_params() if "running" not in n}
    assert {n for n in names if n not in ("data", "softmax_label")} == ours


GLUONCV = Pixels("torchvision")  # how GluonCV prepares pictures


@pytest.fixture(scope="module", params=["resnet18_v2", "resnet50_v2"])
def gluoncv_network(request, tmp_path_factory):
    """(name, a network of GluonCV's with random weights, the folder that it is exported to)."""
    name = request.param
    mx.random.seed(2)
    net = gluoncv.model_zoo.get_model(name, classes=7)
    net.initialize(mx.init.Xavier())
    settle(net, mx.nd.array(picture(PICTURES, 4)))
    rng = np.random.RandomState(4)
    for key, param in net.collect_params(".*(gamma|beta)").items():
        if param.grad_req != "null":  # as after training: none is one or zero
            value = rng.normal(key.endswith("gamma"), 0.2, param.shape)
            param.set_data(mx.nd.array(value))
    net.hybridize()
    net(mx.nd.array(picture(PICTURES)))
    folder = tmp_path_factory.mktemp(name)
    net.export(str(folder / "net"))
    return name, net, folder


PICTURES = NetSpec(stages=(Stage(1, 8),), input_size=(64, 64))


def test_gluoncvs_pre_activation_networks_give_their_own_logits(tmp_path, gluoncv_network):
    name, net, folder = gluoncv_network
    entry = import_weights(folder, tmp_path / "entry", name, preprocess=GLUONCV, compare=False)
    manifest = read_manifest(entry)
    assert manifest.preprocess.mean == (123.675, 116.28, 103.53)
    assert manifest.preprocess.scale == (1 / 58.395, 1 / 57.12, 1 / 57.375)
    x = mx.nd.array(picture(PICTURES))
    ours = get_model(name, pretrained=entry / f"{name}-0000.params")
    expected = net(x).asnumpy()
    assert np.abs(ours(x).asnumpy() - expected).max() < 1e-4 * expected.std()


def test_units_on_top_of_a_gluoncv_network_begin_as_it_and_learn(tmp_path, gluoncv_network):
    name, net, folder = gluoncv_network
    entry = import_weights(folder, tmp_path / "entry", name, preprocess=GLUONCV, compare=False)
    spec = read_manifest(entry).spec.with_units("glore", res4=(1,), arrangement="post")
    tuned = Network(spec)
    tuned.initialize()
    kept = transfer_weights(tuned, entry / f"{name}-0000.params", allow_missing=True)
    assert kept and all(name.startswith("conv4_B01_extra_") for name in kept)
    x, y = mx.nd.array(picture(PICTURES)), mx.nd.array([1, 5])
    expected = net(x).asnumpy()
    assert np.abs(tuned(x).asnumpy() - expected).max() < 1e-4 * expected.std()
    trainer = mx.gluon.Trainer(tuned.collect_params(), "sgd", {"learning_rate": 0.01})
    losses = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    told = []
    for _ in range(2):
        with mx.autograd.record():
            loss = losses(tuned(x), y).mean()
        loss.backward()
        told.append(loss.asscalar())
        trainer.step(1)
    assert told[1] < told[0]
    params = tuned.collect_params()
    assert params["conv4_B01_extra_fc-2__bn_gamma"].data().norm().asscalar() > 0


ONE_IS_ENOUGH = pytest.mark.parametrize("gluoncv_network", ["resnet18_v2"], indirect=True)


@ONE_IS_ENOUGH
def test_pixels_of_other_networks_than_the_releases_are_asked_for(tmp_path, gluoncv_network):
    name, _, folder = gluoncv_network
    message = "neither it nor the catalogue says its pixels: give --pixels paper"
    refused(folder, tmp_path / "entry", message, name=name, preprocess=None)
    three = Pixels(mean=(1.5, 1.5), std=(2.0,), resize=0)
    refused(folder, tmp_path / "entry", "numbers of 2 channels", name=name, preprocess=three)


@ONE_IS_ENOUGH
def test_the_command_line_imports_a_gluoncv_network(tmp_path, gluoncv_network, capsys):
    name, _, folder = gluoncv_network
    out = tmp_path / "entry"
    command = ["import", str(folder), "--out", str(out), "--name", name, "--no-compare"]
    assert main(command) == 2
    assert "--pixels torchvision" in capsys.readouterr().err and not out.exists()
    assert main([*command, "--pixels", "torchvision"]) == 0
    assert read_manifest(out).preprocess.resize == 256
    assert main([*command[:2], "--out", str(tmp_path / "no"), "--pixels", "torchvision"]) == 2
    assert "no registered network is like the one in the file" in capsys.readouterr().err


def test_a_released_symbol_of_any_names_is_compared_too(tmp_path, made):
    """The process that compares finds pixels and classifier by their place."""
    symbol, arrays = made
    text, renamed = scrambled(symbol.tojson(), without_kinds(arrays))
    path = write_files(tmp_path / "scrambled", text, renamed)[1]
    entry = import_weights(path, tmp_path / "entry", "small", preprocess=PAPER, compare=True)
    assert "released symbol on MXNet's plain operators" in read_manifest(entry).card.checked[-1]
    graph = json.loads(symbol.tojson())
    for node in graph["nodes"]:
        if node["op"] != "null":
            node["name"] = "n17"
    path = write_files(tmp_path / "alike", json.dumps(graph), arrays)[1]
    import_weights(path, tmp_path / "alike-entry", "small", preprocess=PAPER, compare=True)
