import builtins
import importlib.machinery
import os
import pickle
import sys
import tarfile
import warnings
import zipfile
from dataclasses import replace

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError, Network, get_spec
from gluon_glore.convert.pytorch import read_pytorch, recognize
from gluon_glore.convert.pytorch_network import LIKE
from gluon_glore.plan.parameters import parameter_shapes
from gluon_glore.pytorch.names import their_name
from gluon_glore.weights import set_weights
from tests.helpers.networks import synthetic
from tests.helpers.places import GOLDEN

NAMES = [
    "resnet50_3d_glore_2_3_kinetics400",
    "resnet101_3d_glore_2_3_kinetics400",
    "resnet50_3d_kinetics400",
    "resnet101_3d_kinetics400",
    "resnet50_lite",
    "resnet101_lite",
]
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


@pytest.fixture
def torch():
    return pytest.importorskip("torch", "2.10", reason="needs torch 2.10 or newer")


def small(ndim=3, rows=({}, {}, {}, {}), **changes):
    """A narrow network of the authors' kind, `rows` and `changes` different from it."""
    like = get_spec(LIKE[ndim])
    first = {"blocks": 2, "temporal": (1,) if ndim == 3 else None}
    stages = tuple(
        replace(stage, **{"out_channels": 8 * number, **first, **row})
        for number, (stage, row) in enumerate(zip(like.stages, rows), start=2)
    )
    stem = replace(like.stem, channels=8)
    defaults = {"stages": stages, "stem": stem, "classes": 5, "name": "", "source": ""}
    return replace(like, **{**defaults, **changes})


def their_shape(name, shape, ndim):
    """A unit's 1x1 kernels have the axes of what they run on, the graph convolutions' one."""
    if "_extra_" not in name or len(shape) == 1:
        return shape
    return shape[:2] + (1,) * (1 if "_GCN-" in name else ndim)


