"""Exported folders. MXNet is imported where it is used."""

from benchmarks.networks import settle
from gluon_glore.data.image import Preprocess
from gluon_glore.export.files import read_files
from gluon_glore.weights.manifest import (
    MANIFEST,
    Manifest,
    parse_manifest,
    read_manifest,
    write_manifest,
)
from tests.helpers.networks import initialize

TINY = Preprocess(size=(64, 64), resize=0, mean=(22.0,), scale=0.0167)


def exported(directory, name="tiny_glore_0_1", preprocess=TINY, classes=("no", "yes"), **how):
    import mxnet as mx

    from gluon_glore import export_model, get_model

    net = get_model(name, classes=len(classes))
    mx.random.seed(0)  # with other weights a network may magnify rounding beyond any tolerance
    initialize(net)
    settle(net, mx.nd.random.normal(shape=(16, preprocess.channels, *preprocess.size)))
    export_model(net, directory, Manifest(name, classes, preprocess), **how)
    return net


def exported_with_onnx(place):
    """An exported folder with an ONNX file, in the folder `place`."""
    from gluon_glore import export_model

    net = exported(place / "plain")
    return export_model(net, place / "out", read_manifest(place / "plain"), onnx=True)


def resign(folder):
    """Give a manifest the right checksums of wrong files."""
    manifest = parse_manifest(folder / MANIFEST)
    write_manifest(folder, manifest, sorted(manifest.sha256))


def by_module(prefix, x):
    import mxnet as mx

    symbol, arguments, auxiliary = mx.model.load_checkpoint(str(prefix), 0)
    module = mx.mod.Module(symbol, label_names=None)
    module.bind(data_shapes=[("data", x.shape)], for_training=False)
    module.set_params(arguments, auxiliary)
    module.forward(mx.io.DataBatch([x]))
    return module.get_outputs()[0].asnumpy()


def integer_units(folder):
    """Units with a convolution that reads integers in the ONNX file."""
    import onnx

    files = read_files(folder)
    model = onnx.load(str(files.onnx))
    makers = {node.output[0]: node.op_type for node in model.graph.node}
    convs = [node for node in model.graph.node if node.op_type == "Conv"]
    integer = [{makers.get(name) for name in node.input} == {"DequantizeLinear"} for node in convs]
    named = zip((files.units.of(node.output[0]) for node in convs), integer)
    found = {}
    for unit, is_integer in named:
        found.setdefault(unit, set()).add(is_integer)
    assert all(len(kinds) == 1 for kinds in found.values())  # a unit is lowered as a whole
    return {unit for unit, kinds in found.items() if kinds == {True}}
