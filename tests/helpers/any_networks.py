"""Small networks as anyone writes them, and their files as MXNet writes them."""

import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock, nn

CLASSES = ("a", "b", "c")
PICTURE, CLIP = (3, 16, 16), (3, 4, 16, 16)


def classifier(*end, classes=3):
    """Pictures `(B, 3, 16, 16)` of any size -> logits `(B, classes)`, then the layers `end`."""
    net = nn.HybridSequential()
    net.add(nn.Conv2D(8, 3, use_bias=False), nn.BatchNorm(), nn.Activation("relu"), nn.Dropout(0.5))
    net.add(nn.GlobalAvgPool2D(), nn.Dense(classes), *end)
    return with_values(net, PICTURE)


def segmenter(classes=3):
    """Pictures `(B, 3, H, W)` -> logits of their pixels `(B, classes, H, W)`."""
    net = nn.HybridSequential()
    net.add(nn.Conv2D(8, 3, padding=1, activation="relu"), nn.Conv2D(classes, 1))
    return with_values(net, PICTURE)


def recognizer(classes=3):
    """Clips `(B, 3, 4, 16, 16)` -> logits `(B, classes)`."""
    net = nn.HybridSequential()
    net.add(nn.Conv3D(4, 3, activation="relu"), nn.GlobalAvgPool3D(), nn.Dense(classes))
    return with_values(net, CLIP)


class TwoOutputs(HybridBlock):
    """Logits of pictures, and those of a head beside it, as GluonCV's networks of pixels have."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.main, self.beside = nn.Dense(3), nn.Dense(3)

    def hybrid_forward(self, F, x):
        """Pictures -> (logits, logits)."""
        return self.main(x), self.beside(x)


class Halves(HybridBlock):
    """Cuts channels in two and runs a layer on each half, twice the same: as ShuffleNet does."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.wide, self.layer = nn.Conv2D(8, 1), nn.Conv2D(4, 3, padding=1)
            self.norm, self.rectify = nn.BatchNorm(), nn.Activation("relu")
            self.output = nn.Dense(3)

    def hybrid_forward(self, F, x):
        """Pictures -> logits."""
        left, right = F.split(self.wide(x), num_outputs=2, axis=1)
        left = self.rectify(self.norm(self.layer(left)))
        right = self.rectify(self.layer(F.Dropout(right)))
        return self.output(F.concat(left, right, dim=1))


def with_values(net, shape):
    """The network with random weights, its shapes known, statistics that are not 0 and 1."""
    net.initialize(mx.init.Xavier())
    x = mx.nd.array(np.random.RandomState(0).normal(size=(8, *shape)))
    for _ in range(3):
        with mx.autograd.record():
            net(x)
    mx.nd.waitall()
    rng = np.random.RandomState(1)
    for name, param in net.collect_params().items():
        if name.endswith(("beta", "bias", "running_mean", "running_var", "gamma")):
            param.set_data(mx.nd.array(rng.uniform(0.5, 1.5, param.shape)))
    return net


def exported_by_gluon(net, path, shape=PICTURE, epoch=0):
    """`net.export`: PATH-symbol.json and PATH-0000.params; returns an input and its output."""
    net.hybridize()
    x = mx.nd.array(np.random.RandomState(2).normal(size=(2, *shape)))
    outputs = net(x)
    expected = outputs.asnumpy() if isinstance(outputs, mx.nd.NDArray) else None
    net.export(str(path), epoch)
    net.hybridize(False)
    return x, expected


def saved_by_module(path, epoch=0):
    """A checkpoint of mx.mod: input "pixels", a SoftmaxOutput; returns an input, probabilities."""
    x = mx.sym.Convolution(mx.sym.var("pixels"), num_filter=4, kernel=(3, 3), name="conv")
    x = mx.sym.Activation(mx.sym.BatchNorm(x, name="bn"), act_type="relu")
    x = mx.sym.FullyConnected(mx.sym.flatten(x), num_hidden=3, name="fc")
    module = mx.mod.Module(mx.sym.SoftmaxOutput(x, name="softmax"), data_names=["pixels"])
    module.bind([("pixels", (2, *PICTURE))], [("softmax_label", (2,))], for_training=False)
    mx.random.seed(0)
    module.init_params(mx.init.Xavier())
    module.save_checkpoint(str(path), epoch)
    x = mx.nd.array(np.random.RandomState(2).normal(size=(2, *PICTURE)))
    module.forward(mx.io.DataBatch([x]), is_train=False)
    return x, module.get_outputs()[0].asnumpy()
