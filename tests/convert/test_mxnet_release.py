import dataclasses
import json

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError, NetSpec, Network, Stage, Stem, get_spec
from gluon_glore.convert import mxnet_release
from gluon_glore.convert.meaning import Meaning
from gluon_glore.convert.mxnet_release import match, read_release, recognize
from gluon_glore.model_zoo.import_weights import find_name
from gluon_glore.networks.graph import parse_nodes, read_graph
from gluon_glore.weights import set_weights
from gluon_glore.weights.names import without_kinds
from symbols.network import spell_network
from tests.helpers.networks import WALKED
from tests.helpers.places import GOLDEN
from tests.helpers.released import (
    SPELLINGS,
    Speller,
    aged,
    logits_of,
    network,
    numbered,
    picture,
    scrambled,
    write_files,
)

RELEASED = GOLDEN / "resnet50_w-glore_2-3-symbol.json"


def small(family="resnet", stage=None, units=None, **options):
    """Two stages of odd widths; `units` are the options of GloRe units."""
    rows = (Stage(2, 32, 1, **stage or {}), Stage(3, 64, 2, **stage or {}))
    options = {"stem": Stem(12, 3, 1, 3), "input_size": (16, 16), "classes": 6, **options}
    spec = NetSpec(stages=rows, family=family, **options)
    return spec if units is None else spec.with_units("glore", res2=(2,), res3=(1, 3), **units)


def several_eps(name):
    return {"conv1": 1e-5, "tail": 1e-2}.get(name, 1e-3 if "conv-m2" in name else 2e-5)


def as_it_is(text, arrays):
    return text, arrays


def old(text, arrays):
    return aged(text), arrays


def default(text, arrays):
    """BatchNorms without attributes, so gamma fixed and eps 1e-3; statistics named as Gluon's."""
    nodes = json.loads(text)
    for node in nodes["nodes"]:
        for key in ("eps", "fix_gamma", "momentum"):
            node.get("attrs", {}).pop(key, None)
    return json.dumps(nodes), {n.replace("_moving_", "_running_"): a for n, a in arrays.items()}


def other_names(text, arrays):
    """Other names than the authors', but for the units' convolutions and the stem."""
    names = {"_se-fc": "_squeeze", "conv-state": "phi", "GCN-G": "graph", "tail": "bn_last"}
    for name, other in {**names, "classifier": "fc1", "__bn": "_norm"}.items():
        text = text.replace(name, other)
        arrays = {key.replace(name, other): value for key, value in arrays.items()}
    return text, without_kinds(arrays)


DUAL = {"growth": 12, "mid_channels": 16}
# name: (spec, how it is spelled, what is done to its files, eps that must be found)
VARIANTS = {
    "plain": (small(), {}, as_it_is, 1e-4),
    "glore": (small(units={}), {}, as_it_is, 1e-4),
    "other nodes and eps": (small(units={"mid_channels": 5}, eps=2e-5), {}, old, 2e-5),
    "basic units": (small(bottleneck=False, units={}), {}, as_it_is, 1e-4),
    "no pool, one channel": (
        small(stem=Stem(12, 5, 1, 0), in_channels=1, bottleneck=False),
        {},
        as_it_is,
        1e-4,
    ),
    "groups": (small(stage={"groups": 4, "mid_channels": 24}, units={}), {}, as_it_is, 1e-4),
    "attention": (small(squeeze_excite=4, units={}), {}, other_names, 1e-4),
    "attention of convolutions": (small(squeeze_excite=8), {"pointwise": True}, as_it_is, 1e-4),
    "dual paths": (
        small("dpn", {**DUAL, "groups": 4}),
        {},
        as_it_is,
        1e-4,
    ),
    "unit on the residual path": (small("dpn", DUAL, {}), {}, old, 1e-4),
    "unit on both paths": (small("dpn", DUAL, {"both_paths": True}), {}, as_it_is, 1e-4),
    "several eps": (small(units={}), {"eps": several_eps}, as_it_is, 1e-5),
    "defaults": (small(units={}, eps=1e-3), {}, default, 1e-3),
    "old defaults": (small(eps=1e-3), {}, lambda *files: old(*default(*files)), 1e-3),
}


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """{variant: (symbol, parameters, logits of the symbol on the plain operators)}."""
    folder = tmp_path_factory.mktemp("releases")
    files = {}
    for i, (name, (spec, spelling, change, _)) in enumerate(VARIANTS.items()):
        symbol, arrays = network(spec, **spelling)
        files[name] = write_files(folder / str(i), *change(symbol.tojson(), arrays))
    logits = logits_of([(*files[name], VARIANTS[name][0]) for name in VARIANTS], folder)
    return {name: (*files[name], y) for (name, y) in zip(VARIANTS, logits)}