def release(spec, value=synthetic):
    """A state dict as the authors' code has it, of `value(their name, their shape)`."""
    return {
        their_name(name): value(their_name(name), their_shape(name, shape, spec.ndim))
        for name, shape in parameter_shapes(spec).items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_authors_networks_are_recognised_from_names_and_shapes(name):
    spec = replace(get_spec(name), name="", source="")
    state = release(spec, lambda _, shape: np.broadcast_to(np.float32(0), shape))
    found = recognize(state, "x.pth")
    assert found.spec == spec
    assert found.classes == spec.classes
    shapes = {name: array.shape for name, array in found.arrays.items()}
    assert shapes == {name: p.shape for name, p in Network(spec).collect_params().items()}
    (assumed,) = found.notes
    strides = {3: "Res3 2x2x2, Res4 1x2x2, Res5 1x2x2", 2: "Res3 2x2, Res4 2x2, Res5 2x2"}
    assert strides[spec.ndim] in assumed


VARIANTS = {
    "placement": lambda: small().with_units("glore", res2=(2,), res5=(1, 2), arrangement="post"),
    "nodes": lambda: small().with_units("glore", res4=(1,), arrangement="post", mid_channels=3),
    "2-D units": lambda: small(2).with_units("glore", res3=(1,), arrangement="post"),
    "depth": lambda: small(rows=({"blocks": 1}, {"blocks": 11}, {}, {})),
    "temporal": lambda: small(rows=({"temporal": ()}, {"temporal": (1, 2)}, {}, {})),
    "no temporal": lambda: small(rows=({"temporal": None},) * 4),
    "groups": lambda: small(2, rows=({"mid_channels": 6, "groups": 3}, {}, {}, {})),
    "stem": lambda: small(stem=replace(get_spec(LIKE[3]).stem, channels=6, kernel=(5, 7, 7))),
    "channels": lambda: small(2, in_channels=1, classes=174),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_other_networks_of_the_kind_come_out_as_they_are(variant):
    spec = VARIANTS[variant]()
    state = release(spec)
    found = recognize(state, "x.pth")
    assert found.spec == spec
    net = Network(found.spec, found.classes)
    set_weights(net.collect_params(), found.arrays, "x.pth")
    for name, param in net.collect_params().items():
        expected = state[their_name(name)].reshape(param.shape)
        np.testing.assert_array_equal(param.data().asnumpy(), expected)


def test_prefixes_counters_and_precisions_leave_the_same_parameters():
    state = release(small())
    dressed = {f"module.{name}": array.astype("float64") for name, array in state.items()}
    dressed["module.conv1.bn.num_batches_tracked"] = np.array(7)
    plain, found = recognize(state, "x.pth"), recognize(dressed, "x.pth")
    assert found.spec == plain.spec
    assert found.notes[:2] == (
        "left out: 1 num_batches_tracked, which MXNet has not",
        "now float32: parameters of float64",
    )
    for name, array in plain.arrays.items():
        assert found.arrays[name].dtype == np.float32
        np.testing.assert_array_equal(found.arrays[name], array)


def zeros(*shape, dtype="float32"):
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("classifier.weight", None, "classifier.weight is missing"),
        ("conv2.B01.conv_m1.bn.bias", None, "conv2.B01.conv_m1.bn.bias is missing"),
        ("conv2.B02.conv_m2.conv.weight", None, "conv2.B02.conv_m2.conv.weight is missing"),
        ("layer1.0.conv1.weight", zeros(1), "'layer1.0.conv1.weight' is of no layer"),
        ("two\nlines", zeros(1), r"'two\nlines' is of no layer"),
        ("conv6.B01.conv_m1.bn.bias", zeros(1), "conv6.B01.conv_m1.bn.bias is of no layer"),
        (
            "conv1.conv.weight",
            zeros(1),
            "conv1.conv.weight is (1,), must have 4 or 5 axes of at least 1",
        ),
        (
            "conv2.B01.conv_w1.conv.weight",
            zeros(1),
            "conv2.B01.conv_w1.conv.weight is (1,), must be (16, 8, 1, 1, 1)",
        ),
        (
            "conv2.B01.conv_m2.conv.weight",
            zeros(4, 0, 1, 3, 3),
            "conv2.B01.conv_m2.conv.weight is (4, 0, 1, 3, 3), must have 5 axes of at least 1",
        ),
        (
            "tail.bn.bias",
            zeros(40, dtype="int64"),
            "tail.bn.bias is int64, must be one of float16, float32, float64",
        ),
        ("module.tail.bn.bias", zeros(40), "tail.bn.bias is there twice"),
        (
            "conv3.B01_extra.conv_state.weight",
            zeros(11, 24, 1, 1, 1),
            "conv3.B01_extra.conv_state.weight is (11, 24, 1, 1, 1), must be (12, 24, 1, 1)",
        ),
        (
            "conv3.B07_extra.conv_proj.weight",
            zeros(6, 24, 1, 1, 1),
            "Res3 has residual units 1 to 2, a glore unit can't follow unit 7",
        ),
    ],
)
def test_a_parameter_that_differs_is_named(name, array, message):
    state = release(small().with_units("glore", res3=(1,), arrangement="post"))
    state[name] = array
    state = {name: array for name, array in state.items() if array is not None}
    with pytest.raises(InputError) as error:
        recognize(state, "x.pth")
    head = "x.pth: not a network of the authors' PyTorch release: "
    assert str(error.value) == head + message


def test_of_many_that_differ_five_are_named_and_the_others_counted():
    state = {name: array for name, array in release(small()).items() if ".B02." not in name}
    state.update({f"layer1.{i}.weight": zeros(1) for i in range(7)})
    with pytest.raises(InputError, match=r"layer1.4.weight' is of no layer; and 2 more$"):
        recognize(state, "x.pth")
    with pytest.raises(InputError, match=r"conv1.conv.weight is missing$"):
        recognize({}, "x.pth")


def saved(torch, path, state, zipped=True):
    """A file as the authors' trainer writes it."""
    state = {f"module.{name}": torch.tensor(array) for name, array in state.items()}
    content = {"epoch": 3, "state_dict": state, "optimizer": {"state": {}, "param_groups": []}}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


def test_the_authors_video_file_gives_its_golden_logits(torch, tmp_path):
    golden = np.load(GOLDEN / "kinetics_resnet50_3d_w-glore_2-3-golden.npz")
    name = "resnet50_3d_glore_2_3_kinetics400"

    def value(name, shape):
        return golden[f"aux:{name}"] if "running" in name else synthetic(name, shape)

    state = release(get_spec(name), value)
    means = [name for name in state if name.endswith("running_mean")]
    state.update({n.replace("running_mean", "num_batches_tracked"): np.array(9) for n in means})
    found = []
    for zipped in (True, False):
        path = saved(torch, tmp_path / f"{zipped}.pth", state, zipped)
        found.append(read_pytorch(path))
        assert found[-1].spec == replace(get_spec(name), name="", source="")
        assert found[-1].notes[0].startswith(f"left out: {len(means)} num_batches_tracked")
    for array in found[0].arrays:
        np.testing.assert_array_equal(found[0].arrays[array], found[1].arrays[array])

    net = Network(found[1].spec, found[1].classes)
    set_weights(net.collect_params(), found[1].arrays, path)
    net.hybridize(static_alloc=True, static_shape=True)
    x = mx.nd.array(np.random.RandomState(7).normal(size=(2, 3, 8, 224, 224)))
    difference = np.abs(net(x).asnumpy() - golden["logits"]).max()
    assert difference < 5e-3 * golden["logits"].std()


