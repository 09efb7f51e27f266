import dataclasses

from gluon_glore import get_spec


def rows(spec, field):
    return {name: getattr(row, field) for name, row in spec.feature_maps.items()}


def test_channels_and_strides_are_those_of_the_papers():
    resnet = get_spec("resnet50_glore_2_3")
    assert rows(resnet, "channels") == {"res2": 256, "res3": 512, "res4": 1024, "res5": 2048}
    assert rows(resnet, "strides") == {f"res{n}": (2**n, 2**n) for n in (2, 3, 4, 5)}
    # Residual and dense path together (Chen et al. 2017, Table 1).
    assert list(rows(get_spec("dpn92"), "channels").values()) == [336, 704, 1552, 2688]
    fcn = get_spec("fcn_resnet50_glore_1_cityscapes")
    assert list(rows(fcn, "strides").values()) == [(4, 4), (8, 8), (8, 8), (8, 8)]
    video = get_spec("resnet50_3d_glore_2_3_kinetics400")
    assert rows(video, "strides")["res5"] == (2, 32, 32)


def test_a_map_stands_behind_the_last_unit_of_its_stage():
    outputs = rows(get_spec("resnet50_glore_2_3"), "output")
    assert outputs == {
        "res2": "conv2_B03_sum_output",
        "res3": "conv3_B04_sum_output",
        "res4": "conv4_B06_sum_output",
        "res5": "tail__ac_output",
    }
    for kind in ("glore", "nonlocal"):
        last = get_spec("resnet50").with_units(kind, res3=(4,), res5=(3,))
        assert rows(last, "output") == {**outputs, "res3": "conv3_B04_extra_sum_output"}
    dual = get_spec("dpn92").with_units("glore", res2=(3,))
    both = dual.with_units("glore", res3=(4,), both_paths=True)
    assert list(rows(both, "output").values()) == [
        "conv2_x__3_extra_path_join_output",
        "conv3_x__4_extra_sum_output",
        "conv4_x__20_join_output",
        "conv5_x_x__relu-sp__ac_output",
    ]


def test_only_the_last_stage_is_normalized_whatever_its_number():
    spec = get_spec("tiny")
    assert rows(spec, "normalized") == {"res2": False, "res3": False, "res4": True}
    assert rows(spec, "place") == {"res2": 1, "res3": 2, "res4": 5}  # 4 units and the tail
    shorter = dataclasses.replace(spec, stages=spec.stages[:2])
    assert rows(shorter, "normalized") == {"res2": False, "res3": True}
