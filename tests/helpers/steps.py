"""A small network with a unit and dropout, a batch for it, and what a step of training needs."""

import mxnet as mx
import numpy as np

from benchmarks.networks import settle
from gluon_glore import NetSpec, Network, Stage, Stem
from gluon_glore.layers.basic import freeze_norm
from train.config.optim import Optim
from train.engine.comm import LocalComm
from train.engine.optimizer import make_optimizer, set_multipliers

SMALL = NetSpec(
    stages=(Stage(2, 16, 1), Stage(2, 32, 2), Stage(1, 32, 1)),
    stem=Stem(channels=16, kernel=3, stride=1, pool=0),
    bottleneck=False,
    input_size=(16, 16),
    classes=5,
    dropout=0.5,
).with_units("glore", res4=(1,), mid_channels=16, arrangement="post")
X = np.random.RandomState(0).normal(size=(8, 3, 16, 16)).astype("float32")
Y = np.arange(8) % 5


def plain(**options):
    return Optim(batch_size=8, lr=0.02, **options)


def start(optim, spec=SMALL, frozen=False):
    """A network that is the same each time, and its trainer."""
    mx.random.seed(0)
    net = Network(spec)
    net.initialize()
    settle(net, mx.nd.array(X))
    if frozen:
        freeze_norm(net)
    set_multipliers(net.collect_params(), optim)
    trainer = LocalComm().trainer(net.collect_params(), make_optimizer(optim))
    trainer.set_learning_rate(optim.lr)
    net.hybridize(static_alloc=True, static_shape=True)
    return net, trainer


def weights(net):
    return {name: p.data().asnumpy() for name, p in net.collect_params().items()}