def logits_here(found):
    net = Network(found.spec)
    arrays = {name: mx.nd.array(array) for name, array in found.arrays.items()}
    set_weights(net.collect_params(), arrays, "the file")
    return net(mx.nd.array(picture(found.spec))).asnumpy()


@pytest.mark.parametrize("name", VARIANTS)
def test_released_layouts_are_recognised_and_give_their_own_logits(releases, name):
    spec, _, _, eps = VARIANTS[name]
    *files, expected = releases[name]
    found = read_release(*files)
    assert found.spec == dataclasses.replace(spec, eps=eps)
    assert found.classes == 6
    assert np.isfinite(expected).all() and expected.std() > 0.05
    assert np.abs(logits_here(found) - expected).max() < 1e-3 * expected.std()


PLAIN = {"eps": 2e-5, "momentum": 0.92, "classes": 5}
FOUR = {  # one of each family of the release, the first as it is
    "resnet50_glore_0_3": dataclasses.replace(
        get_spec("resnet50_glore_0_3"), name="", source="", **{**PLAIN, "classes": 1000}
    ),
    "attention": small(squeeze_excite=4, units={}, **PLAIN),
    "groups": small(stage={"groups": 4, "mid_channels": 24}, units={}, **PLAIN),
    "dual paths": small(
        "dpn", {"growth": 12, "mid_channels": 16}, {}, **{**PLAIN, "momentum": 0.9}
    ),
    "both paths": small("dpn", {"growth": 12, "mid_channels": 16}, {"both_paths": True}, **PLAIN),
}


@pytest.fixture(scope="module", params=FOUR)
def spelled(request):
    """(spec, the released layout's symbol, its numbered arrays, what is read of them)."""
    spec = FOUR[request.param]
    symbol = Speller(spec, momentum=lambda name: spec.momentum).symbol()
    arrays = numbered(symbol, spec)
    nodes = parse_nodes(json.loads(symbol.tojson())["nodes"])
    return spec, symbol, arrays, match(recognize(nodes), nodes, arrays)


def same(found, other):
    """Whether two files are of one network with the same weights, bit by bit."""
    assert found.spec == other.spec and found.arrays.keys() == other.arrays.keys()
    return all(np.array_equal(found.arrays[n], other.arrays[n]) for n in found.arrays)


def test_a_released_network_is_read_with_its_eps_and_momentum(spelled):
    spec, _, arrays, found = spelled
    assert found.spec == spec and found.notes == ()
    ours = {name.replace("_moving_", "_running_"): array for name, array in arrays.items()}
    assert ours.keys() == found.arrays.keys()
    assert all(ours[name].flat[0] == array.flat[0] for name, array in found.arrays.items())


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_names_and_order_of_a_graph_decide_nothing(spelled, spelling):
    _, symbol, arrays, found = spelled
    text, arrays = SPELLINGS[spelling](symbol.tojson(), arrays)
    nodes = parse_nodes(json.loads(text)["nodes"])
    assert same(match(recognize(nodes), nodes, arrays), found)


@pytest.mark.parametrize("spell", [lambda spec: Network(spec)(mx.sym.var("data")), None])
def test_gluons_own_exports_and_our_symbols_are_the_same_network(spelled, spell):
    spec, _, _, found = spelled
    symbol = spell(spec) if spell else spell_network(spec, spec.classes)
    for text, arrays in (
        (symbol.tojson(), found.arrays),
        scrambled(symbol.tojson(), found.arrays),
    ):
        nodes = parse_nodes(json.loads(text)["nodes"])
        # No graph of ours says which size of pictures it is for.
        spec = dataclasses.replace(recognize(nodes), input_size=found.spec.input_size)
        assert same(match(spec, nodes, arrays), found)


