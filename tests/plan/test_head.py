import dataclasses

import pytest

from gluon_glore import InputError, as_fcn, get_spec


def dilations(spec):
    """{unit: dilation of its 3x3} where it is not 1."""
    found = {}
    for unit in spec.plan():
        (conv,) = (conv for conv in unit.convs if conv.kernel == (3, 3))
        assert conv.pad == conv.dilation
        if conv.dilation != (1, 1):
            found[unit.name] = conv.dilation[0]
    return found


def test_the_last_two_stages_trade_their_strides_for_dilation():
    spec = get_spec("fcn_resnet50_cityscapes")
    assert spec.total_stride == (8, 8)
    expected = {f"conv4_B{i:02d}": 2 for i in range(2, 7)}
    assert dilations(spec) == {**expected, "conv5_B01": 2, "conv5_B02": 4, "conv5_B03": 4}
    grid = dilations(get_spec("fcn_resnet50_multigrid_cityscapes"))
    assert grid == {**expected, "conv5_B01": 4, "conv5_B02": 8, "conv5_B03": 16}


def test_the_head_is_the_papers():
    spec = get_spec("fcn_resnet50_glore_2_cityscapes")
    first, *units, last = spec.head_plan()
    assert (first.conv.in_channels, first.out_channels, last.out_channels) == (2048, 512, 512)
    assert [unit.name for unit in units] == ["head_extra1", "head_extra2"]
    for unit in units:
        assert (unit.in_channels, unit.nodes, unit.states) == (512, 64, 128)
        assert unit.normalize and unit.arrangement == "post"
    assert spec.dropout == 0.1 and spec.classes == 19
    assert spec.placement == "glore: head 1,2"


def test_any_plain_network_of_two_dimensions_becomes_one():
    spec = as_fcn(get_spec("dpn92_glore_2_3"), units=1, channels=32, mid_channels=4, classes=5)
    assert spec.total_stride == (8, 8)
    assert (spec.classes, spec.head.channels) == (5, 32)
    assert "Res4 5,10,15" in spec.placement and spec.placement.endswith("glore: head 1")


def test_a_stride_may_be_a_number_an_axis():
    lite = as_fcn(get_spec("resnet50_lite"), multi_grid=(4, 8, 16))
    assert lite.stages[2].stride == 1 and get_spec("resnet50_lite").stages[2].stride == (2, 2)
    assert dilations(lite) == dilations(get_spec("fcn_resnet50_multigrid_cityscapes"))
    spec = get_spec("resnet50")
    wide = dataclasses.replace(spec.stages[-1], stride=(1, 2))
    with pytest.raises(InputError, match=r"alike on both axes, given \(1, 2\)"):
        as_fcn(dataclasses.replace(spec, stages=(*spec.stages[:-1], wide)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: as_fcn(get_spec("resnet50_3d_kinetics400")), "of 3 dimensions$"),
        (lambda: as_fcn(get_spec("fcn_resnet50_cityscapes")), "with a head$"),
        (
            lambda: as_fcn(get_spec("resnet50"), multi_grid=(4, 8)),
            "each of its 3 units, given",
        ),
        (lambda: as_fcn(get_spec("resnet50"), multi_grid=(4, 8, 0)), "from 1 on"),
        (lambda: as_fcn(get_spec("resnet50"), auxiliary=1), "0 or one of .*, given 1"),
        (lambda: as_fcn(get_spec("resnet50"), units=-1), "units must be at least 0, given -1"),
        (lambda: as_fcn(get_spec("resnet50"), channels=0), "channels must be at least 1, given 0"),
        (lambda: as_fcn(get_spec("resnet50"), units="1"), "head: units: a whole number, given '1'"),
        (
            lambda: dataclasses.replace(
                get_spec("resnet50_3d_kinetics400"), head=get_spec("fcn_small_cityscapes").head
            ),
            "needs 2 dimensions, given 3",
        ),
    ],
)
def test_what_can_not_be_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
