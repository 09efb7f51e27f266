"""The whole way of other people's networks: units put in, exported, run everywhere, asked."""

import json

import cv2
import mxnet as mx
import numpy as np
import pytest

from gluon_glore import describe, export_model, load_recognizer, load_runtime
from gluon_glore.__main__ import main
from gluon_glore.data.image import Preprocess
from gluon_glore.export.check import check
from gluon_glore.insertion.insert import insert_units
from gluon_glore.weights.manifest import read_manifest
from tests.helpers.gluoncv_networks import CLASSES, NETWORKS, first_output
from tests.helpers.networks import relative_error
from tests.helpers.videos import moving, write_video

NAMES = tuple("abcdefgh"[:CLASSES])
RUNTIMES = ("mxnet", "onnxruntime", "openvino")
FAST = {"mobilenet0.25", "cifar_resnet20_v1"}


def walked(names):
    """Parameters of a test: all but a few are a sweep."""
    marks = {name: () if name in FAST else pytest.mark.sweep for name in names}
    return [pytest.param(name, marks=marks[name]) for name in names]


def with_units(row):
    """(network with units that change its outputs, an input, the outputs, those without units).

    They change by at most a tenth: what an untrained unit makes of features that no norm has seen
    is of any size, and drowns the network.
    """
    net, x = row.make(), row.batch()
    units = [inserted.block for inserted in insert_units(net, row.after)]
    parameters = [param for unit in units for param in unit.collect_params(".*gamma").values()]
    gates = [gamma for gamma in parameters if not gamma.data().asnumpy().any()]
    before = first_output(net(x)).asnumpy()
    for size in 10.0 ** -np.arange(16):
        for gamma in gates:
            gamma.set_data(mx.nd.full(gamma.shape, size))
        expected = first_output(net(x)).asnumpy()
        if relative_error(expected, before) < 0.1:
            break
    return net, x, expected, before


def exported(row, net, folder):
    """The network exported with ONNX, its manifest."""
    size = row.shape[1:]
    pixels = Preprocess(size[-2:], 0 if row.task == "segment" else size[-1], scale=0.01)
    clip = {"stride": 2} if row.task == "recognize" else {}
    output = 0 if row.task == "segment" else None
    manifest = describe(net, pixels, NAMES, name="net", size=size, output=output, **clip)
    assert manifest.task == row.task
    export_model(net, folder, manifest, onnx=True)
    return read_manifest(folder)


def ask(row, folder, place, capsys):
    """Put a picture, or a video, to an exported folder; returns the first class's probability."""
    if row.task == "recognize":
        video = write_video(place / "a.mp4", moving(40))
        return load_recognizer(folder).watch(video, clips=2, top=1).top[0][1]
    cv2.imwrite(f"{place}/a.jpg", moving(1, (70, 80))[0])
    out = ["--out", f"{place}/answers"] if row.task == "segment" else []
    capsys.readouterr()
    given = ["predict", f"{place}/a.jpg", "--model", str(folder), "--format", "json", *out]
    assert main(given) == 0
    top = json.loads(capsys.readouterr().out)["top"][0]
    return top["share" if row.task == "segment" else "probability"]


@pytest.mark.parametrize("name", walked(NETWORKS))
def test_a_network_with_units_runs_everywhere_and_answers(name, tmp_path, capsys):
    row, folder, seen = NETWORKS[name], tmp_path / "out", tmp_path / "seen"
    net, x, expected, before = with_units(row)
    manifest = exported(row, net, folder)
    assert set(manifest.deployment.checked) == set(RUNTIMES)
    allowed = manifest.deployment.tolerance  # 1e-4, or more where rounding is magnified
    assert relative_error(expected, before) > 4 * allowed
    for runtime in RUNTIMES:
        assert relative_error(load_runtime(folder, runtime)(x.asnumpy()), expected) <= allowed
    block = mx.gluon.SymbolBlock.imports(
        f"{folder}/net-symbol.json", ["data"], f"{folder}/net-0000.params"
    )
    assert relative_error(block(x).asnumpy(), expected) <= allowed
    assert any("_glore_" in parameter for parameter in block.collect_params())
    assert set(check(folder, apart=False)) == set(RUNTIMES)
    share = ask(row, folder, tmp_path, capsys)
    assert 1 / CLASSES <= share <= 1 and np.isfinite(share)
    if row.task != "recognize":
        assert main(["show", f"{tmp_path}/a.jpg", "--model", str(folder), "--out", str(seen)]) == 0
        assert len(list(seen.glob("*_glore_adjacency.png"))) == len(row.places)
