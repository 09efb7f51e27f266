import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import cv2
import mxnet as mx
import numpy as np
import pytest
import yaml
from mxnet.gluon import nn

from benchmarks.networks import settle
from gluon_glore import InputError, Network, get_model, get_spec
from gluon_glore.data.image import Preprocess
from gluon_glore.export import export_model, import_model
from gluon_glore.export.check import check
from gluon_glore.export.runtimes import load_runtime
from gluon_glore.model_zoo.load import load_network
from gluon_glore.weights.manifest import MANIFEST, Manifest, read_manifest
from tests.helpers.exports import TINY, by_module, exported
from tests.helpers.families import FAMILIES, SPACES, small
from tests.helpers.networks import initialize, open_gates, relative_error


@pytest.mark.parametrize("name", ["tiny_glore_0_1", "resnet18_glore_0_1", "resnet50_glore_2_3"])
def test_symbol_block_and_module_give_the_networks_outputs(tmp_path, name):
    colour = Preprocess(size=(64, 64))
    preprocess = TINY if name.startswith("tiny") else colour
    net = exported(tmp_path, name, preprocess)
    x = mx.nd.random.normal(shape=(3, preprocess.channels, 64, 64))
    expected = net(x).asnumpy()

    block, manifest = import_model(tmp_path)
    assert relative_error(by_module(tmp_path / name, x), expected) < 1e-4
    assert (manifest.model, manifest.class_names, manifest.preprocess) == (
        name,
        ("no", "yes"),
        preprocess,
    )
    assert relative_error(block(x).asnumpy(), expected) < 1e-4


UNITS = [(), ("glore", {}), ("glore", {"arrangement": "post"}), ("nonlocal", {"subsample": 2})]


@pytest.mark.parametrize("ndim", SPACES)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("units", UNITS, ids=["plain", "pre", "post", "nonlocal"])
def test_every_family_is_the_same_in_every_runtime(tmp_path, family, ndim, units):
    """SymbolBlock, Module, ONNX Runtime, OpenVINO; also at a batch that none was exported with."""
    for package in ("onnx", "onnxruntime", "openvino"):
        pytest.importorskip(package)
    mx.random.seed(ndim)
    net = small(family, ndim, 12, units)
    initialize(net)
    x = mx.nd.random.normal(shape=(3, 2, *SPACES[ndim]))
    settle(net, x)
    expected = net(x).asnumpy()
    manifest = Manifest("small", ("a", "b", "c"), Preprocess(SPACES[ndim], 0, (1.0, 2.0)))
    export_model(net, tmp_path, manifest, onnx=True)

    assert relative_error(by_module(tmp_path / "small", x), expected) < 1e-4
    for name in ("mxnet", "onnxruntime", "openvino"):
        assert relative_error(load_runtime(tmp_path, name)(x.asnumpy()), expected) < 1e-4


def test_a_graph_with_preprocessing_takes_the_pictures_themselves(tmp_path):
    net = exported(tmp_path / "pixels", "resnet18_glore_0_1", Preprocess((64, 48), 70))
    manifest = read_manifest(tmp_path / "pixels")
    export_model(net, tmp_path / "pictures", manifest, onnx=True, preprocess=True)
    cv2.imwrite(
        str(tmp_path / "picture.jpg"),
        np.random.RandomState(1).randint(0, 256, (100, 120, 3)).astype("uint8"),
    )
    rgb = cv2.imread(str(tmp_path / "picture.jpg"))[:, :, ::-1]
    pixels = manifest.preprocess(rgb)
    pictures = manifest.preprocess.crop(rgb)
    assert pictures.dtype == np.uint8 and pictures.shape == (64, 48, 3)

    expected = load_runtime(tmp_path / "pixels", "mxnet")(pixels[None])
    for name in ("mxnet", "onnxruntime", "openvino"):
        logits = load_runtime(tmp_path / "pictures", name)(pictures[None])
        assert relative_error(logits, expected) < 1e-4
    deployment = read_manifest(tmp_path / "pictures").deployment
    assert deployment.takes_pictures
    assert (deployment.layout, deployment.shape) == ("NHWC", (None, 64, 48, 3))