@FORMATS
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_plain_state_dict_is_read_in_every_precision(torch, tmp_path, dtype, zipped):
    state = {name: array.astype(dtype) for name, array in release(small(2)).items()}
    tensors = {name: torch.nn.Parameter(torch.tensor(array)) for name, array in state.items()}
    torch.save(tensors, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    found = read_pytorch(tmp_path / "x.pth")
    assert found.spec == small(2)
    for name, array in found.arrays.items():
        np.testing.assert_array_equal(array, state[their_name(name)].astype("float32"))


def test_a_file_saved_on_a_gpu_is_read_without_one(torch, tmp_path):
    path = saved(torch, tmp_path / "x.pth", release(small(2)), zipped=False)
    cpu, gpu = b"X\x03\0\0\0cpu", b"X\x06\0\0\0cuda:0"  # places as the pickle has them
    assert cpu in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(cpu, gpu))
    assert read_pytorch(path).spec == small(2)


def test_what_torch_warns_of_is_not_passed_on(torch, tmp_path):
    path = tmp_path / "x.pth"
    tensors = {name: torch.tensor(array) for name, array in release(small(2)).items()}
    torch.save(tensors, path, pickle_protocol=3)
    with pytest.warns(UserWarning, match="pickle protocol 3"):
        torch.load(path, weights_only=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_pytorch(path).spec == small(2)


class Payload:
    """An object whose unpickling calls `function(argument)`."""

    def __init__(self, function, argument):
        self.call = function, (argument,)

    def __reduce__(self):
        return self.call


@FORMATS
@pytest.mark.parametrize("place", ["whole", "state_dict", "tensor"])
@pytest.mark.parametrize("kind", ["system", "exec"])
def test_code_in_a_file_is_refused_and_not_executed(torch, tmp_path, kind, place, zipped):
    canary, path = tmp_path / "canary", tmp_path / "x.pth"
    code = {
        "system": Payload(os.system, f"touch {canary}"),
        "exec": Payload(builtins.exec, f"open({str(canary)!r}, 'w').close()"),
    }[kind]
    content = {
        "whole": code,
        "state_dict": {"epoch": 3, "state_dict": code},
        "tensor": {**{n: torch.tensor(a) for n, a in release(small(2)).items()}, "x": code},
    }[place]
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    torch.load(path, weights_only=False)
    assert canary.exists(), "the file is harmless, the test shows nothing"
    canary.unlink()
    refuse(path, "holds more than tensors")
    assert not canary.exists()


def test_other_containers_of_code_are_refused_and_not_executed(torch, tmp_path):
    canary, path = tmp_path / "canary", tmp_path / "x.pth"
    code = pickle.dumps(Payload(os.system, f"touch {canary}"))
    path.write_bytes(code)
    refuse(path, "not a PyTorch file")

    for name in ("pickle", "storages", "tensors"):  # the first format, before PyTorch 0.1.10
        (tmp_path / name).write_bytes(code)
    with tarfile.open(path, "w") as tar:
        for name in ("pickle", "storages", "tensors"):
            tar.add(tmp_path / name, name)
    refuse(path, "not a PyTorch file")

    for members in (["data.pkl"], ["data.pkl", "constants.pkl", "version"]):  # as TorchScript
        with zipfile.ZipFile(path, "w") as archive:
            for member in members:
                archive.writestr(f"x/{member}", code)
        refuse(path, "damaged, no file of PyTorch's")
    assert not canary.exists()


@FORMATS
def test_damaged_files_are_refused(torch, tmp_path, zipped):
    whole = saved(torch, tmp_path / "x.pth", release(small(2)), zipped).read_bytes()
    path = tmp_path / "cut.pth"
    for length in (1, 4, 20, 100, 2000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        refuse(path, "damaged|not a PyTorch file")


def test_a_flipped_number_in_a_zip_file_is_found(torch, tmp_path):
    state = release(small(2))
    path = saved(torch, tmp_path / "x.pth", state)
    weight = state["classifier.weight"].tobytes()
    path.write_bytes(path.read_bytes().replace(weight, weight[:-1] + bytes([weight[-1] ^ 1])))
    refuse(path, "a damaged zip file")


def test_what_is_no_pytorch_file_is_refused_without_torch(tmp_path):
    path = tmp_path / "x.pth"
    refuse(path, "No such file")
    refuse(tmp_path, "Is a directory")
    path.write_bytes(b"")
    refuse(path, "an empty file")
    path.write_text("<html>404 not found</html>")
    refuse(path, "not a PyTorch file")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(10**6))
    refuse(path, "a compressed zip file")


def test_other_contents_are_refused(torch, tmp_path):
    path = tmp_path / "x.pth"
    for content in ([1, 2], {3: torch.zeros(1)}, {"state_dict": None}, torch.zeros(2)):
        torch.save(content, path)
        refuse(path, "holds no parameters by name")
    for value in (
        "text",
        {"a": torch.zeros(1)},
        torch.zeros(2, dtype=torch.bfloat16),
        torch.zeros(2, 2).to_sparse(),
        torch.zeros(2, device="meta"),
    ):
        torch.save({"conv1.conv.weight": value}, path)
        refuse(path, "'conv1.conv.weight' must be a dense tensor of float16, float32, float64")
    torch.save({"conv1.conv.weight": torch.zeros(1).expand(10**6, 10**6)}, path)
    refuse(path, "claim more numbers than the file has")


def test_missing_and_old_torch_are_told(tmp_path, monkeypatch):
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", b"")
    folder = type(sys)("torch")
    folder.__spec__ = importlib.machinery.ModuleSpec("torch", None)
    for none in (None, folder):  # not installed; a folder of that name
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "torch", none)
            refuse(path, r"torch is not installed: pip install '\.\[pytorch\]'")
    torch = pytest.importorskip("torch", reason="needs torch, of any version")
    monkeypatch.setattr(torch, "__version__", type(torch.__version__)("2.9.1+cpu"))
    refuse(path, r"needs torch 2.10 or newer, given 2.9.1\+cpu")


