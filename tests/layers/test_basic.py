from gluon_glore import get_model
from gluon_glore.layers.basic import all_frozen, freeze_norm, is_frozen


def test_frozen_norms_are_all_but_those_of_new_layers():
    net = get_model("tiny_glore_0_1")
    new = [name for name in net.collect_params() if "_extra_" in name]
    assert not all_frozen(net)
    freeze_norm(net, spared=new)
    frozen = {}
    net.apply(
        lambda block: frozen.update({block.gamma.name: is_frozen(block)})
        if hasattr(block, "gamma")
        else None
    )
    assert len(frozen) > 10
    assert all(state is (name not in new) for name, state in frozen.items())
    assert not all_frozen(net)
    freeze_norm(net)
    assert all_frozen(net)
