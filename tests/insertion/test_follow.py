import mxnet as mx
import pytest
from mxnet.gluon import HybridBlock, nn

from gluon_glore.insertion.follow import follow


class Doubled(HybridBlock):
    """Twice its input."""

    def hybrid_forward(self, F, x):
        return 2 * x


class Broken(HybridBlock):
    """Fails when it runs."""

    def hybrid_forward(self, F, x):
        raise ArithmeticError("broken")


class Squared(HybridBlock):
    """The square of its input."""

    def hybrid_forward(self, F, x):
        return x * x


@pytest.mark.parametrize("hybridize", [False, True])
@pytest.mark.parametrize("make", [Doubled, lambda: sequence(Doubled())])
def test_the_follower_runs_on_the_result(make, hybridize):
    block = make()
    follow(block, Squared(), "square")
    block.hybridize(hybridize)
    assert block(mx.nd.array([3])).asscalar() == 36
    assert list(block._children)[-1] == "square" and isinstance(block.square, Squared)


def sequence(*blocks):
    net = nn.HybridSequential()
    net.add(*blocks)
    return net


def test_blocks_of_a_class_have_one_class_which_is_called_as_before():
    first, second, other = Doubled(), Doubled(), Doubled()
    follow(first, Squared(), "square")
    follow(second, Squared(), "square")
    assert type(first) is type(second) is not Doubled is type(other)
    assert isinstance(first, Doubled)
    assert (type(first).__name__, type(first).__module__) == ("Doubled", __name__)
    assert type(first).__doc__ == Doubled.__doc__
    assert other(mx.nd.array([3])).asscalar() == 6


def test_a_sequence_keeps_its_class_and_is_sliced_as_before():
    net = sequence(Doubled(), Doubled())
    follow(net, Squared(), "square")
    assert type(net) is nn.HybridSequential
    assert net[:2](mx.nd.array([3])).asscalar() == 12


def test_the_follower_stays_where_a_block_fails():
    block = Broken()
    follow(block, Squared(), "square")
    with pytest.raises(ArithmeticError):
        block(mx.nd.array([3]))
    assert list(block._children) == ["square"]
