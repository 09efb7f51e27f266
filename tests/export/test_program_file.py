"""A stranger's program: what PyTorch would run as code is refused before PyTorch reads it."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest

from gluon_glore import InputError, load_runtime
from gluon_glore.__main__ import main
from gluon_glore.export.files import read_files
from tests.helpers.exports import exported, resign

torch = pytest.importorskip("torch", reason="programs are PyTorch's")

NAME = "tiny_glore_0_1"
GRAPH, EXAMPLE = "models/model.json", "data/sample_inputs/model.pt"
WEIGHTS = "data/weights/model_weights_config.json"


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """{name: bytes} of the files of an exported folder."""
    place = tmp_path_factory.mktemp("program") / "out"
    exported(place, pytorch=True, any_size=True)
    return {file.name: file.read_bytes() for file in place.iterdir()}


class Touches:
    """An object whose pickle makes a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def changed(program, change, touched):
    """A program's bytes with the records changed by `change(records, the path of a file)`."""
    with zipfile.ZipFile(io.BytesIO(program)) as archive:
        records = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    change(records, touched)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in records.items():
            archive.writestr(f"archive/{name}", data)
    return file.getvalue()


def in_json(record, change):
    """A change of a record's JSON by `change(fields, code)`, where code makes the file."""

    def apply(records, touched):
        fields = json.loads(records[record])
        change(fields, f"open({str(touched)!r}, 'w')")
        records[record] = json.dumps(fields).encode()

    return apply


def graph_of(fields):
    return fields["graph_module"]["graph"]


def node(fields, target):
    return next(row for row in graph_of(fields)["nodes"] if row["target"].endswith(target))


def pickled_weight(records, touched):
    fields = json.loads(records[WEIGHTS])
    row = next(iter(fields["config"].values()))
    row["use_pickle"] = True
    file = io.BytesIO()
    torch.save(Touches(touched), file)
    records[f"data/weights/{row['path_name']}"] = file.getvalue()
    records[WEIGHTS] = json.dumps(fields).encode()


def pickled_constant(records, touched):
    table = "data/constants/model_constants_config.json"
    row = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    records[table] = json.dumps({"config": {"thing": row}}).encode()
    records["data/constants/opaque_obj_0"] = pickle.dumps(Touches(touched))


def pickled_example(records, touched):
    file = io.BytesIO()
    torch.save(Touches(touched), file)
    records[EXAMPLE] = file.getvalue()


def older_format(records, touched):
    file = io.BytesIO()
    torch.save({"conv1.conv.weight": Touches(touched)}, file)
    records["data/weights/model.pt"] = file.getvalue()


def compiled_library(records, _):
    records["data/aotinductor/model/net.so"] = b"\x7fELF"


def size_with_code(fields, code):
    for value in graph_of(fields)["tensor_values"].values():
        for size in value["sizes"]:
            if "as_expr" in size:
                size["as_expr"]["expr_str"] = f"[{code}, Integer(1)][1]"


def size_of_a_billion_digits(fields, _):
    first = graph_of(fields)["tensor_values"]["data"]["sizes"][0]
    nine = "Integer(999999999999)"
    first["as_expr"]["expr_str"] = f"Pow({nine}, Pow({nine}, Integer(2)))"


def condition_with_code(fields, code):
    fields["guards_code"] = [code]


def operator_with_files(fields, _):
    node(fields, "relu_.default")["target"] = "torch.ops.aten.from_file.default"


def operator_of_python(fields, _):
    node(fields, "relu_.default")["target"] = "torch.hub.load"


def argument_that_is_a_graph(fields, _):
    node(fields, "relu_.default")["inputs"][0]["arg"] = {"as_graph": {"name": "g", "graph": {}}}


def name_with_code(fields, code):
    graph_of(fields)["inputs"][0]["as_tensor"]["name"] = f"a=[{code}]"


def class_of_a_tuple(fields, _):
    (row,) = (row for row in fields["graph_module"]["module_call_graph"] if row["signature"])
    spec = row["signature"]["in_spec"].replace("builtins.tuple", "collections.defaultdict")
    row["signature"]["in_spec"] = spec


def place_in_the_source(fields, code):
    node(fields, "relu_.default")["metadata"] = {"nn_module_stack": code}


def more_numbers_than_bytes(fields, _):
    row = next(iter(fields["config"].values()))
    row["tensor_meta"]["sizes"][0]["as_int"] = 10**12


def no_numbers(fields, _):
    row = next(iter(fields["config"].values()))
    row["tensor_meta"]["sizes"][0]["as_int"] = 0


def numbers_of_another_file(fields, _):
    next(iter(fields["config"].values()))["path_name"] = "../../../../etc/passwd"