UNITS = {
    "post": ("glore", {"arrangement": "post"}),
    "post, normalized": ("glore", {"arrangement": "post", "normalize": True}),
    "post, extended first": ("glore", {"arrangement": "post", "extend_first": True}),
    "three layers": ("glore", {"graph_layers": 3}),
    "post, two layers, pooled": (
        "glore",
        {"arrangement": "post", "graph_layers": 2, "pool_stride": 2},
    ),
    "mask of its own": ("glore", {"shared_projection": False}),
    "post, mask of its own": ("glore", {"arrangement": "post", "shared_projection": False}),
    "pooled": ("glore", {"pool_stride": 2, "mid_channels": 5}),
    "non-local": ("nonlocal", {}),
    "non-local, subsampled": ("nonlocal", {"subsample": 2, "mid_channels": 5}),
}


@pytest.mark.parametrize("family", ["resnet", "dpn"])
@pytest.mark.parametrize("name", UNITS)
def test_options_of_units_are_read_from_the_graph(name, family):
    kind, options = UNITS[name]
    spec = small(family, DUAL if family == "dpn" else None).with_units(kind, res3=(1, 3), **options)
    symbol = spell_network(spec, spec.classes)
    arrays = numbered(symbol, spec)
    text, renamed = scrambled(symbol.tojson(), arrays)
    nodes = parse_nodes(json.loads(text)["nodes"])
    found = match(recognize(nodes), nodes, renamed)
    assert found.spec == dataclasses.replace(spec, input_size=found.spec.input_size)
    assert found.arrays.keys() == arrays.keys()
    assert all(found.arrays[name].flat[0] == array.flat[0] for name, array in arrays.items())


