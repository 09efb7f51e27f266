"""Trainers on Horovod. Importing this package gives each process its share of the cores."""

import sys

from gluon_glore.utils.cpu import prepare_cpu
from gluon_glore.utils.errors import InputError
from gluon_glore.utils.extras import require


def _without_mxnet(told):
    """A hook for errors that nobody catches: `told`, and exit code 2, where MXNet is missing."""

    def hook(kind, error, trace):
        if isinstance(error, ModuleNotFoundError) and error.name == "mxnet":
            print(f"error: {told}", file=sys.stderr)
            sys.exit(2)
        sys.__excepthook__(kind, error, trace)

    return hook


try:
    require("mxnet", "cpu")
except InputError as error:  # here, for every command begins with importing MXNet
    sys.excepthook = _without_mxnet(error)
prepare_cpu()  # here, because MXNet reads its threads when it is first imported
