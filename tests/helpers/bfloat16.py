"""Processors that multiply bfloat16 by themselves."""

import pytest

from gluon_glore.utils.cpu import processor_flags
from train.engine.precision import FLAGS

needs_bfloat16 = pytest.mark.skipif(
    not FLAGS & processor_flags(), reason="a processor without bfloat16"
)
