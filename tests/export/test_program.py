"""The program of `export --pytorch`: the Gluon network's logits, in PyTorch alone."""

import importlib.util
import re
import shutil
import subprocess
import sys

import cv2
import mxnet as mx
import numpy as np
import pytest

from benchmarks.networks import settle
from gluon_glore import InputError, describe, get_model, get_spec, load_network, pytorch
from gluon_glore.__main__ import main
from gluon_glore.data.image import Preprocess
from gluon_glore.export import export_model
from gluon_glore.export.check import check
from gluon_glore.export.files import read_files
from gluon_glore.export.runtimes import load_runtime, usable
from gluon_glore.model_zoo.find_weights import find_weights
from gluon_glore.weights.golden import read_golden
from gluon_glore.weights.manifest import Manifest, read_manifest
from tests.helpers.any_networks import classifier
from tests.helpers.exports import TINY, exported
from tests.helpers.families import SPACES, small
from tests.helpers.marks import REPRESENTATIVES
from tests.helpers.networks import initialize, relative_error, small_size

torch = pytest.importorskip("torch", reason="programs are PyTorch's")

NAME = "tiny_glore_0_1"
CLASSES = ("a", "b", "c")


def settled(net, shape):
    """The network with values and statistics, which magnify no rounding."""
    mx.random.seed(0)
    initialize(net)
    settle(net, mx.nd.random.normal(shape=shape))
    return net


