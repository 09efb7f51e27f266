"""Train a network of GluonCV, with units inserted or without, as `train.imagenet` trains ours.

    python -m train.paper.inserted_units --config configs/study/inserted.yaml --out DIR

`model.name` is a name of GluonCV's zoo; `model.units` is what `insert_units` takes, `after` and
options. Its study is `inserted` of `train/paper/studies.py`.
"""

import sys

import mxnet as mx

from gluon_glore.insertion.insert import insert_units
from gluon_glore.networks.complexity import count, totals
from gluon_glore.utils.errors import InputError
from gluon_glore.utils.extras import require
from gluon_glore.weights.manifest import Manifest

from ..config.sections import Model
from ..data import pictures
from ..engine import trainer
from ..imagenet import Classification


class InsertedUnits(Classification):
    """One label a picture, by a network of GluonCV: a `train.engine.task.Task`."""

    prog = "python -m train.paper.inserted_units"
    description = "Train a network of GluonCV on labelled pictures, with units inserted."

    def make_network(self, config):
        """The network, not initialised. Raises InputError."""
        return make_network(config.model, input_shape(config.data.mean, config.data.size))

    def manifest(self, config, net):
        """What the checkpoints say of the network."""
        preprocess = pictures.make_preprocess(config.data)
        return Manifest(config.model.name, tuple(self._names), preprocess, task="classify")


def input_shape(mean, size):
    """The shape of a batch of one picture, `(1, C, H, W)`, of the keys `data.mean` and `size`."""
    return (1, len(mean), *size)


def make_network(model, shape):
    """The network of a section `model` for inputs of `shape`. Raises InputError."""
    require("gluoncv", "train")
    from gluoncv import model_zoo

    if model.name not in model_zoo.get_model_list():
        raise InputError(f"GluonCV has no network called {model.name}")
    net = model_zoo.get_model(model.name, classes=model.classes, prefix="")
    if model.units:
        insert_units(net, input_shape=shape, **model.units)
    net.infer_shape(mx.nd.zeros(shape))  # a trainer's weights can't wait for the first batch
    return net


def run_size(config):
    """(parameters, multiply-adds) of a run's network, see `train.reporting.size`."""
    model, data = config["model"], config["data"]
    shape = input_shape(data["mean"], data["size"])
    net = make_network(Model(model["name"], model["units"], model["classes"]), shape)
    return totals(count(net(mx.sym.var("data")), shape[1:]))


def main(argv=None):
    """Train as the command line says; returns the exit code, see `train.engine.trainer`."""
    return trainer.run(InsertedUnits(), argv)


if __name__ == "__main__":
    sys.exit(main())
