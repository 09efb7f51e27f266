"""The versions that the figures of a training or an evaluation depend on."""

import platform

import mxnet as mx
import numpy as np

import gluon_glore


def versions():
    """{name: version} of this project, MXNet, numpy and Python."""
    return {
        "gluon_glore": gluon_glore.__version__,
        "mxnet": mx.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
