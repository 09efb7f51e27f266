import dataclasses

import pytest

from gluon_glore.networks.paper import get_spec
from gluon_glore.plan.extra_units import GloReUnit
from gluon_glore.plan.spec import NetSpec
from gluon_glore.plan.stages import Stage, Stem
from gluon_glore.plan.units import Conv
from gluon_glore.utils.errors import InputError


def test_plan_of_resnet50_has_the_released_names_widths_and_order():
    units = list(get_spec("resnet50_glore_2_3").plan())
    names = [unit.name for unit in units]
    assert names[:3] == ["conv2_B01", "conv2_B02", "conv2_B03"]
    assert [n for n in names if n.endswith("_extra")] == [
        "conv3_B01_extra",
        "conv3_B03_extra",
        "conv4_B01_extra",
        "conv4_B03_extra",
        "conv4_B05_extra",
    ]
    by_name = dict(zip(names, units))
    first = by_name["conv3_B01"]
    assert [(c.name, c.in_channels, c.out_channels, c.kernel, c.stride) for c in first.convs] == [
        ("conv-m1", 256, 128, (1, 1), (1, 1)),
        ("conv-m2", 128, 128, (3, 3), (2, 2)),
        ("conv-m3", 128, 512, (1, 1), (1, 1)),
    ]
    assert first.shortcut.name == "conv-w1"
    assert first.shortcut.stride == (2, 2)
    assert by_name["conv3_B02"].shortcut is None
    assert (by_name["conv3_B01_extra"].nodes, by_name["conv3_B01_extra"].states) == (128, 256)
    assert (by_name["conv4_B05_extra"].nodes, by_name["conv4_B05_extra"].states) == (256, 512)


def test_units_of_the_plan_are_of_the_stage_they_stand_in():
    spec = get_spec("dpn98_glore_2_3")
    pairs = list(spec.plan_by_stage())
    assert [unit for _, unit in pairs] == list(spec.plan())
    stages = [stage for stage, _ in pairs]
    assert stages == [2] * 3 + [3] * (6 + 2) + [4] * (20 + 3) + [5] * 3
    assert [stage for stage, unit in pairs if unit.kind == "glore"] == [3, 3, 4, 4, 4]


def test_plan_of_dpn98_has_both_paths_and_units_on_the_residual_one():
    by_name = {unit.name: unit for unit in get_spec("dpn98_glore_2_3").plan()}
    first, second = by_name["conv2_x__1"], by_name["conv2_x__2"]
    assert first.projection.name == "c1x1-w(s/1)"
    assert first.projection.out_channels == 256 + 2 * 16
    assert [(c.name, c.in_channels, c.out_channels, c.groups) for c in first.convs] == [
        ("c1x1-a", 96, 160, 1),
        ("c3x3-b", 160, 160, 40),
        ("c1x1-c", 160, 256 + 16, 1),
    ]
    assert (first.out_channels, second.out_channels) == (256 + 48, 256 + 64)
    assert second.projection is None
    assert by_name["conv3_x__1"].projection.name == "c1x1-w(s/2)"
    unit = by_name["conv3_x__2_extra"]
    assert (unit.in_channels, unit.nodes) == (512, 128)
    assert unit.passing == by_name["conv3_x__2"].out_channels - 512
    assert get_spec("dpn98").feature_channels == 2688


def test_units_on_both_paths_of_dpn98_have_the_released_tails():
    spec = get_spec("dpn98").with_units("glore", res3=(2,), both_paths=True)
    plan = list(spec.plan())
    place = next(i for i, unit in enumerate(plan) if unit.kind == "glore")
    unit = plan[place]
    dense = 4 * 32  # the first unit of a stage has three parts of it, each further one adds one
    assert (unit.in_channels, unit.residual, unit.passing) == (512 + dense, 512, 0)
    assert (unit.nodes, plan[place + 1].in_channels) == (128, 512 + dense)
    tails = [(conv.name, conv.in_channels, conv.out_channels) for conv in unit.extensions]
    assert tails == [("conv-tail-res", 256, 512), ("conv-tail-den", 256, dense)]
    with pytest.raises(InputError, match="options are .* given 'both_paths'"):
        get_spec("resnet50").with_units("glore", res3=(2,), both_paths=True)
    with pytest.raises(InputError, match="both_paths: true or false, given 'no'"):
        get_spec("dpn98").with_units("glore", res3=(2,), both_paths="no")
    with pytest.raises(InputError, match="both paths needs arrangement 'pre'"):
        get_spec("dpn98").with_units("glore", res3=(2,), both_paths=True, arrangement="post")


def test_each_unit_takes_what_the_one_before_gives():
    for name in ("resnet18_glore_0_1", "dpn131", "se_resnet50_glore_0_3", "tiny_nl_0_1"):
        spec = get_spec(name)
        channels = spec.stem.channels
        for unit in spec.plan():
            assert unit.in_channels == channels
            channels = unit.out_channels
        assert channels == spec.feature_channels