OTHERS = {
    "dilated": dataclasses.replace(
        small(), stages=(Stage(2, 32, 1), Stage(3, 64, 1, dilation=(1, 2, 4)))
    ),
    "dropout": small(dropout=0.25),
    "norm of the pixels": small(stem=Stem(12, 3, 1, 3, norm_input=True), units={}),
    "shared norms": small(shared_norm=True, squeeze_excite=4, units={}),
    "shared norms, basic": small(shared_norm=True, bottleneck=False),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_a_spec_says_of_dilations_dropout_and_norms_is_read(name):
    spec = OTHERS[name]
    net = Network(spec)
    nodes = graph_of(net)
    found = match(recognize(nodes), nodes, shapes_only(net))
    assert found.spec == dataclasses.replace(spec, input_size=found.spec.input_size)


def test_of_several_momenta_the_most_frequent_is_taken_and_the_others_are_noted():
    spec = small(units={})
    symbol = Speller(spec, momentum=lambda name: 0.5 if name == "tail" else 0.92).symbol()
    nodes = parse_nodes(json.loads(symbol.tojson())["nodes"])
    found = match(recognize(nodes), nodes, numbered(symbol, spec))
    assert found.spec.momentum == 0.92
    assert found.notes == ("1 BatchNorms have a momentum of 0.5, all have 0.92 here",)


def test_what_was_changed_on_the_way_is_noted(releases):
    notes = read_release(*releases["several eps"][:2]).notes
    assert set(notes) == {
        "27 BatchNorms have an eps of 2e-05, added to the variance",
        "5 BatchNorms have an eps of 0.001, added to the variance",
        "1 BatchNorms have an eps of 0.01, added to the variance",
    }
    assert read_release(*releases["old defaults"][:2]).notes == (
        "19 BatchNorms have a fixed gamma of 1",
    )
    assert read_release(*releases["glore"][:2]).notes == ()


def test_the_released_graph_is_the_registered_network():
    found = recognize(read_graph(RELEASED))
    registered = get_spec("resnet50_glore_2_3")
    # The golden symbol was written with the momentum of the authors' earlier code.
    assert found == dataclasses.replace(registered, name="", source="", momentum=0.9)
    assert find_name(found) == "resnet50_glore_2_3"


def classifies_pictures(spec):
    """Whether graphs of a network can be read: of 2 dimensions, without a head."""
    return spec.ndim == 2 and not spec.head


def shapes_only(net):
    """Arrays of a network's shapes that take no memory."""
    zero = np.float32(0)
    return {name: np.broadcast_to(zero, p.shape) for name, p in net.collect_params().items()}


def graph_of(net):
    return parse_nodes(json.loads(net(mx.sym.var("data")).tojson())["nodes"])


@pytest.mark.parametrize("name", [n for n in WALKED if classifies_pictures(get_spec(n))])
def test_the_exports_of_our_own_networks_are_recognised(name):
    spec = get_spec(name)
    net = Network(spec)
    nodes = graph_of(net)
    found = match(recognize(nodes), nodes, shapes_only(net))
    assert find_name(found.spec) == name
    assert found.classes == spec.classes and found.spec.placement == spec.placement
    assert {n: a.shape for n, a in found.arrays.items()} == {
        n: p.shape for n, p in net.collect_params().items()
    }


@pytest.mark.parametrize("name", [n for n in WALKED if not classifies_pictures(get_spec(n))])
def test_the_exports_of_other_networks_are_refused(name):
    net = Network(get_spec(name))
    with pytest.raises(InputError) as error:
        nodes = graph_of(net)
        match(recognize(nodes), nodes, shapes_only(net))
    assert "\n" not in str(error.value)
    if net.spec.ndim == 3:
        assert "only networks of 2 dimensions are read" in str(error.value)


@pytest.fixture(scope="module")
def released():
    """The graph and its parameters' shapes, `(JSON, arrays)`."""
    nodes = read_graph(RELEASED)
    spec = dataclasses.replace(recognize(nodes), classes=10)
    text = RELEASED.read_text().replace('"1000"', '"10"')
    shapes = {n: p.shape for n, p in Network(spec).collect_params().items()}
    zero = np.float32(0)
    arrays = {
        name.replace("_running_", "_moving_"): np.broadcast_to(zero, shape)
        for name, shape in shapes.items()
    }
    return json.loads(text), arrays


def read(graph, arrays):
    nodes = parse_nodes(graph["nodes"])
    return match(recognize(nodes), nodes, arrays)


def test_the_released_shapes_are_taken(released):
    assert read(*released).spec.placement == "glore: Res3 1,3; Res4 1,3,5"


def changed(graph, name, **attrs):
    """The graph with other attributes of one operator; None takes one away."""
    graph = json.loads(json.dumps(graph))
    (node,) = (n for n in graph["nodes"] if n["name"] == name)
    node["attrs"] = {k: v for k, v in {**node["attrs"], **attrs}.items() if v is not None}
    return graph


@pytest.mark.parametrize(
    ("name", "attrs"),
    [
        ("conv3_B02_conv-m2__conv", {"kernel": "(5, 5)"}),
        ("conv3_B02_conv-m2__conv", {"stride": "(2, 2)"}),
        ("conv3_B02_conv-m2__conv", {"pad": "(0, 0)"}),
        ("conv3_B02_conv-m2__conv", {"pad": None}),
        ("conv3_B02_conv-m2__conv", {"dilate": "(2, 2)"}),
        ("conv3_B02_conv-m2__conv", {"num_group": "2"}),
        ("conv3_B02_conv-m2__conv", {"num_filter": "64"}),
        ("conv3_B02_conv-m2__conv", {"no_bias": None}),
        ("conv3_B02_conv-m2__conv", {"layout": "NHWC"}),
        ("conv3_B02_conv-m2__ac", {"act_type": "tanh"}),
        ("conv3_B02_conv-m2__bn", {"axis": "3"}),
        ("conv3_B02_conv-m2__bn", {"eps": "-1"}),
        ("conv3_B02_conv-m2__bn", {"eps": "nan"}),
        ("conv3_B02_conv-m2__bn", {"eps": "x"}),
        ("conv3_B02_conv-m2__bn", {"momentum": "1"}),
        ("conv3_B02_conv-m2__bn", {"momentum": "nan"}),
        ("conv3_B01_conv-w1__conv", {"stride": "(1, 1)"}),
        ("conv1__conv", {"kernel": "(7, 5)"}),
        ("conv1__conv", {"stride": "(0, 0)"}),
        ("conv1__conv", {"pad": "(0, 0)"}),
        ("pool1", {"pool_type": "avg"}),
        ("pool1", {"pooling_convention": "full"}),
        ("pool1", {"pad": "(0, 0)"}),
        ("pool1", {"stride": "(1, 1)"}),
        ("global-pool", {"pool_type": "max"}),
        ("global-pool", {"kernel": "(7, 6)"}),
        ("global-pool", {"kernel": "(65, 65)"}),
        ("global-pool", {"stride": "(2, 2)"}),
        ("conv3_B01_extra_proj", {"transpose_b": "False"}),
        ("transpose10", {"axes": "(2, 0, 1)"}),
        ("conv3_B01_extra_conv-proj__conv", {"num_filter": "64"}),
        ("conv3_B01_extra_GCN-G__conv", {"kernel": "(3,)", "pad": "(1,)"}),
        ("classifier", {"num_hidden": "x"}),
        ("classifier", {"num_hidden": "0"}),
        ("classifier", {"num_hidden": "11"}),
        ("classifier", {"no_bias": "True"}),
    ],
)
def test_one_layer_of_another_kind_is_refused(released, name, attrs):
    graph, arrays = released
    with pytest.raises(InputError) as error:
        read(changed(graph, name, **attrs), arrays)
    assert "\n" not in str(error.value)


def without(graph, name):
    """The graph without the operator `name`, whose readers read its first input instead."""
    graph = json.loads(json.dumps(graph))
    place = next(i for i, node in enumerate(graph["nodes"]) if node["name"] == name)
    source = graph["nodes"][place]["inputs"][0]
    for node in graph["nodes"]:
        node["inputs"] = [source if entry[0] == place else entry for entry in node["inputs"]]
    return graph


@pytest.mark.parametrize(
    "name",
    [
        "conv2_B01_conv-m1__ac",
        "tail__ac",
        "conv4_B03_extra_GCN-GHW__ac",
        "conv4_B03_extra_GCN-G__bn",
        "conv5_B03_conv-m2__conv",
        "transpose10",
        "transpose11",
        "_plus26",
        "_plus30",
        "_plus31",
        "global-pool",
    ],
)
def test_a_missing_operator_is_refused(released, name):
    graph, arrays = released
    with pytest.raises(InputError):
        read(without(graph, name), arrays)


@pytest.mark.parametrize("name", ["flatten1", "softmax", "reshape_like5", "reshape10"])
def test_what_only_shapes_an_array_may_be_missing(released, name):
    graph, arrays = released
    assert read(without(graph, name), arrays).spec.extras


def test_the_units_in_another_order_are_refused(released):
    graph, arrays = released
    text = json.dumps(graph)
    for a, b in (("conv-m1", "conv-m3"), ("_B02", "_B03"), ("conv-state", "conv-proj")):
        swapped = text.replace(a, "?").replace(b, a).replace("?", b)
        with pytest.raises(InputError):
            read(json.loads(swapped), arrays)


def test_parameters_that_are_missing_or_of_another_shape_or_left_over_are_named(released):
    graph, arrays = released
    arrays = {f"arg:{name}": array for name, array in arrays.items()}
    missing = {n: a for n, a in arrays.items() if n != "arg:tail__bn_beta"}
    with pytest.raises(
        InputError,
        match=r"^1 things can't be mapped onto the resnet of 3,4,6,3 units, extra units "
        r"glore: Res3 1,3; Res4 1,3,5: tail__bn_beta is missing in the parameter file$",
    ):
        read(graph, missing)
    shape = {**arrays, "arg:conv3_B02_conv-m2__conv_weight": np.zeros((128, 3, 3, 128))}
    with pytest.raises(
        InputError,
        match=r": conv3_B02_conv-m2__conv_weight is \(128, 3, 3, 128\), not \(128, 128, 3, 3\)$",
    ):
        read(graph, shape)
    with pytest.raises(InputError, match=r"tail__bn_beta is \(\), not \(2048,\)$"):
        read(graph, {**arrays, "arg:tail__bn_beta": np.float32(1).reshape(())})
    extra = {**arrays, **{f"arg:more{i}": np.zeros(3) for i in range(8)}}
    with pytest.raises(
        InputError,
        match="^8 things can't be mapped .*: more0 is read by no layer; .*"
        "more4 is read by no layer; and 3 more$",
    ):
        read(graph, extra)
    with pytest.raises(InputError, match="^397 things .*; and 392 more$"):
        read(graph, {"arg:x": np.zeros(1)})


def test_layers_that_are_missing_or_too_many_are_named(released):
    graph, arrays = released
    with pytest.raises(
        InputError, match=r"conv3_B02_conv-m2__conv computes nothing that the resnet of 3,4,6,3"
    ):
        read(changed(graph, "conv3_B02_conv-m2__conv", dilate="(2, 2)"), arrays)


def gluon_export(name):
    """A network of Gluon's own model zoo."""
    net = mx.gluon.model_zoo.vision.get_model(name, prefix="")
    return parse_nodes(json.loads(net(mx.sym.var("data")).tojson())["nodes"])


@pytest.mark.parametrize("name", ["resnet18_v1", "vgg11", "squeezenet1.0"])
def test_networks_of_another_kind_are_refused(name):
    with pytest.raises(InputError, match="no residual or dual-path units of the released networks"):
        recognize(gluon_export(name))


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("conv1__", "stem__"),
        ("conv3_", "conv7_"),
        ("conv3_B02", "conv3_B09"),
        ("conv3_B01_conv-m1", "conv3_B01_x"),
        ("extra_conv-proj", "extra_x"),
        ("conv3_B01_extra", "conv8_B01_extra"),
        ("classifier", "conv5_B03_conv-x__conv"),
    ],
)
def test_names_that_say_another_place_decide_nothing(released, name, other):
    graph, arrays = released
    arrays = {key.replace(name, other): array for key, array in arrays.items()}
    found = read(json.loads(json.dumps(graph).replace(name, other)), arrays)
    registered = get_spec("resnet50_glore_2_3")
    changes = {"name": "", "source": "", "classes": 10, "momentum": 0.9}
    assert found.spec == dataclasses.replace(registered, **changes)


