import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.export.logits import choose_output, without_softmax

DENSE = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=3, name="fc")
CONV = mx.sym.Convolution(mx.sym.var("data"), num_filter=3, kernel=(1, 1), name="conv")


def count_axes(logits):
    return 2 if "fc_weight" in logits.list_inputs() else 4


@pytest.mark.parametrize(
    "end",
    [
        mx.sym.softmax(DENSE, name="end"),
        mx.sym.log_softmax(DENSE, name="end"),
        mx.sym.SoftmaxOutput(DENSE, name="end"),
        mx.sym.SoftmaxActivation(DENSE, name="end"),
        mx.sym.softmax(CONV, axis=1, name="end"),
        mx.sym.SoftmaxOutput(CONV, multi_output=True, name="end"),
        mx.sym.SoftmaxActivation(CONV, mode="channel", name="end"),
    ],
)
def test_a_softmax_over_the_classes_is_left_out(end):
    logits, dropped = without_softmax(end, count_axes)
    assert dropped == "end" and logits.name in ("fc", "conv")
    assert not any("label" in name for name in logits.list_inputs())


@pytest.mark.parametrize(
    "end, message",
    [
        (mx.sym.softmax(CONV, name="end"), "end, .* is softmax over another axis than 1"),
        (mx.sym.softmax(DENSE, temperature=2.0, name="end"), "or at a temperature"),
        (mx.sym.SoftmaxActivation(CONV, name="end"), "over another axis"),
        (mx.sym.sigmoid(DENSE, name="end"), "is sigmoid: its outputs are no logits of classes of"),
        (mx.sym.Activation(DENSE, act_type="sigmoid", name="end"), "is sigmoid"),
        (mx.sym.LogisticRegressionOutput(DENSE, name="end"), "LogisticRegressionOutput"),
        (mx.sym.LinearRegressionOutput(DENSE, name="end"), "LinearRegressionOutput"),
    ],
)
def test_other_ends_are_refused_by_name(end, message):
    with pytest.raises(InputError, match=message):
        without_softmax(end, count_axes)


def test_what_has_no_softmax_stays():
    for symbol in (DENSE, CONV, mx.sym.Activation(DENSE, act_type="relu")):
        assert without_softmax(symbol, count_axes) == (symbol, "")


def test_an_output_is_chosen_by_number_name_or_the_name_of_an_operator_inside():
    both = mx.sym.Group([DENSE, mx.sym.softmax(CONV, axis=1, name="end")])
    for output, name, place in ((0, "fc", 0), ("1", "end", 1), ("end", "end", 1)):
        symbol, found = choose_output(both, output)
        assert (symbol.name, found) == (name, place)
    symbol, found = choose_output(both, "conv")
    assert symbol.name == "conv" and found is None
    assert np.array_equal(symbol.list_inputs(), ["data", "conv_weight", "conv_bias"])
    for output in (None, 2, -1, "nothing"):
        with pytest.raises(InputError, match="the network has 2 outputs, 0 fc, 1 end: say which"):
            choose_output(both, output)
