import re

import gluoncv
import mxnet as mx
import pytest
from mxnet.gluon.model_zoo import vision

from gluon_glore import InputError, get_model, load_weights
from gluon_glore.weights import save_arrays
from gluon_glore.weights.origin import origin_of
from tests.helpers import mxnet_resnet


class Shaped:
    """An array of which nothing but the shape is known."""

    def __init__(self, shape):
        self.shape = shape


def shaped(params):
    return {name: Shaped(param.shape) for name, param in params.items()}


def own(net):
    return shaped(net.collect_params())


def places(net):
    return shaped(net._collect_params_with_prefix())


def cv(name, **options):
    return gluoncv.model_zoo.get_model(name, pretrained=False, **options)


def v1b(name):
    return cv(name, pretrained_base=False)


CASES = [
    (lambda: own(get_model("tiny_glore_0_1", 7)), "^tiny_glore_0_1$"),
    (lambda: places(get_model("tiny", 7)), "^a file that Gluon's save_parameters wrote of tiny$"),
    (lambda: own(get_model("resnet18_glore_0_1")), "^resnet18_glore_0_1$"),
    (lambda: own(get_model("fcn_small_cityscapes")), "^fcn_small_cityscapes$"),
    (lambda: places(vision.resnet18_v2()), "resnet18_v2; python -m gluon_glore import .* resnet18"),
    (lambda: own(vision.resnet50_v2()), "resnet50_v2; python -m gluon_glore import"),
    (lambda: places(cv("se_resnet50_v2")), "se_resnet50_v2, its attention has no biases"),
    (lambda: own(cv("se_resnet50_v2")), "se_resnet50_v2, its attention has no biases"),
    (lambda: places(vision.resnet50_v1()), "resnet50_v1 or a ResNeXt, a post-activation network"),
    (lambda: own(vision.resnet18_v1()), "resnet18_v1 or a ResNeXt, a post-activation network"),
    (lambda: places(v1b("resnet50_v1b")), "^GluonCV's resnet50_v1b, a post-activation network"),
    (lambda: own(v1b("resnet18_v1b")), "^GluonCV's resnet18_v1b, a post-activation network"),
    (lambda: places(v1b("resnet50_v1d")), "^GluonCV's ResNet v1c, v1d, v1e or v1s, a post-act"),
    (lambda: places(cv("cifar_resnet20_v2")), "^GluonCV's ResNet v2 for CIFAR"),
    (lambda: own(vision.mobilenet1_0()), "^GluonCV's mobilenet$"),
    (lambda: places(vision.alexnet()), "^a file that Gluon's save_parameters wrote of another"),
    (lambda: {"num_update": Shaped((1,)), "a": Shaped((2,))}, "^a checkpoint's momentum"),
    (lambda: {"conv1__conv_fwd_bias": Shaped((2,))}, "^an export optimised for inference"),
    (lambda: {"bn1.num_batches_tracked": Shaped(())}, "PyTorch's names"),
    (lambda: {"weight": Shaped((2, 2))}, "^$"),
]


@pytest.mark.parametrize(("arrays", "said"), CASES)
def test_a_file_is_named_for_what_it_looks_like(arrays, said):
    assert re.search(said, origin_of(arrays()))


def test_mxnets_example_symbol_is_told():
    graph = mxnet_resnet.symbol((1, 1), (8, 16, 32), 5)
    names = (name for name in graph.list_arguments() if name != "data")
    assert "MXNet's resnet symbol" in origin_of({name: Shaped((1,)) for name in names})


def test_the_refusal_says_it_in_place_of_a_count(tmp_path):
    net = vision.resnet18_v2()
    net.initialize()
    net(mx.nd.zeros((1, 3, 32, 32)))
    net.save_parameters(str(tmp_path / "v2.params"))
    with pytest.raises(InputError) as refused:
        load_weights(get_model("tiny"), tmp_path / "v2.params")
    said = str(refused.value)
    assert "another network, it looks like MXNet's or GluonCV's resnet18_v2; " in said
    assert "differ" not in said


def test_a_count_is_said_where_names_are_alike(tmp_path):
    arrays = {
        f"arg:{n}": mx.nd.zeros(p.shape) for n, p in get_model("tiny", 2).collect_params().items()
    }
    save_arrays(tmp_path / "w.params", arrays)
    with pytest.raises(InputError, match=r"25 parameters differ: conv4.*; it looks like tiny$"):
        load_weights(get_model("tiny_glore_0_1", 2), tmp_path / "w.params")
    with pytest.raises(InputError, match="another network, 2 parameters differ: classifier_weight"):
        load_weights(get_model("tiny", 3), tmp_path / "w.params")