def test_with_units_builds_any_placement_and_leaves_the_original():
    spec = get_spec("resnet50")
    placed = spec.with_units("glore", res5=(2,), mid_channels=32, graph_layers=2)
    (unit,) = [u for u in placed.plan() if u.kind == "glore"]
    assert (unit.name, unit.in_channels, unit.nodes) == ("conv5_B02_extra", 2048, 32)
    assert len(unit.graph) == 2
    assert placed.placement == "glore: Res5 2"
    assert spec.placement == "none"


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("glory", {"res4": (1,)}, "must be one of"),
        ("glore", {"res4": (7,)}, "Res4 has residual units 1 to 6"),
        ("glore", {"res4": (0,)}, "can't follow unit 0"),
        ("glore", {"res4": (1, 1)}, "only one extra unit"),
        ("glore", {"res4": (1,), "arangement": "pre"}, "given 'arangement'"),
        ("glore", {"res4": (1,), "arrangement": "mid"}, r"\('pre', 'post'\), given 'mid'"),
        ("glore", {"res4": (1,), "mid_channels": 0}, "mid_channels must be at least 1, given 0"),
        ("glore", {"res4": (1,), "graph_layers": 0}, "graph_layers must be at least 1, given 0"),
        ("glore", {"res4": (1,), "pool_stride": 0}, "pool_stride must be at least 1, given 0"),
        (["glore"], {"res4": (1,)}, r"must be one of .*, given \['glore'\]"),
        ("glore", {"res4": 1}, r"res4 is the numbers of residual units, as \(1, 3\), given 1"),
        ("glore", {"res4": "13"}, "extra unit's after: a whole number, given '1'"),
        ("glore", {"res4": (1.0,)}, "extra unit's after: a whole number, given 1.0"),
        ("glore", {"res4": (True,)}, "extra unit's after: a whole number, given True"),
        ("glore", {"res4": (1,), "mid_channels": "8"}, "mid_channels: a whole number, given '8'"),
        ("nonlocal", {"res4": (1,), "subsample": 2.0}, "subsample: a whole number, given 2.0"),
        ("nonlocal", {"res4": (1,), "zero_gamma": None}, "zero_gamma: true or false, given None"),
    ],
)
def test_impossible_units_are_refused_at_construction(kind, options, message):
    with pytest.raises(InputError, match=message):
        get_spec("resnet50").with_units(kind, **options)


def test_a_stage_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"stage must be one of \[2, 3, 4\], given 5"):
        get_spec("tiny").with_units("glore", res5=(1,))


def test_groups_that_do_not_divide_are_refused():
    with pytest.raises(InputError, match="3 groups do not divide 8 -> 8"):
        Conv("c", 8, 8, (1,), (1,), (0,), groups=3)


def test_inputs_too_small_for_the_strides_are_refused():
    spec = get_spec("resnet50")
    assert spec.total_stride == (32, 32)
    with pytest.raises(InputError, match="input of 31x64 is too small .* resnet50, at least 32x32"):
        spec.check_input((31, 64))
    with pytest.raises(InputError, match="resnet50 takes 2 dimensions"):
        spec.check_input((8, 64, 64))


