import mxnet as mx
import numpy as np

from gluon_glore.layers.dual_path import OnResidualPath
from gluon_glore.layers.functional import join_paths


def test_residual_paths_add_up_and_dense_paths_are_concatenated():
    x, y = (np.random.RandomState(i).normal(size=(2, c, 3, 3)) for i, c in ((0, 7), (1, 6)))
    joined = join_paths(mx.nd, mx.nd.array(x), mx.nd.array(y), residual=4).asnumpy()
    expected = np.concatenate([x[:, :4] + y[:, :4], x[:, 4:], y[:, 4:]], axis=1)
    assert np.allclose(joined, expected, atol=1e-6)


def test_a_unit_on_the_residual_path_leaves_the_dense_one():
    class Double(mx.gluon.HybridBlock):
        def hybrid_forward(self, F, x):
            return 2 * x

    x = np.random.RandomState(0).normal(size=(2, 7, 3, 3)).astype("float32")
    y = OnResidualPath(Double(), 4)(mx.nd.array(x)).asnumpy()
    assert np.array_equal(y, np.concatenate([2 * x[:, :4], x[:, 4:]], axis=1))
