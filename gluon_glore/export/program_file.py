"""Reading a program of PyTorch, which may be a stranger's: looked through before PyTorch has it.

`torch.export.load` runs code that a file holds: pickles of weights, constants and examples, the
expressions of sizes, the conditions on them, compiled libraries. What `program` writes has none of
them: tensors are bytes, sizes are sums and products, and operators are those of the networks here.
Whatever else a file holds is refused.
"""

import ast
import math
import os
import re

from ..utils.errors import InputError, naming, printable
from ..utils.json_text import parse_json

LARGEST = 2**24  # bytes of the graph and of each table of tensors: ResNet-200's graph has 2 million
_GRAPH, _EXAMPLE = "models/model.json", "data/sample_inputs/model.pt"
_TABLES = {
    "data/weights/": "data/weights/model_weights_config.json",
    "data/constants/": "data/constants/model_constants_config.json",
}
_RECORDS = re.compile(
    r"data/(weights/weight|constants/tensor)_\d{1,6}"
    r"|archive_format|archive_version|byteorder|\.data/(version|serialization_id)"
)
_ATEN = """
    _assert_tensor_metadata.default adaptive_avg_pool1d.default adaptive_avg_pool2d.default
    add.Tensor add_.Tensor avg_pool1d.default avg_pool2d.default avg_pool3d.default
    batch_norm.default cat.default contiguous.default conv1d.default conv2d.default conv3d.default
    div.Tensor dropout.default flatten.using_ints linear.default matmul.default max_pool1d.default
    max_pool2d.default max_pool3d.default mean.dim movedim.int mul.Tensor pad.default relu.default
    relu_.default sigmoid.default slice.Tensor softmax.int sub.Tensor sym_size.int to.dtype
    transpose.int unflatten.int unsqueeze.default upsample_bilinear2d.vec
"""
OPERATORS = {
    *(f"torch.ops.aten.{name}" for name in _ATEN.split()),
    *(f"_operator.{name}" for name in ("add", "sub", "mul", "floordiv")),
}
# Arguments that are numbers, or names of tensors and sizes: no graph, no function, no object.
_ARGUMENTS = {
    *("as_bool", "as_float", "as_int", "as_ints", "as_none", "as_string"),
    *("as_device", "as_layout", "as_memory_format", "as_scalar_type"),
    *("as_expr", "as_name", "as_sym_int", "as_sym_ints", "as_tensor", "as_tensors"),
}
# PyTorch calls functions, makes objects or compiles Python of what stands in these.
_EMPTY = {"metadata", "guards_code", "custom_obj_values", "treespec_namedtuple_fields"}
_WORD = re.compile(r"[A-Za-z0-9_.+-]{0,200}", re.ASCII)
# Sizes, which PyTorch evaluates, are made of these, of whole numbers and of the input's axes.
_OF_SIZES = {"Add", "Mul", "FloorDiv", "Max", "Min", "Mod"}
_SIZE = re.compile(
    r"Integer\(-?\d{1,12}\)|Symbol\('s\d{1,6}', positive=True, integer=True\)", re.ASCII
)
_LONGEST_SIZE = 4096  # letters
_LEAF = {"type": None, "context": None, "children_spec": []}
_DICT = {"type": "builtins.dict", "context": "[]", "children_spec": []}


def _tuple(*children):
    return {"type": "builtins.tuple", "context": "null", "children_spec": list(children)}


# How arguments and results lie in tuples: one tensor in, one tensor out.
_TREES = {"in_spec": [1, _tuple(_tuple(_LEAF), _DICT)], "out_spec": [1, _LEAF]}


def read_program(path):
    """A program in a file: a function of a tensor, which threads may call.

    Raises InputError where it is damaged, or has what no export of this project has.
    """
    from torch.export.pt2_archive import PT2ArchiveReader

    # Without what `torch.export.load` does where this fails: read the older format, of pickles.
    from torch.export.pt2_archive._package import load_pt2

    with naming(path), open(path, "rb"):
        _look_through(PT2ArchiveReader(os.fspath(path)))
    return load_pt2(os.fspath(path)).exported_programs["model"].module()


def _look_through(archive):
    """Raise InputError where an archive has what PyTorch would run. It is read as PyTorch does."""
    known = {_GRAPH, _EXAMPLE, *_TABLES.values()}
    for record in archive.get_file_names():
        if record not in known and not _RECORDS.fullmatch(record):
            raise InputError(f"has {printable(record, 80)}, which no export has")
    if archive.archive_file.get_record_size(_EXAMPLE):
        raise InputError("has an example of its input, which is read by pickle")
    for folder, table in _TABLES.items():
        tensors = _parsed(archive, table)
        _look(tensors, "")
        for name, row in tensors["config"].items():
            _look_at_tensor(archive, folder, name, row)
    _look(_parsed(archive, _GRAPH), "")


def _parsed(archive, record):
    """The JSON in a record. Raises InputError where it is none, or too long."""
    size = archive.archive_file.get_record_size(record)
    if size > LARGEST:
        raise InputError(f"{record} has {size} bytes, at most {LARGEST} are read")
    return parse_json(archive.read_string(record))


def _look_at_tensor(archive, folder, name, row):
    """Raise InputError where a tensor's bytes are a pickle, or fewer than it has numbers."""
    if row["use_pickle"] is not False or not _RECORDS.fullmatch(folder + row["path_name"]):
        raise InputError(f"{name} is read by pickle")
    numbers = math.prod(size["as_int"] for size in row["tensor_meta"]["sizes"])
    if not 0 < numbers <= archive.archive_file.get_record_size(folder + row["path_name"]):
        raise InputError(f"{name} has {numbers} numbers, more or fewer than its bytes")


def _look(value, key):
    """Raise InputError where a part of the JSON, which stands under `key`, is no export's."""
    if key in _EMPTY:
        if value:
            raise InputError(f"has {key}, which PyTorch would run")
    elif isinstance(value, dict):
        for name, part in value.items():
            if not _WORD.fullmatch(name) or name.startswith("as_") and name not in _ARGUMENTS:
                raise InputError(f"has {printable(name, 80)}, which no export has")
            _look(part, name)
    elif isinstance(value, list):
        for part in value:
            _look(part, key)
    elif isinstance(value, str):
        _look_at_text(value, key)


def _look_at_text(text, key):
    """Raise InputError where a text is not one that an export has under `key`."""
    if key == "target":
        allowed = text in OPERATORS
    elif key in _TREES:
        allowed = parse_json(text) == _TREES[key]
    elif key == "expr_str":
        allowed = _is_size(text)
    else:
        allowed = _WORD.fullmatch(text)
    if not allowed:
        raise InputError(f"has {key} {printable(text, 80)}, which no export has")


def _is_size(text):
    """Whether a text is an expression of a size, in sympy's words, that is evaluated at once."""
    try:
        return len(text) <= _LONGEST_SIZE and _is_sum(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # what Python can't parse
        return False


def _is_sum(node, powers=True):
    """Whether a node of Python's is a sum, a product or the like of others; squares not nested."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    name, values = node.func.id, node.args
    if name == "Pow" and powers and len(values) == 2 and ast.unparse(values[1]) == "Integer(2)":
        return _is_sum(values[0], powers=False)
    if name in _OF_SIZES and not node.keywords:
        return all(_is_sum(value, powers) for value in values)
    return bool(_SIZE.fullmatch(ast.unparse(node)))
