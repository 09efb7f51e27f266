import struct

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.weights import load_arrays
from gluon_glore.weights.params_file import read_params, write_params

TYPES = ["float32", "float64", "float16", "uint8", "int32", "int8", "int64"]
CPU = struct.pack("<ii", 1, 0)
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA


def head(generation, shape):
    """The bytes before an array's device, as releases of that generation wrote them."""
    if generation == "first":
        return struct.pack(f"<I{len(shape)}I", len(shape), *shape)
    magic = struct.pack("<I", V1) if generation == "V1" else struct.pack("<Ii", V2, 0)
    return magic + struct.pack(f"<i{len(shape)}q", len(shape), *shape)


def packed(array, generation="V2", device=CPU):
    flag = struct.pack("<i", TYPES.index(array.dtype.name))
    return head(generation, array.shape) + device + flag + array.tobytes()


def file_of(arrays, names):
    """The bytes of a file: `arrays` are bytes, `names` texts or bytes."""
    names = [name.encode() if isinstance(name, str) else name for name in names]
    return b"".join(
        [struct.pack("<QQQ", 0x112, 0, len(arrays)), *arrays, struct.pack("<Q", len(names))]
        + [struct.pack("<Q", len(name)) + name for name in names]
    )


def assert_same(ours, theirs):
    assert list(ours) == list(theirs)
    for name, array in ours.items():
        assert array.dtype == theirs[name].dtype and array.shape == theirs[name].shape, name
        assert np.array_equal(array, theirs[name]), name


def loaded_by_mxnet(path):
    return {name: array.asnumpy() for name, array in mx.nd.load(str(path)).items()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "w.params"


@pytest.fixture
def small():
    """Three arrays of different types, and where in their file structure, not values, lies."""
    values = {
        "arg:conv1__conv_weight": np.linspace(-1, 1, 12).astype("float32").reshape(3, 4),
        "aux:tail__bn_moving_mean": np.array([0.5, 2, -3], "float16"),
        "arg:count": np.array([[[7], [1 << 40]]], "int64"),
    }
    arrays = [packed(array) for array in values.values()]
    whole = file_of(arrays, values)
    structure = set(range(len(whole)))
    for array in values.values():
        start = whole.index(array.tobytes())
        structure -= set(range(start, start + array.nbytes))
    return values, whole, sorted(structure)


def test_what_mxnet_saves_is_read_in_every_type(path):
    arrays = {
        f"arg:{name}": mx.nd.array(np.arange(-3, 3).reshape(1, 2, 3), dtype=name) for name in TYPES
    }
    mx.nd.save(str(path), arrays)
    assert_same(read_params(path), {name: array.asnumpy() for name, array in arrays.items()})


@pytest.mark.parametrize("generation", ["first", "V1", "V2"])
@pytest.mark.parametrize("dtype", TYPES)
def test_every_generation_is_read_as_mxnet_reads_it(path, generation, dtype):
    arrays = [
        np.arange(24).astype(dtype).reshape(2, 3, 4, 1),
        np.array([5], dtype),
        np.arange(6).astype(dtype).reshape(3, 2),
    ]
    gpu = struct.pack("<ii", 2, 3)
    blobs = [packed(a, generation, device) for a, device in zip(arrays, (CPU, gpu, CPU))]
    path.write_bytes(file_of(blobs, ["arg:a", "aux:b", "c"]))
    assert_same(read_params(path), dict(zip(["arg:a", "aux:b", "c"], arrays)))
    assert_same(read_params(path), loaded_by_mxnet(path))


def test_generations_mix_in_one_file(path):
    array = np.arange(4, dtype="float32")
    blobs = [packed(array, generation) for generation in ("first", "V2", "V1")]
    path.write_bytes(file_of(blobs, "abc"))
    assert_same(read_params(path), loaded_by_mxnet(path))


def test_arrays_of_numpys_shapes_are_read_without_switching_mxnet_to_them(path):
    with mx.util.np_shape(True):
        mx.nd.save(str(path), {"one": mx.nd.ones(()), "two": mx.nd.ones((1, 2))})
    assert_same(read_params(path), {"one": np.ones((), "f4"), "two": np.ones((1, 2), "f4")})
    assert load_arrays(path)["one"].shape == ()


def test_arrays_outlive_their_file_and_can_be_written_to(path, small):
    values, whole, _ = small
    path.write_bytes(whole)
    arrays = read_params(path)
    path.write_bytes(b"\xff" * len(whole))
    path.unlink()
    assert_same(arrays, values)
    for array in arrays.values():
        assert array.flags.aligned and array.flags.writeable and array.flags.owndata


def test_a_file_cut_anywhere_is_refused(path, small):
    _, whole, _ = small
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        kind = "not an MXNet" if length < 8 else "damaged"
        with pytest.raises(InputError, match=f"{kind} parameter file"):
            read_params(path)


def test_any_changed_byte_of_the_structure_is_refused_or_changes_nothing(path, small):
    """But for what the format can't show: a name's letters, a type of the same width."""
    values, whole, structure = small
    unseen = 0
    for place in structure:
        flips = {whole[place] ^ 1 << bit for bit in range(8)}
        for value in (flips | set(range(9)) | {0x7F, 0xFF}) - {whole[place]}:
            changed = bytearray(whole)
            changed[place] = value
            path.write_bytes(changed)
            try:
                arrays = read_params(path)
            except InputError as error:
                assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
                continue
            for (name, array), (was, original) in zip(arrays.items(), values.items()):
                assert array.shape == original.shape and array.tobytes() == original.tobytes()
                unseen += name != was or array.dtype != original.dtype
                assert len(name) == len(was) and array.itemsize == original.itemsize
    assert unseen  # or the exceptions above are none


ONE = packed(np.ones(1, "float32"))


def shaped(*shape, ndim=None):
    """An array whose head promises `shape`, with four bytes of values."""
    head = struct.pack("<Iii", V2, 0, len(shape) if ndim is None else ndim)
    return head + struct.pack(f"<{len(shape)}q", *shape) + CPU + bytes(4) + bytes(4)


def typed(kind):
    return head("V2", (1,)) + CPU + struct.pack("<i", kind) + bytes(8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (file_of([shaped(1 << 40)], "a"), "4398046511104 bytes are to follow"),
        (file_of([shaped(1 << 62, 1 << 62)], "a"), "bytes are to follow"),
        (file_of([shaped(-1, -1)], "a"), r"no values, its shape is \(-1, -1\)"),
        (file_of([shaped(0, 3)], "a"), "no values"),
        (file_of([struct.pack("<Iii", V2, 0, 0)], "a"), "no values"),
        (file_of([struct.pack("<Iii", V3, 0, -1)], "a"), "-1 axes"),
        (file_of([shaped(*[1] * 9)], "a"), "9 axes, at most 8"),
        (file_of([shaped(1, ndim=1 << 30)], "a"), "1073741824 axes"),
        (file_of([struct.pack("<I", 0xF993FACB)], "a"), "4187224779 axes"),
        (file_of([struct.pack("<Ii", V2, 1) + ONE], "a"), r"only dense \(0\) is read"),
        (file_of([typed(7)], "a"), r"type 7 \(bool\), those read are float32"),
        (file_of([typed(12)], "a"), r"array 1 of 1: values of type 12 \(bfloat16\)"),
        (file_of([typed(-1)], "a"), "type -1,"),
        (file_of([packed(np.ones(1, "f4"), device=bytes(8))], "a"), "a device of kind 0"),
        (file_of([ONE, ONE], "a"), "2 arrays, 1 names"),
        (file_of([ONE], "ab"), "1 arrays, 2 names"),
        (file_of([ONE, ONE], ["a", "a"]), "two arrays are called a"),
        (file_of([ONE], ["é" * 501]), "a name of 1002 bytes, 1 to 1000"),
        (file_of([ONE], [""]), "a name of 0 bytes"),
        (file_of([ONE], [b"a\xff"]), "no text"),
        (file_of([ONE], ["a\nb"]), r"no text: b'a\\nb'"),
        (file_of([ONE], "a") + b"\0", "more bytes follow its end"),
        (struct.pack("<QQQ", 0x112, 0, 1 << 63) + ONE, "array 2 of 9223372036854775808"),
        (struct.pack("<QQQ", 0x112, 5, 0) + bytes(8), "its second number is 5, not 0"),
    ],
)
def test_what_is_wrong_is_said(path, content, message):
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"damaged parameter file .*{message}"):
        read_params(path)


