"""Train a network of GluonCV, with units inserted or without: the study `inserted`.

    python -m train.inserted_units --config configs/study/inserted.yaml --out DIR

As `train.imagenet`, but for the network: `model.name` is a name of GluonCV's zoo, `model.units`
what `insert_units` takes, `after` and options.
"""

import sys

from gluon_glore.utils.errors import InputError
from gluon_glore.weights.manifest import Manifest

from .data import pictures
from .engine import trainer
from .imagenet import Classification
from .paper.gluoncv_network import input_shape, make_network


class InsertedUnits(Classification):
    """One label a picture, by a network of GluonCV: a `train.engine.task.Task`."""

    prog = "python -m train.inserted_units"
    description = "Train a network of GluonCV on labelled pictures, with units inserted."

    def make_network(self, config):
        """The network, not initialised. Raises InputError."""
        if config.model.pretrained or config.optim.recompute:
            raise InputError(
                "config keys model.pretrained and optim.recompute are for networks of this "
                f"project, given {config.model.name} of GluonCV"
            )
        return make_network(config.model, input_shape(config.data.mean, config.data.size))

    def manifest(self, config, net):
        """What the checkpoints say of the network."""
        preprocess = pictures.make_preprocess(config.data)
        return Manifest(config.model.name, tuple(self._names), preprocess, task="classify")


def main(argv=None):
    """Train as the command line says; returns the exit code, see `train.engine.trainer`."""
    return trainer.run(InsertedUnits(), argv)


if __name__ == "__main__":
    sys.exit(main())