@pytest.mark.parametrize(
    ("name", "blocks"),
    [("resnet50_3d_kinetics400", (3, 4, 6, 3)), ("resnet101_3d_kinetics400", (3, 4, 23, 3))],
)
def test_temporal_kernels_stand_where_the_authors_have_them(name, blocks):
    spec = get_spec(name)
    temporal = {
        2: [1, 2, 3],
        3: [1, 3],
        4: list(range(1, blocks[2] + 1, 2)),
        5: [2],
    }
    strides = {2: (1, 1, 1), 3: (2, 2, 2), 4: (1, 2, 2), 5: (1, 2, 2)}
    plan = list(spec.plan_by_stage())
    assert [stage for stage, _ in plan] == [
        number for number, count in enumerate(blocks, start=2) for _ in range(count)
    ]
    for stage, unit in plan:
        block = int(unit.name[-2:])
        time = 3 if block in temporal[stage] else 1
        stride = strides[stage] if block == 1 else (1, 1, 1)
        assert [(c.name, c.kernel, c.stride, c.pad) for c in unit.convs] == [
            ("conv-m1", (time, 1, 1), (1, 1, 1), (time // 2, 0, 0)),
            ("conv-m2", (1, 3, 3), stride, (0, 1, 1)),
            ("conv-m3", (1, 1, 1), (1, 1, 1), (0, 0, 0)),
        ]
        if block == 1:
            assert (unit.shortcut.kernel, unit.shortcut.stride) == ((1, 1, 1), stride)
        else:
            assert unit.shortcut is None
    assert (spec.stem_conv.kernel, spec.stem_conv.stride) == ((3, 5, 5), (1, 2, 2))
    assert (spec.stem_pool.kernel, spec.stem_pool.stride) == ((1, 3, 3), (1, 2, 2))
    assert spec.total_stride == (2, 32, 32)


CLIP = (8, 32, 32)


@pytest.mark.parametrize(
    ("stage", "options", "message"),
    [
        (
            Stage(2, 8, temporal=(1,)),
            {"input_size": CLIP, "bottleneck": False},
            "Res2: temporal kernels need .* given 3 dimensions and bottleneck=False",
        ),
        (
            Stage(2, 8, temporal=()),
            {"input_size": (32, 32)},
            "Res2: temporal kernels need .* given 2 dimensions and bottleneck=True",
        ),
        (
            Stage(2, 8, temporal=(1, 3)),
            {"input_size": CLIP},
            r"Res2 has residual units 1 to 2, given temporal=\(1, 3\)",
        ),
        (
            Stage(2, 8, temporal=(0,)),
            {"input_size": CLIP},
            r"Res2 has residual units 1 to 2, given temporal=\(0,\)",
        ),
        (
            Stage(2, 8, stride=(2, 2), temporal=(1,)),
            {"input_size": CLIP},
            r"of 3 dimensions has 3 entries, given \(2, 2\)",
        ),
    ],
)
def test_impossible_temporal_kernels_and_strides_are_refused(stage, options, message):
    with pytest.raises(InputError, match=message):
        NetSpec(stages=(stage,), **options)


def test_temporal_networks_take_clips_of_their_own_frames_only():
    spec = get_spec("resnet50_3d_kinetics400")
    spec.check_input((8, 160, 96))
    for frames in (4, 16):
        with pytest.raises(InputError, match=f"takes clips of 8 frames, given {frames}"):
            spec.check_input((frames, 224, 224))
    cubic = NetSpec(stages=(Stage(1, 8),), input_size=CLIP)
    cubic.check_input((16, 32, 32))


def test_a_flattened_network_is_the_network_without_time():
    video = get_spec("resnet50_3d_glore_2_3_kinetics400")
    flat = video.flattened()
    assert flat.input_size == (224, 224)
    assert (flat.classes, flat.dropout, flat.extras) == (400, 0.5, video.extras)
    assert (flat.stem_conv.kernel, flat.stem_conv.stride) == ((5, 5), (2, 2))
    assert (flat.stem_pool.kernel, flat.stem_pool.stride) == ((3, 3), (2, 2))
    units = list(flat.plan())
    assert [unit.name for unit in units] == [unit.name for unit in video.plan()]
    backbone = [unit for unit in units if unit.kind == "residual"]
    image = list(get_spec("resnet50").plan())
    assert backbone[1:] == image[1:]  # the first stands behind the narrower stem
    flat.check_input((64, 96))


def test_cubic_networks_are_flattened_and_others_refused():
    options = {"stages": (Stage(2, 8, 2),), "stem": Stem(4, 3, 1, 0)}
    cubic = NetSpec(input_size=(8, 32, 32), name="cubic", **options)
    flat = NetSpec(input_size=(32, 32), name="cubic_flattened", **options)
    assert cubic.flattened() == flat
    with pytest.raises(InputError, match="3 dimensions are flattened, cubic_flattened has 2"):
        flat.flattened()


def test_dimensions_and_stages_are_checked():
    with pytest.raises(InputError, match="ndim must be 1, 2 or 3, given 4"):
        GloReUnit("u", 8, 2, ndim=4)
    with pytest.raises(InputError, match="at least one stage"):
        NetSpec(stages=())
    assert NetSpec(stages=(Stage(1, 8),), input_size=(8, 8, 8)).stem_conv.kernel == (7, 7, 7)
    assert NetSpec(stages=(Stage(1, 8),), input_size=(8,)).stem_conv.kernel == (7, 1)


def test_locations_are_counted_at_the_specs_own_input():
    spec = get_spec("resnet50")
    assert [spec.locations(stage) for stage in (2, 3, 4, 5)] == [56**2, 28**2, 14**2, 7**2]
    odd = dataclasses.replace(spec, input_size=(65, 225))
    assert odd.locations(4) == 5 * 15
    video = get_spec("resnet50_3d_kinetics400")
    assert [video.locations(stage) for stage in (2, 3, 4, 5)] == [
        8 * 56**2,
        4 * 28**2,
        4 * 14**2,
        4 * 7**2,
    ]


def test_post_units_extend_first_in_three_dimensions_where_that_saves_a_third():
    unit = GloReUnit("unit", 512, 128, ndim=3, arrangement="post")
    assert unit.macs_back(784, False) == 256 * 784 * (128 + 512)
    assert unit.macs_back(784, True) == 512 * 128 * 256 + 512 * 128 * 784
    assert unit.ordered_for(784).extend_first
    assert not unit.ordered_for(300).extend_first  # saves a quarter
    video = get_spec("resnet50_3d_glore_2_3_kinetics400").plan()
    assert all(unit.extend_first for unit in video if unit.kind == "glore")
    for spec in (
        get_spec("resnet50").with_units("glore", res3=(1,), arrangement="post"),
        get_spec("resnet50_glore_2_3"),
        get_spec("resnet50_3d_kinetics400").with_units(
            "glore", res3=(1,), arrangement="post", extend_first=False
        ),
    ):
        assert not any(unit.extend_first for unit in spec.plan() if unit.kind == "glore")
    with pytest.raises(InputError, match="extend_first needs arrangement 'post', given 'pre'"):
        GloReUnit("unit", 64, 16, extend_first=True)