def test_the_graphs_own_preprocessing_has_a_scale_for_each_channel(tmp_path):
    preprocess = Preprocess((32, 32), 0, (1.0, 2.0, 3.0), (0.0171, 0.004, 0.03))
    net = exported(tmp_path / "pixels", "cifar_resnet14", preprocess)
    manifest = read_manifest(tmp_path / "pixels")
    export_model(net, tmp_path / "pictures", manifest, onnx=True, preprocess=True)
    picture = np.random.RandomState(1).randint(0, 256, (32, 32, 3)).astype("uint8")
    expected = load_runtime(tmp_path / "pixels", "mxnet")(preprocess(picture)[None])
    same = net(mx.nd.array(preprocess(picture)[None])).asnumpy()
    assert relative_error(expected, same) < 1e-4
    for name in ("mxnet", "onnxruntime", "openvino"):
        logits = load_runtime(tmp_path / "pictures", name)(picture[None])
        assert relative_error(logits, expected) < 1e-4
    assert (
        relative_error(
            by_module(tmp_path / "pictures" / "cifar_resnet14", mx.nd.array(picture[None])),
            expected,
        )
        < 1e-4
    )


@pytest.mark.parametrize("unit", ["glore", "nonlocal"])
def test_any_size_lets_onnx_take_other_heights_and_widths(tmp_path, unit):
    net = small("resnet", 2, 12, (unit, {}))
    initialize(net)
    settle(net, mx.nd.random.normal(shape=(4, 2, 17, 15)))
    manifest = Manifest("small", ("a", "b", "c"), Preprocess((17, 15), 0, (1.0, 2.0)))
    export_model(net, tmp_path, manifest, onnx=True, any_size=True)
    assert read_manifest(tmp_path).deployment.shape == (None, 2, None, None)
    x = np.random.RandomState(0).normal(size=(3, 2, 26, 31)).astype("float32")
    for name in ("mxnet", "onnxruntime", "openvino"):
        logits = load_runtime(tmp_path, name)(x)
        assert relative_error(logits, net(mx.nd.array(x)).asnumpy()) < 1e-4


def test_a_network_that_labels_pixels_takes_any_size_in_every_runtime(tmp_path):
    """Also one with an auxiliary head, which is left out, and with uint8 pictures."""
    spec = get_spec("fcn_small_glore_1_cityscapes")
    spec = dataclasses.replace(spec, head=dataclasses.replace(spec.head, auxiliary=4))
    net = Network(spec, classes=3)
    initialize(net)
    open_gates(net)
    settle(net, mx.nd.random.normal(shape=(4, 3, 64, 64)))
    preprocess = Preprocess((41, 50), resize=0)
    manifest = Manifest(spec.name, ("a", "b", "c"), preprocess)
    folder = export_model(net, tmp_path / "out", manifest, onnx=True, any_size=True)
    assert read_manifest(folder).deployment.shape == (None, 3, None, None)
    for size in ((41, 50), (64, 57), (120, 33)):
        x = np.random.RandomState(0).normal(size=(2, 3, *size)).astype("float32")
        expected = net(mx.nd.array(x)).asnumpy()
        assert expected.shape == (2, 3, *size)
        for name in ("mxnet", "onnxruntime", "openvino"):
            assert relative_error(load_runtime(folder, name)(x), expected) < 1e-4
    check(folder, apart=False)
    run_programs(folder, tmp_path)

    plain = export_model(net, tmp_path / "plain", manifest, plain=True)
    x = mx.nd.random.normal(shape=(1, 3, 41, 50))
    assert relative_error(import_model(plain)[0](x).asnumpy(), net(x).asnumpy()) < 1e-4
    assert not any(
        "auxiliary" in name for name in mx.nd.load(str(plain / f"{spec.name}-0000.params"))
    )

    pictures = export_model(
        net, tmp_path / "p", manifest, onnx=True, any_size=True, preprocess=True
    )
    picture = np.random.RandomState(1).randint(0, 256, (1, 30, 44, 3)).astype("uint8")
    expected = net(mx.nd.array(preprocess.normalize(picture[0])[None])).asnumpy()
    for name in ("mxnet", "onnxruntime", "openvino"):
        assert relative_error(load_runtime(pictures, name)(picture), expected) < 1e-4


