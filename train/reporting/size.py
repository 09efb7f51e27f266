"""The size of networks, and of a run's from its configuration: parameters, multiply-adds."""

import functools

from gluon_glore.networks.paper import get_spec
from gluon_glore.plan.complexity import count_spec, totals

from ..config.network import model_spec
from ..config.sections import Model


@functools.lru_cache
def network_size(network, classes=None, pixels=None):
    """(parameters, multiply-adds) of a network, given by name or as a `NetSpec`.

    Classes and input size are the network's own by default. Raises InputError where there is no
    network of that name.
    """
    spec = get_spec(network) if isinstance(network, str) else network
    return totals(count_spec(spec, classes, pixels))


def run_spec(config):
    """The `NetSpec` of a run's network, from the run's configuration as nested dictionaries.

    Raises InputError where the network is not registered here, as one of the user's own module.
    """
    return model_spec(Model(config["model"]["name"], config["model"].get("units", {})))


def run_size(config):
    """(parameters, multiply-adds) of a run's network at its input size. Raises as `run_spec`."""
    frames = (config["clip"]["frames"],) if "clip" in config else ()
    pixels = (*frames, *config["data"]["size"])
    return network_size(run_spec(config), config["model"].get("classes"), pixels)
