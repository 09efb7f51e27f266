"""Trainers on Horovod. Importing this package gives each process its share of the cores."""

import sys

from gluon_glore.utils.cpu import prepare_cpu
from gluon_glore.utils.errors import InputError
from gluon_glore.utils.extras import require

if sys.argv[0] == "-m":  # `python -m train.NAME`: every command begins with importing MXNet
    try:
        require("mxnet", "cpu")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
prepare_cpu()  # here, because MXNet reads its threads when it is first imported
