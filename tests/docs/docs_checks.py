"""What the Python examples of a page must have made: `after` are the variables behind each."""

from pathlib import Path

import mxnet as mx
import numpy as np

from gluon_glore import GloRe, look


def readme(after):
    unit, inserted, networks, weights, inflated, exported = after
    assert unit["y"].shape == (2, 512, 28, 28)
    assert np.isfinite(unit["y"].asnumpy()).all()
    assert isinstance(inserted["net"].layer3[1].glore, GloRe)
    assert networks["symbol"].list_outputs() == ["classifier_output"]
    assert isinstance(networks["symbol"], mx.sym.Symbol)
    assert networks["traced"].list_arguments() == networks["symbol"].list_arguments()
    assert networks["net"].classes == 10
    assert networks["spec"].placement == "glore: Res4 2,4"
    assert weights["new"].classes == 10
    assert inflated["net"].classes == 400
    kept = {name for name in inflated["kept"] if "_extra_" not in name}
    assert kept == {"classifier_weight", "classifier_bias"}
    assert set(exported["arguments"]) | {"data"} == set(exported["symbol"].list_arguments())


def networks(after):
    named, traced, spelled, backbone, mapped, gluoncv, detection = after
    assert named["net"].classes == 1000
    assert spelled["symbol"].list_outputs() == ["classifier_output"]
    assert traced["symbol"].list_arguments() == spelled["symbol"].list_arguments()
    assert backbone["backbone"].channels == (512, 1024, 2048)
    assert backbone["res4"].shape == (1, 1024, 4, 4)
    assert mapped["res4"].list_outputs() == ["conv4_B06_sum_output"]
    assert len(detection["detector"].class_predictors) == 3
    assert len(detection["pyramid"](mx.sym.var("data"))) == 4
    assert gluoncv["net"].spec.name == "resnet18_glore_0_1"
    written = sorted(path.name for path in Path().glob("resnet18_glore_0_1*"))
    assert written == ["resnet18_glore_0_1-0000.params", "resnet18_glore_0_1-symbol.json"]


def kinetics(after):
    recognition = after[-1]["recognition"]
    assert len(recognition.moments) == 10
    assert all(0 <= probability <= 1 for _, probability in recognition.top)


def deployment(after):
    expected = np.load("model/golden.npz")["logits"]
    assert np.allclose(after[-1]["logits"], expected, atol=1e-3 * np.abs(expected).max())


def your_network(after):
    inserted, trained, saved, looked, exported, pixels = after
    (unit,) = inserted["placed"]
    assert (unit.path, unit.channels, unit.ndim) == ("features.4.1.glore", 64, 2)
    gammas = inserted["net"].collect_params(f"{unit.name}.*gamma")
    assert any(np.abs(gamma.data().asnumpy()).max() > 0 for gamma in gammas.values())
    x = mx.nd.array(trained["x"][:4])
    assert np.allclose(saved["twin"](x).asnumpy(), trained["net"](x).asnumpy(), atol=1e-5)
    assert looked["view"].maps.shape == (4, 16, 8, 8)
    assert looked["view"].adjacency.shape == (1, 16, 16)
    assert (Path("pairs_model") / "golden.npz").is_file()
    assert exported["manifest"].class_names == ("different", "same")
    assert any("head_extra1_conv-proj" in name for name in pixels["fcn"].collect_params())


def show(after):
    shipped, gluoncv = after
    view = shipped["view"]
    assert view.maps.shape == (12, 64, 8, 8) and view.adjacency.shape == (1, 64, 64)
    assert view.strongest(3, picture=1) == [54, 60, 53]  # as the page says
    [(name, view)] = look(gluoncv["net"], gluoncv["x"]).items()
    assert name == f"{gluoncv['net'].prefix}layer3_glore" and view.maps.shape == (2, 64, 14, 14)


CHECKS = {
    "README.md": readme,
    "docs/networks.md": networks,
    "docs/kinetics.md": kinetics,
    "docs/deployment.md": deployment,
    "docs/your-network.md": your_network,
    "docs/show.md": show,
}