def test_records_of_labelled_pictures_are_not_for_a_network_that_labels_pixels(tmp_path):
    net = get_model("fcn_small_cityscapes", classes=2)
    initialize(net)
    manifest = Manifest("fcn_small_cityscapes", ("a", "b"), Preprocess((64, 64), resize=0))
    with pytest.raises(InputError, match="x.rec: no set of scenes, expected Cityscapes.* folders"):
        export_model(net, tmp_path / "out", manifest, calibrate=tmp_path / "x.rec")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_is_kept(tmp_path):
    net = exported(tmp_path / "out")
    manifest = read_manifest(tmp_path / "out")
    with pytest.raises(InputError, match="not an empty folder; --force"):
        export_model(net, tmp_path / "out", manifest)
    export_model(net, tmp_path / "out", manifest, onnx=True, force=True)
    assert (tmp_path / "out/tiny_glore_0_1.onnx").is_file()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years")
    with pytest.raises(InputError, match="not an exported folder, it stays"):
        export_model(net, tmp_path / "mine", manifest, force=True)
    assert (tmp_path / "mine/thesis.txt").read_text() == "years"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out"]


def test_a_full_disk_leaves_the_folder_as_it_was(tmp_path, mount):
    place = mount("size=6m")
    net = exported(place / "out")
    before = {path: path.read_bytes() for path in (place / "out").iterdir()}
    (place / "ballast").write_bytes(bytes(3 << 20))
    with pytest.raises((InputError, mx.MXNetError)):
        export_model(net, place / "out", read_manifest(place / "out"), onnx=True, force=True)
    assert {path: path.read_bytes() for path in (place / "out").iterdir()} == before
    assert sorted(path.name for path in place.iterdir()) == ["ballast", "out"]


@pytest.mark.parametrize("pictures", [False, True])
def test_the_programs_of_the_readme_run(tmp_path, pictures):
    """Every Python block, and the C++ one, compiled against the wheel's own library."""
    net = exported(tmp_path / "pixels")
    manifest = read_manifest(tmp_path / "pixels")
    folder = export_model(net, tmp_path / "out", manifest, onnx=True, preprocess=pictures)
    run_programs(folder, tmp_path)