def test_names_of_other_parameters_are_not_taken(released):
    """The graph reads what the file lacks: nothing is looked for under a likelier name."""
    graph, arrays = released
    other = json.loads(json.dumps(graph).replace("classifier", "fc1"))
    with pytest.raises(InputError, match="^4 things .*: fc1_weight is missing .*; classifier_bias"):
        read(other, arrays)


def test_a_graph_without_the_pool_of_its_stem_is_another_network(released):
    graph, arrays = released
    found = read(without(graph, "pool1"), arrays).spec
    assert (found.stem.pool, found.input_size) == (0, (112, 112))
    with pytest.raises(InputError, match="no registered network is like the one in the file"):
        find_name(found)


def test_layers_that_nothing_tells_apart_are_named():
    data = mx.sym.var("data")
    one, other = (
        mx.sym.Convolution(data, num_filter=8, kernel=(1, 1), name=name) for name in ("a", "b")
    )
    nodes = parse_nodes(json.loads((one + other).tojson())["nodes"])
    (twins,) = Meaning(nodes).layers.values()
    with pytest.raises(InputError, match="^the layers a, b can't be told apart: they compute the"):
        mxnet_release._pairs(twins, twins, sure=True)
    assert mxnet_release._pairs(twins, twins, sure=False) == []


def test_damage_of_either_file_is_said_in_one_line(tmp_path, released):
    symbol, params = tmp_path / "n-symbol.json", tmp_path / "n-0001.params"
    symbol.write_text(json.dumps(released[0]))
    with pytest.raises(InputError, match="no such parameter file"):
        read_release(symbol, params)
    params.write_bytes(b"hello")
    with pytest.raises(InputError, match="n-symbol.json: .*n-0001.params: not an MXNet parameter"):
        read_release(symbol, params)
    symbol.write_text("{}")
    with pytest.raises(InputError, match="n-symbol.json: not an MXNet symbol"):
        read_release(symbol, params)