def refuse(path, message):
    """`read_pytorch` refuses `path` in one line that starts with it."""
    with pytest.raises(InputError, match=message) as error:
        read_pytorch(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["tiny_glore_0_1", "dpn92_glore_2_3", "resnet50", "se_resnet50"])
def test_every_registered_network_is_recognised(name):
    spec = replace(get_spec(name), classes=3)
    state = release(spec, lambda _, shape: np.broadcast_to(np.float32(0), shape))
    for given in (None, name):
        found = recognize(state, "x.pth", given)
        assert found.spec == replace(spec, name="", source="")
        shapes = {name: array.shape for name, array in found.arrays.items()}
        assert shapes == parameter_shapes(spec)
        assert found.notes[-1].startswith(f"not in the file, so as in the registered {name}: ")


def test_of_networks_with_the_same_parameters_one_is_to_be_named():
    names = ["fcn_resnet50_cityscapes", "fcn_resnet50_multigrid_cityscapes"]
    zeros = lambda _, shape: np.broadcast_to(np.float32(0), shape)  # noqa: E731
    state = release(get_spec(names[0]), zeros)
    with pytest.raises(InputError, match=f"parameters of {names[0]} and of {names[1]}, .*--name"):
        recognize(state, "x.pth")
    for name in names:
        assert recognize(state, "x.pth", name).spec == replace(get_spec(name), name="", source="")


def test_a_spec_that_is_known_goes_before_the_registered_ones():
    spec = replace(get_spec("tiny"), eps=0.5, name="mine")
    state = release(spec, lambda _, shape: np.broadcast_to(np.float32(0), shape))
    assert recognize(state, "x.safetensors", "mine", spec).spec.eps == 0.5
    assert recognize(state, "x.safetensors").spec.eps == get_spec("tiny").eps


@FORMATS
def test_values_that_are_not_finite_are_refused(torch, tmp_path, zipped):
    state = release(small(2))
    state["tail.bn.bias"] = np.full_like(state["tail.bn.bias"], np.nan)
    path = saved(torch, tmp_path / "x.pth", state, zipped)
    with pytest.raises(InputError, match="x.pth: 'module.tail.bn.bias' has values that are"):
        read_pytorch(path)