def run_programs(folder, tmp_path):
    text = (folder / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(blocks) == 3
    blocks = ["\n".join(blocks[:2]), blocks[2]]  # Module goes on where SymbolBlock ends
    for block in blocks:
        code = f"{block}\ny = golden['logits']\nprint(abs(logits - y).max() < 1e-4 * abs(y).max())"
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.stdout == "True\n", done.stderr

    (code,) = re.findall(r"```cpp\n(.*?)```", text, re.S)
    (tmp_path / "net.cc").write_text(code)
    place = Path(mx.__file__).parent
    command = ["g++", f"-I{place}/include", "net.cc", f"{place}/libmxnet.so", f"-Wl,-rpath,{place}"]
    subprocess.run([*command, "-o", "net"], check=True, cwd=tmp_path)
    done = subprocess.run([tmp_path / "net"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    blank = np.zeros(np.load(folder / "golden.npz")["input"].shape, "float32")
    expected = load_runtime(folder, "mxnet")(blank)
    assert relative_error(np.array(done.stdout.split(), float), expected.ravel()) < 1e-4


def test_parameters_keep_the_released_names(tmp_path):
    exported(tmp_path)
    arrays = mx.nd.load(str(tmp_path / "tiny_glore_0_1-0000.params"))
    assert "arg:conv4_B01_extra_GCN-G__conv_weight" in arrays
    assert "aux:tail__bn_running_var" in arrays


def test_a_classifier_that_the_user_replaced_is_exported(tmp_path):
    net = get_model("tiny_glore_0_1", classes=2)
    initialize(net)
    net.output = nn.Dense(3)
    manifest = Manifest("tiny_glore_0_1", ("a", "b", "c"), TINY)
    with pytest.raises(InputError, match="classifier_weight has no values yet: initialize"):
        export_model(net, tmp_path / "out", manifest)
    net.output.initialize(mx.init.Xavier())
    two = dataclasses.replace(manifest, class_names=("a", "b"))
    with pytest.raises(InputError, match="3 class names needed, given 2"):
        export_model(net, tmp_path / "out", two)
    export_model(net, tmp_path / "out", manifest, plain=True)
    x = mx.nd.random.normal(shape=(2, 1, 64, 64))
    expected = net(x).asnumpy()
    block, written = import_model(tmp_path / "out")
    assert written.class_names == ("a", "b", "c")
    assert relative_error(block(x).asnumpy(), expected) < 1e-4
    again, _ = load_network(tmp_path / "out")  # its parameters have the classifier's own names
    assert relative_error(again(x).asnumpy(), expected) < 1e-4


def test_a_network_of_16_bits_is_cast_before_it_is_exported(tmp_path):
    net = get_model("tiny_glore_0_1", classes=2)
    initialize(net)
    net.cast("float16")
    manifest = Manifest("tiny_glore_0_1", ("no", "yes"), TINY)
    with pytest.raises(InputError, match=r'is a network of float16: net.cast\("float32"\) loses'):
        export_model(net, tmp_path / "out", manifest)
    assert not (tmp_path / "out").exists()


def test_an_optimised_export_is_no_network_to_train_on(tmp_path):
    exported(tmp_path / "out")
    exported(tmp_path / "plain", plain=True)
    with pytest.raises(InputError, match="exported for inference.* export with --plain"):
        load_network(tmp_path / "out")
    assert load_network(tmp_path / "plain")[0].classes == 2


def test_a_network_without_a_classifier_is_not_exported_as_one(tmp_path):
    net = get_model("tiny_glore_0_1", pretrained=True, classes=0)
    with pytest.raises(InputError, match="classes=0 tells no classes apart: net.export"):
        export_model(net, tmp_path / "out", Manifest("tiny_glore_0_1", (), net.preprocess))
    assert not (tmp_path / "out").exists()


def test_class_names_and_channels_must_be_the_networks(tmp_path):
    net = get_model("tiny", classes=2)
    with pytest.raises(InputError, match="2 class names needed, given 1"):
        export_model(net, tmp_path, Manifest("tiny", ("one",), TINY))
    with pytest.raises(InputError, match="tiny takes 1 channels, given 3"):
        export_model(net, tmp_path, Manifest("tiny", ("a", "b"), Preprocess()))
    assert not list(tmp_path.iterdir())


def damage_params(directory):
    path = directory / "tiny_glore_0_1-0000.params"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate_params(directory):
    path = directory / "tiny_glore_0_1-0000.params"
    path.write_bytes(path.read_bytes()[:1000])


def change_manifest(directory):
    fields = yaml.safe_load((directory / MANIFEST).read_text())
    del fields["preprocess"]["size"], fields["class_names"]
    (directory / MANIFEST).write_text(yaml.safe_dump(fields))


def repeat_by_alias(directory):
    text = (directory / MANIFEST).read_text()
    (directory / MANIFEST).write_text(f"{text}more: &a [1]\nagain: *a\n")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (damage_params, "params: damaged, its checksum"),
        (truncate_params, "params: damaged, its checksum"),
        (lambda d: (d / "tiny_glore_0_1-symbol.json").unlink(), "symbol.json: missing"),
        (lambda d: (d / MANIFEST).unlink(), "manifest.yaml: No such file"),
        (lambda d: (d / MANIFEST).write_text("a: [1"), "damaged manifest"),
        (change_manifest, "damaged manifest"),
        (repeat_by_alias, "damaged manifest"),
    ],
)
def test_damaged_folders_are_refused_by_name(tmp_path, harm, message):
    exported(tmp_path)
    harm(tmp_path)
    with pytest.raises(InputError, match=message):
        import_model(tmp_path)


def test_an_export_that_fails_leaves_no_manifest(tmp_path):
    net = get_model("tiny", classes=2)  # not initialised: nothing to write
    with pytest.raises(InputError, match="conv1__conv_weight has no values yet: initialize"):
        export_model(net, tmp_path, Manifest("tiny", ("a", "b"), TINY))
    assert not (tmp_path / MANIFEST).exists()
    assert not list(tmp_path.glob("*.params"))