@pytest.mark.parametrize("arrays", [[ONE, ONE], []])
def test_arrays_without_names_are_refused(path, arrays):
    path.write_bytes(file_of(arrays, []))
    with pytest.raises(InputError, match="holds arrays without names, not parameters"):
        read_params(path)


def test_a_name_of_a_thousand_bytes_is_read(path):
    path.write_bytes(file_of([ONE], ["é" * 500]))
    assert list(read_params(path)) == ["é" * 500]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(path, dtype, value):
    bad = np.ones(1000, dtype)
    bad[567] = value
    path.write_bytes(file_of([ONE, packed(bad)], ["arg:good", "arg:bad"]))
    with pytest.raises(InputError, match="arg:bad has values that are not finite"):
        read_params(path)


def test_what_is_no_file_is_refused(tmp_path):
    for path in (tmp_path / "none.params", tmp_path / "x" / "none.params"):
        with pytest.raises(InputError, match="no such parameter file"):
            read_params(path)
    with pytest.raises(InputError, match="a folder, a parameter file is needed"):
        read_params(tmp_path)
    (tmp_path / "page.params").write_text("<html>not found</html>")
    with pytest.raises(InputError, match="not an MXNet parameter file"):
        read_params(tmp_path / "page.params")
    with pytest.raises(InputError, match="File name too long"):
        read_params(tmp_path / ("n" * 300))


def test_what_is_written_has_the_bytes_that_mxnet_writes(tmp_path):
    rng = np.random.RandomState(0)
    shapes = [(3,), (2, 5), (4, 3, 1, 1), (2, 1, 3, 3, 2)]
    arrays = {
        f"arg:{dtype}_{len(shape)} é": (100 * rng.normal(size=shape)).astype(dtype)
        for dtype in TYPES
        for shape in shapes
    }
    arrays["turned"] = np.arange(6, dtype="float32").reshape(2, 3).T
    ours, theirs = tmp_path / "ours.params", str(tmp_path / "theirs.params")
    write_params(ours, arrays)
    mx.nd.save(theirs, {name: mx.nd.array(a, dtype=a.dtype) for name, a in arrays.items()})
    with open(theirs, "rb") as file:
        assert ours.read_bytes() == file.read()
    assert_same(read_params(ours), arrays)


@pytest.mark.parametrize("array", [np.zeros(2, bool), np.float32(1), np.zeros(2, "complex64")])
def test_an_array_that_no_file_has_is_refused_and_none_is_left(tmp_path, array):
    with pytest.raises(InputError, match="^odd is "):
        write_params(tmp_path / "w.params", {"first": np.ones(2, "float32"), "odd": array})
    assert not list(tmp_path.iterdir())
