"""The networks of the study `inserted`: of GluonCV's zoo, with units inserted or without."""

import mxnet as mx

from gluon_glore.insertion.insert import insert_units
from gluon_glore.networks.complexity import count
from gluon_glore.plan.complexity import totals
from gluon_glore.utils.errors import InputError
from gluon_glore.utils.extras import require

from ..config.sections import Model


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