HARM = {
    "a weight": (pickled_weight, "is read by pickle"),
    "a constant": (pickled_constant, "has data/constants/opaque_obj_0, which no export has"),
    "an example": (pickled_example, "has an example of its input, which is read by pickle"),
    "the older format": (older_format, "has data/weights/model.pt, which no export has"),
    "a library": (compiled_library, "has data/aotinductor/model/net.so, which no export has"),
    "a size": (in_json(GRAPH, size_with_code), r"has expr_str .*open.*, which no export has"),
    "digits": (in_json(GRAPH, size_of_a_billion_digits), r"has expr_str Pow\(Integer"),
    "a condition": (in_json(GRAPH, condition_with_code), "has guards_code, which PyTorch would"),
    "files": (in_json(GRAPH, operator_with_files), "has target torch.ops.aten.from_file.default"),
    "Python": (in_json(GRAPH, operator_of_python), "has target torch.hub.load, which no export"),
    "a graph": (in_json(GRAPH, argument_that_is_a_graph), "has as_graph, which no export has"),
    "a name": (in_json(GRAPH, name_with_code), r"has name .*open.*, which no export has"),
    "a class": (in_json(GRAPH, class_of_a_tuple), "has in_spec .*defaultdict"),
    "a place": (in_json(GRAPH, place_in_the_source), "has metadata, which PyTorch would run"),
    "memory": (in_json(WEIGHTS, more_numbers_than_bytes), "numbers, more or fewer than its bytes"),
    "nothing": (in_json(WEIGHTS, no_numbers), "has 0 numbers, more or fewer than its bytes"),
    "other files": (
        in_json(WEIGHTS, numbers_of_another_file),
        "has path_name .*, which no export has",
    ),
}


def written(intact, folder, program):
    """A folder whose program is another, with the right checksum."""
    folder.mkdir()
    for name, data in {**intact, f"{NAME}.pt2": program}.items():
        (folder / name).write_bytes(data)
    resign(folder)
    return folder


@pytest.mark.parametrize("harm", HARM)
def test_what_would_run_is_refused_in_a_line_and_not_run(intact, tmp_path, harm):
    change, message = HARM[harm]
    touched = tmp_path / "touched"
    program = changed(intact[f"{NAME}.pt2"], change, touched)
    folder = written(intact, tmp_path / "out", program)
    told = rf"^{folder}/{NAME}.pt2: pytorch can't load it: .*{message}.*; export the network again$"
    with pytest.raises(InputError, match=told):
        load_runtime(folder, "pytorch")
    assert not touched.exists()


@pytest.mark.parametrize("harm", ["a weight", "an example", "a size"])
def test_pytorch_itself_would_run_it(intact, tmp_path, harm):
    """Or the cases above would show nothing."""
    touched = tmp_path / "touched"
    program = changed(intact[f"{NAME}.pt2"], HARM[harm][0], touched)
    try:
        torch.export.load(io.BytesIO(program))
    except Exception as error:  # what it makes of the object that it got
        print(error)
    assert touched.exists()


def test_a_program_that_was_packed_anew_is_read(intact, tmp_path):
    program = changed(intact[f"{NAME}.pt2"], lambda *_: None, None)
    folder = written(intact, tmp_path / "out", program)
    x = np.zeros((1, 1, 64, 64), "float32")
    assert load_runtime(folder, "pytorch")(x).shape == (1, 2)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"PK\x03\x04" + bytes(100),
        lambda data: data.replace(b'"models', b'"nodels').replace(b"aten.relu_", b"aten.relu!"),
    ],
    ids=["cut", "empty", "no archive", "a letter"],
)
def test_damaged_programs_are_refused_and_check_says_so(intact, tmp_path, damage, capsys):
    folder = written(intact, tmp_path / "out", damage(intact[f"{NAME}.pt2"]))
    with pytest.raises(InputError, match=rf"{NAME}.pt2: pytorch can't load it: [^\n]*$"):
        load_runtime(folder, "pytorch")
    assert main(["check", str(folder)]) == 2
    said = capsys.readouterr()
    assert "mxnet        agrees" in said.out and "pytorch      FAILS" in said.out
    assert said.err.count("\n") == 1 and "Traceback" not in said.err


def test_another_networks_program_disagrees(intact, tmp_path, capsys):
    exported(tmp_path / "other", classes=("a", "b", "c"), pytorch=True)
    program = (tmp_path / f"other/{NAME}.pt2").read_bytes()
    folder = written(intact, tmp_path / "out", program)
    assert read_files(folder).manifest.class_names == ("no", "yes")
    assert main(["check", str(folder)]) == 2
    assert "pytorch gives outputs (2, 3) for a batch" in capsys.readouterr().out