def agrees(folder, net):
    """Hold that the program gives a network's logits for batches of 1, 2 and 3."""
    network = load_runtime(folder, "pytorch", threads=1)
    allowed = read_manifest(folder).deployment.tolerance
    for rows in ([1], [0, 1], [1, 0, 0]):
        x = read_golden(folder)[0][rows]
        assert relative_error(network(x), net(mx.nd.array(x)).asnumpy()) <= allowed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with every file that an export may have."""
    place = tmp_path_factory.mktemp("program") / "out"
    exported(place, pytorch=True)
    return place


@pytest.mark.parametrize("name", sorted(REPRESENTATIVES))
def test_a_program_gives_the_networks_logits_at_any_batch(name, tmp_path):
    spec = get_spec(name)
    shape = (spec.in_channels, *small_size(spec))
    net = settled(get_model(name, classes=3), (16, *shape))
    manifest = Manifest(name, CLASSES, Preprocess(shape[-2:], 0, (1.0,) * spec.in_channels))
    agrees(export_model(net, tmp_path / "out", manifest, pytorch=True), net)


@pytest.mark.parametrize(
    ("family", "ndim", "units"),
    [
        ("resnet", 1, ("glore", {})),
        ("resnext", 1, ("nonlocal", {"subsample": 2})),
        ("se_resnet", 2, ("glore", {"pool_stride": 2, "graph_layers": 2})),
        ("dpn", 2, ("nonlocal", {"subsample": 2})),
        ("resnet18", 3, ("glore", {"arrangement": "post", "extend_first": True})),
        ("resnet", 3, ("nonlocal", {"subsample": 2})),
        ("resnet", 2, ("glore", {"shared_projection": False})),
    ],
)
def test_units_and_families_in_every_number_of_dimensions(family, ndim, units, tmp_path):
    net = settled(small(family, ndim, 12, units), (3, 2, *SPACES[ndim]))
    manifest = Manifest("small", CLASSES, Preprocess(SPACES[ndim], 0, (1.0, 2.0)))
    agrees(export_model(net, tmp_path / "out", manifest, pytorch=True), net)


@pytest.mark.parametrize("name", ["resnet18_glore_0_1", "fcn_small_glore_1_cityscapes"])
def test_any_size_and_pictures_in(name, tmp_path):
    """Of 32 x 33 pixels the last map of a network of pictures has one location."""
    spec = get_spec(name)
    net = settled(get_model(name, classes=3), (16, 3, 64, 64))
    preprocess = Preprocess((64, 64), 0, (9.0, 8.0, 7.0), (0.0171, 0.004, 0.03))
    manifest = Manifest(name, CLASSES, preprocess)
    folder = export_model(
        net, tmp_path / "out", manifest, pytorch=True, any_size=True, preprocess=True
    )
    network = load_runtime(folder, "pytorch")
    for batch, size in enumerate([(96, 96), (33, 80), (32, 33)], start=1):
        x = np.random.RandomState(1).randint(0, 256, (batch, *size, 3)).astype("uint8")
        expected = net(mx.nd.array([preprocess.normalize(picture) for picture in x])).asnumpy()
        assert expected.shape[2:] == (size if spec.head else ())
        assert relative_error(network(x), expected) < 1e-4


def test_of_clips_as_pictures(tmp_path):
    net = settled(get_model("tiny_3d_glore_0_1", classes=3), (4, 1, 8, 32, 32))
    preprocess = Preprocess((32, 32), 0, (22.0,), 0.0167)
    manifest = Manifest("tiny_3d_glore_0_1", CLASSES, preprocess)
    folder = export_model(net, tmp_path / "out", manifest, pytorch=True, preprocess=True)
    shape = read_files(folder).sample_shape
    clips = np.random.RandomState(1).randint(0, 256, shape).astype("uint8")
    expected = net(mx.nd.array((clips[..., 0] - 22.0)[:, None] * 0.0167)).asnumpy()
    assert relative_error(load_runtime(folder, "pytorch")(clips), expected) < 1e-4


def test_check_predict_and_the_manifest_know_it(folder, capsys):
    assert usable(read_files(folder))[-2:] == ["mxnet", "pytorch"]
    deployment = read_manifest(folder).deployment
    assert 0 < deployment.checked["pytorch"]["error"] < 1e-4
    assert "torch: " in (folder / "manifest.yaml").read_text()
    assert main(["check", str(folder)]) == 0
    assert "pytorch      agrees" in capsys.readouterr().out


def test_the_command_line_exports_and_predicts(tmp_path, capsys):
    entry = find_weights(NAME, True).params.parent
    given = ["export", str(entry), "--pytorch", "--out", str(tmp_path / "out")]
    assert main(given) == 0
    assert "pytorch      differs by" in capsys.readouterr().out
    picture = np.random.RandomState(0).randint(0, 256, (64, 64)).astype("uint8")
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    answers = []
    for runtime in ("mxnet", "pytorch"):
        given = ["predict", str(tmp_path / "a.png"), "--model", str(tmp_path / "out")]
        assert main([*given, "--runtime", runtime]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]


def test_the_readmes_lines_run_in_pytorch_alone(folder):
    blocks = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.S)
    program, weights = (block for block in blocks if "torch" in block)
    none = "import sys; sys.modules.update(dict.fromkeys(['gluon_glore', 'mxnet', 'safetensors']))"
    judged = "y = golden['logits']; print(abs(logits - y).max() < 1e-4 * abs(y).max())"
    code = f"{none}\n{program}\n{judged}"
    assert ran(code, folder) == "True\n"
    names = "print(sorted(weights)[0], len(weights))"
    assert ran(f"{weights}\n{names}", folder).startswith("classifier.bias ")


def ran(code, folder):
    """What a program prints in a process without the user's paths."""
    command = [sys.executable, "-I", "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_neither_mxnet_nor_a_program_is_needed_where_there_is_none(folder):
    code = (
        "import sys; sys.modules['mxnet'] = None;"
        "from gluon_glore.export.check import check;"
        f"print(sorted(check({str(folder)!r}, apart=False)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "['pytorch']" in done.stdout, done.stderr
    assert "mxnet        not run: is not installed: pip install '.[cpu]'" in done.stdout


def test_the_weights_are_the_networks_own(folder):
    from safetensors.torch import load_file

    from gluon_glore.pytorch import Network

    net = Network(get_spec(NAME), 2)
    weights = load_file(folder / f"{NAME}.safetensors")
    assert set(weights) == set(net.state_dict())
    net.load_state_dict(weights)
    golden = np.load(folder / "golden.npz")
    with torch.no_grad():
        logits = net.eval()(torch.from_numpy(golden["input"])).numpy()
    assert relative_error(logits, golden["logits"]) < 1e-4


def test_the_weights_say_what_they_are_to_both_spellings(folder, tmp_path):
    alone = shutil.copy(folder / f"{NAME}.safetensors", tmp_path)
    told, golden = read_manifest(folder), np.load(folder / "golden.npz")
    for file in (folder / f"{NAME}.safetensors", alone):
        net = pytorch.get_model(NAME, pretrained=file).eval()
        assert (net.preprocess, net.classes) == (told.preprocess, 2)
        net, manifest = load_network(NAME, file)
        assert manifest.class_names == told.class_names
        logits = net(mx.nd.array(golden["input"])).asnumpy()
        assert relative_error(logits, golden["logits"]) < 1e-4


def test_nothing_of_who_made_it_is_in_a_program(folder):
    program = (folder / f"{NAME}.pt2").read_bytes()
    for told in (b"site-packages", b"gluon_glore", b"/" + folder.name.encode(), b".py"):
        assert told not in program
    assert all((file.stat().st_mode & 0o777) == 0o644 for file in folder.iterdir())


def test_threads_are_those_that_were_asked_for(folder):
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            load_runtime(folder, "pytorch", threads=threads)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_what_can_not_be_a_program_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    net = get_model(NAME, classes=2)
    net.initialize()
    manifest = Manifest(NAME, ("no", "yes"), TINY)
    out = tmp_path / "out"
    with pytest.raises(InputError, match="computes in float32: leave --pytorch out"):
        export_model(net, out, manifest, "int8", calibrate="x.rec", pytorch=True)
    others = classifier()
    theirs = describe(others, Preprocess((16, 16), 0), name="theirs")
    with pytest.raises(InputError, match="theirs is no network of this project, .* --pytorch out"):
        export_model(others, out, theirs, pytorch=True)
    changed = get_model(NAME, classes=2)
    changed.initialize()
    changed.features.add(mx.gluon.nn.BatchNorm(in_channels=changed.spec.feature_channels))
    changed.initialize()
    with pytest.raises(InputError, match=r"was changed by hand, as '\w*gamma' shows"):
        export_model(changed, out, manifest, pytorch=True)
    found = importlib.util.find_spec
    hidden = lambda name, *package: None if name == "torch" else found(name, *package)  # noqa: E731
    monkeypatch.setattr("importlib.util.find_spec", hidden)
    with pytest.raises(InputError, match=r"--pytorch needs the package torch: .*\.\[pytorch\]"):
        export_model(net, out, manifest, pytorch=True)
    assert not list(tmp_path.iterdir())


def test_an_old_pytorch_is_told_and_another_runtime_taken(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda package: "2.8.0+cpu")
    told = r"needs torch 2\.11 or newer, given 2\.8\.0\+cpu$"
    with pytest.raises(InputError, match=f"pytorch {told}"):
        load_runtime(folder, "pytorch")
    assert load_runtime(folder).name == "mxnet"
    manifest = Manifest(NAME, ("no", "yes"), TINY)
    with pytest.raises(InputError, match=f"--pytorch {told}"):
        export_model(get_model(NAME, classes=2), tmp_path / "out", manifest, pytorch=True)


def test_a_full_disk_leaves_nothing(tmp_path, mount):
    place = mount("size=4m")
    net = settled(get_model(NAME, classes=2), (8, 1, 64, 64))
    with pytest.raises(InputError, match="No space left on device"):
        export_model(net, place / "out", Manifest(NAME, ("no", "yes"), TINY), pytorch=True)
    assert not list(place.iterdir())


def test_check_in_this_process_too(folder):
    assert set(check(folder, apart=False)) == {"mxnet", "pytorch"}
