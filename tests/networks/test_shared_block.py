import threading

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import get_model
from gluon_glore.networks.shared_block import SharedBlock
from tests.helpers.networks import initialize
from tests.helpers.threads import in_threads

X = np.random.RandomState(0).normal(size=(8, 1, 64, 64)).astype("float32")


@pytest.fixture
def net():
    net = get_model("tiny_glore_0_1", classes=2)
    initialize(net)
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def test_first_calls_from_many_threads_give_what_one_thread_gets(net):
    expected = [net(mx.nd.array(x[None])).asnumpy() for x in X]
    for _ in range(2):
        net.hybridize(static_alloc=True, static_shape=True)  # its graph is made anew
        given = in_threads(SharedBlock(net), [x[None] for x in X])
        assert all(map(np.array_equal, given, expected))


def test_one_forward_runs_at_a_time():
    running, most = [], []

    def block(x):
        running.append(x)
        most.append(len(running))
        mx.nd.waitall()
        running.pop()
        return x

    shared = SharedBlock(block)
    in_threads(lambda x: [shared(x) for _ in range(30)], list(X[:, :, :2, :2]))
    assert len(most) == 240
    assert set(most) == {1}


def test_the_device_is_that_of_the_thread_which_made_it():
    with mx.Context("cpu_pinned", 0):
        shared = SharedBlock(lambda x: mx.nd.array([x.context.device_typeid]))
    here, there = shared(X), []
    thread = threading.Thread(target=lambda: there.append(shared(X)))
    thread.start()
    thread.join()
    assert here == there[0] == mx.Context("cpu_pinned").device_typeid
