import sys

import numpy as np
import pytest

from gluon_glore.export.onnx_file import ELEMENTS, _element_types

onnx = pytest.importorskip("onnx")


def test_mxnets_exporter_finds_the_table_that_onnx_no_longer_has():
    with pytest.raises(OSError), _element_types(onnx):
        from onnx import mapping

        for name in ELEMENTS:
            number = mapping.NP_TYPE_TO_TENSOR_TYPE[np.dtype(name)]
            assert number == onnx.helper.np_dtype_to_tensor_dtype(np.dtype(name))
            assert mapping.TENSOR_TYPE_TO_NP_TYPE[number] == np.dtype(name)
        raise OSError  # an export that fails leaves nothing behind either
    assert "onnx.mapping" not in sys.modules and not hasattr(onnx, "mapping")
