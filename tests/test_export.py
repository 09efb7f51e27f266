import mxnet as mx
import pytest
import yaml
from conftest import relative_error, settle

from gluon_glore import InputError, get_model
from gluon_glore.export import export_model, import_model
from gluon_glore.image import Preprocess
from gluon_glore.manifest import MANIFEST, Manifest

TINY = Preprocess(size=(64, 64), resize=0, mean=(22.0,), scale=0.0167)


def exported(directory, name="tiny_glore_0_1", preprocess=TINY, classes=("no", "yes")):
    net = get_model(name, classes=len(classes))
    net.initialize()
    settle(net, mx.nd.random.normal(shape=(16, preprocess.channels, *preprocess.size)))
    export_model(net, directory, Manifest(name, classes, preprocess))
    return net


@pytest.mark.parametrize("name", ["tiny_glore_0_1", "resnet18_glore_0_1", "resnet50_glore_2_3"])
def test_symbol_block_and_module_give_the_networks_outputs(tmp_path, name):
    colour = Preprocess(size=(64, 64))
    preprocess = TINY if name.startswith("tiny") else colour
    net = exported(tmp_path, name, preprocess)
    x = mx.nd.random.normal(shape=(3, preprocess.channels, 64, 64))
    expected = net(x).asnumpy()

    block, manifest = import_model(tmp_path)
    assert (manifest.model, manifest.class_names, manifest.preprocess) == (
        name,
        ("no", "yes"),
        preprocess,
    )
    assert relative_error(block(x).asnumpy(), expected) < 1e-4

    symbol, arguments, auxiliary = mx.model.load_checkpoint(str(tmp_path / name), 0)
    module = mx.mod.Module(symbol, label_names=None)
    module.bind(data_shapes=[("data", x.shape)], for_training=False)
    module.set_params(arguments, auxiliary)
    module.forward(mx.io.DataBatch([x]))
    assert relative_error(module.get_outputs()[0].asnumpy(), expected) < 1e-4


def test_parameters_keep_the_released_names(tmp_path):
    exported(tmp_path)
    arrays = mx.nd.load(str(tmp_path / "tiny_glore_0_1-0000.params"))
    assert "arg:conv4_B01_extra_GCN-G__conv_weight" in arrays
    assert "aux:tail__bn_running_var" in arrays


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
    with pytest.raises(RuntimeError):
        export_model(net, tmp_path, Manifest("tiny", ("a", "b"), TINY))
    assert not (tmp_path / MANIFEST).exists()
    assert not list(tmp_path.glob("*.params"))
