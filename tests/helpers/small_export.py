"""An exported folder of a small network, for tests where MXNet is not: tests/golden/small_export.

    python -m tests.helpers.small_export

makes it anew. It classifies 32 x 32 pictures in colour, its weights are drawn by their names.
"""

import shutil

from gluon_glore import NetSpec, Stage, Stem
from gluon_glore.data.image import Preprocess
from gluon_glore.weights.manifest import Manifest
from tests.helpers.networks import synthetic
from tests.helpers.places import GOLDEN

FOLDER = GOLDEN / "small_export"
NAMES = ("red", "green", "blue", "grey", "black", "white")
SPEC = NetSpec(
    stages=(Stage(1, 16, 1), Stage(1, 32)),
    stem=Stem(channels=8, kernel=3),
    input_size=(32, 32),
    classes=len(NAMES),
    name="small",
).with_units("glore", res3=(1,), mid_channels=8)
PIXELS = Preprocess(size=(32, 32), resize=32, mean=(124.0, 117.0, 104.0), scale=0.0167)


def write(folder):
    """Export the network with its ONNX file into `folder`, which is not there yet. Takes MXNet."""
    import mxnet as mx

    from benchmarks.networks import settle
    from gluon_glore import Network, export_model

    net = Network(SPEC)
    net.initialize()
    for name, param in net.collect_params().items():
        if "running" not in name:
            param.set_data(mx.nd.array(synthetic(name, param.shape)))
    mx.random.seed(0)
    x = mx.nd.random.normal(shape=(16, 3, 32, 32))
    settle(net, x)
    mean = net(x).mean(axis=0)  # taken away, that not one class is the likeliest of all pictures
    net.output.bias.set_data(net.output.bias.data() - mean)
    export_model(net, folder, Manifest(SPEC.name, NAMES, PIXELS, spec=SPEC), onnx=True)


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    write(FOLDER)
