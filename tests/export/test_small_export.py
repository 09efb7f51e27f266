"""The folder that tests without MXNet run is what is exported today."""

import numpy as np
import pytest

from gluon_glore.export.files import read_files
from gluon_glore.weights.golden import read_golden
from gluon_glore.weights.params_file import read_params
from tests.helpers.networks import relative_error
from tests.helpers.small_export import FOLDER, NAMES, write


@pytest.fixture(scope="module")
def anew(tmp_path_factory):
    pytest.importorskip("mxnet", reason="mxnet is not installed")
    folder = tmp_path_factory.mktemp("small") / "export"
    write(folder)
    return read_files(folder)


def test_the_folder_is_that_of_the_network(anew):
    stored = read_files(FOLDER)
    assert stored.symbol.read_text() == anew.symbol.read_text()
    assert stored.manifest.spec == anew.manifest.spec
    assert stored.manifest.class_names == anew.manifest.class_names == NAMES
    theirs, ours = (read_params(files.params) for files in (stored, anew))
    assert theirs.keys() == ours.keys()
    for name, array in ours.items():
        assert np.allclose(theirs[name], array, rtol=0, atol=1e-5 * np.abs(array).max()), name


def test_its_golden_pair_and_onnx_file_are_of_these_weights(anew):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    (x, logits), (other, others) = (read_golden(folder) for folder in (FOLDER, anew.folder))
    assert np.array_equal(x, other)
    assert relative_error(logits, others) < 1e-4
    graphs = [onnx.load(files.onnx).graph for files in (read_files(FOLDER), anew)]
    operators = [[(node.op_type, *node.output) for node in graph.node] for graph in graphs]
    assert operators[0] == operators[1]


def test_the_golden_pair_tells_classes_apart():
    """Else any network would do."""
    _, logits = read_golden(FOLDER)
    assert len({*logits.argmax(axis=1)}) > 1


def test_it_is_small():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 300_000
