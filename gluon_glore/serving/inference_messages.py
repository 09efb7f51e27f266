"""Requests and answers of the Open Inference Protocol: bytes to named arrays, and back.

github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md, with Triton's
extension_binary_data.md and extension_classification.md. No HTTP is here.
"""

import json
import re
import secrets
from dataclasses import dataclass
from typing import Dict, Optional, Tuple

import numpy as np

from ..utils import kinds
from ..utils.errors import InputError, shown
from ..utils.json_text import parse_json
from . import tensors
from .tensors import BYTES

MAX_ROWS = 256  # of a request
MAX_IN_JSON = 10**6  # numbers of an answer that is not binary
_MAX_VALUES = 10**5  # in JSON that are no numbers of a tensor: what reads them stops all else
_DATA = b'"data"'
_LIST = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*(?=\[)")

_PARAMETERS = kinds.named(kinds.either(kinds.LINE, kinds.number(), kinds.FLAG))
_REQUEST = kinds.table(
    {
        "id": kinds.LINE,
        "parameters": _PARAMETERS,
        "inputs": kinds.listed(kinds.ANYTHING, 1, 8),
        "outputs": kinds.listed(kinds.ANYTHING, 0, 8),
    },
    optional=["id", "parameters", "outputs"],
    others=True,
)
_INPUT = kinds.table(
    {
        "name": kinds.LINE,
        "shape": kinds.listed(kinds.whole(1, 2**40), 1, 8),
        "datatype": kinds.one_of(*tensors.DATATYPES),
        "parameters": _PARAMETERS,
    },
    optional=["parameters"],
    others=True,
)
_OUTPUT = kinds.table(
    {"name": kinds.LINE, "parameters": _PARAMETERS}, optional=["parameters"], others=True
)
_SIZE = kinds.whole(0, 2**40)
_COUNT = kinds.whole(1, 2**40)
# What asks for something that is not here; other parameters change nothing, and pass.
_REFUSED = re.compile(r"sequence_(id|start|end)|shared_memory_.*")


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a network: its axes may vary where `shape` has None."""

    name: str
    datatype: str
    shape: Tuple[Optional[int], ...]

    def fits(self, shape):
        """Whether an array may have a shape."""
        return len(shape) == len(self.shape) and all(
            n in (None, given) for n, given in zip(self.shape, shape)
        )

    def fields(self):
        """The metadata of the tensor in JSON."""
        shape = [-1 if n is None else n for n in self.shape]
        return {"name": self.name, "datatype": self.datatype, "shape": shape}


@dataclass(frozen=True)
class RequestedOutput:
    """An output as a request wants it: `classes` likeliest ones with it, where not 0."""

    name: str
    binary: bool = False
    classes: int = 0


@dataclass(frozen=True)
class InferenceRequest:
    """What a request holds: `inputs` by their names, and the outputs that it wants.

    Elements of BYTES are bytes, or texts where JSON has them.
    """

    inputs: Dict[str, np.ndarray]
    outputs: Tuple[RequestedOutput, ...]
    id: Optional[str] = None


def read_request(body, header_length, inputs, outputs) -> InferenceRequest:
    """The request in a body, a bytearray, of which arrays may be views.

    `header_length` is the value of Inference-Header-Content-Length, None where there is none;
    `inputs` are the `TensorSpec`s that may be sent, `outputs` the names of what can be asked for.
    Raises InputError for all that the protocol or the specs do not allow.
    """
    end = _end_of_json(header_length, len(body))
    text, lists = _without_numbers(body, end)
    request = _parsed(text)
    _REQUEST.check(request, "")
    _refuse_parameters(request, "")
    arrays, at, taken = {}, end, 0
    specs = {spec.name: spec for spec in inputs}
    for place, given in enumerate(request["inputs"]):
        field = f"inputs[{place}]"
        _INPUT.check(given, field)
        _refuse_parameters(given, f"{field}.")
        name = given["name"]
        if name in arrays:
            raise InputError(f"{field}: {shown(name)} is there twice")
        _refuse_mismatch(given, specs, field)
        size = given.get("parameters", {}).get("binary_data_size")
        if ("data" in given) == (size is not None):
            raise InputError(f"{field}: either data, or the parameter binary_data_size")
        try:
            if size is not None:
                _SIZE.check(size, "binary_data_size")
                if size > len(body) - at:
                    raise InputError(f"{size} bytes of binary data, {len(body) - at} are sent")
                data = memoryview(body)[at : at + size]
                arrays[name] = tensors.from_bytes(data, given["datatype"], given["shape"])
                at += size
            else:
                arrays[name] = _from_json(given, lists)
                taken += isinstance(given["data"], _Numbers)
        except InputError as error:
            raise InputError(f"{field}: {error}") from None
    if at != len(body):
        raise InputError(f"{len(body) - at} bytes behind the last input")
    if taken != len(lists):
        raise InputError("a list of numbers is no input's data")
    return InferenceRequest(arrays, _outputs(request, outputs), request.get("id"))


def write_response(fields, outputs):
    """An answer: (bytes, how many of them are JSON, or None where all are).

    `fields` stand at its beginning; `outputs` are pairs of a `RequestedOutput` and its array, of
    objects for BYTES. Raises InputError where JSON would have more than `MAX_IN_JSON` numbers.
    """
    texts, binary = [], []
    for output, array in outputs:
        datatype = _datatype(array)
        told = {"name": output.name, "datatype": datatype, "shape": list(array.shape)}
        if output.binary:
            binary.append(tensors.to_bytes(array))
            told["parameters"] = {"binary_data_size": len(binary[-1])}
            texts.append(json.dumps(told).encode())
            continue
        if array.size > MAX_IN_JSON:
            raise InputError(
                f"{output.name} has {array.size} numbers, JSON at most {MAX_IN_JSON}: ask for it "
                "with the parameter binary_data"
            )
        texts.append(json.dumps(told).encode()[:-1] + b', "data": ' + tensors.to_json(array) + b"}")
    head = json.dumps({**fields, "outputs": []}).encode()[:-2] + b", ".join(texts) + b"]}"
    return b"".join([head, *binary]), len(head) if binary else None


def classified(array, count, names):
    """The `count` likeliest classes of each row of `array` `(B, classes)`: bytes `(B, count)`.

    Each is "value:index:name", as Triton writes it.
    """
    order = (-array).argsort(axis=1, kind="stable")[:, :count]
    told = np.empty(order.shape, object)
    for row, indices in enumerate(order):
        for place, i in enumerate(indices):
            told[row, place] = f"{array[row, i]:f}:{i}:{names[i]}".encode()
    return told


class _Numbers(int):
    """The place of a list of numbers that stood in JSON."""


_PLACE = secrets.token_hex()  # the name of such a place, which no client knows
_AFTER = (b",", b"}", b" ", b"\n", b"\r", b"\t")  # what follows a list
_BLOCK = 2**18  # bytes that are searched at once


def _end_of_json(header_length, length):
    """Where the JSON of a body ends. Raises InputError where that is not in the body."""
    if header_length is None:
        return length
    written = header_length.isascii() and header_length.isdigit() and len(header_length) < 16
    if not written or not 0 < int(header_length) <= length:
        raise InputError(
            f"Inference-Header-Content-Length {shown(header_length)}, the body has {length} bytes"
        )
    return int(header_length)


def _without_numbers(body, end):
    """(the JSON up to `end`, its lists of numbers taken out, those lists, as bytes).

    What looks like a key outside of texts is one, or the JSON is none.
    """
    kept, lists, taken = [], [], 0
    for at in _places_of_data(body, end):
        match = _LIST.match(body, at + len(_DATA), end)
        if not match or at < taken or body[at - 1 : at] == b"\\":
            continue
        start = match.end()
        stop = body.rfind(b"]", start, tensors.end_of_numbers(body, start, end)) + 1
        if stop and body[stop : stop + 1] in _AFTER:
            kept.append(bytes(body[taken:start]) + json.dumps({_PLACE: len(lists)}).encode())
            lists.append(bytes(body[start:stop]))
            taken = stop
    kept.append(bytes(body[taken:end]))
    return b"".join(kept), lists


def _places_of_data(body, end):
    """Yield where `_DATA` stands in the JSON up to `end`."""
    at = 0
    while at < end:
        found = body.find(_DATA, at, min(end, at + _BLOCK))
        yield from [found] * (found >= 0)
        at = found + len(_DATA) if found >= 0 else at + _BLOCK - len(_DATA)


def _parsed(text):
    """What JSON holds, `_Numbers` where a list was taken out."""
    if text.count(b",") + text.count(b"[") + text.count(b"{") > _MAX_VALUES:
        raise InputError(f"more than {_MAX_VALUES} values beside the numbers of tensors")

    def unique(pairs):
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise InputError("a name is there twice in an object")
        return _Numbers(fields[_PLACE]) if _PLACE in fields else fields

    def refused(name):
        raise InputError(f"{name} is no number of JSON")

    try:
        return parse_json(text.decode(), object_pairs_hook=unique, parse_constant=refused)
    except UnicodeDecodeError:
        raise InputError("not JSON in UTF-8") from None


def _refuse_parameters(given, prefix):
    """Raise InputError for parameters that ask for what is not done here."""
    for name in given.get("parameters", {}):
        if _REFUSED.fullmatch(name):
            raise InputError(f"{prefix}parameters.{name}: neither sequences nor shared memory here")


def _refuse_mismatch(given, specs, field):
    """Raise InputError where an input is none of the network's, or has too many rows."""
    spec = specs.get(given["name"])
    if spec is None:
        raise InputError(f"{field}: no input {shown(given['name'])}, there is {', '.join(specs)}")
    shape = given["shape"]
    if given["datatype"] != spec.datatype or not spec.fits(shape):
        raise InputError(
            f"{field}: {spec.name} is {spec.datatype} of shape {spec.fields()['shape']}, given "
            f"{given['datatype']} of shape {shown(shape)}"
        )
    if spec.shape[0] is None and shape[0] > MAX_ROWS:
        raise InputError(f"{field}: at most {MAX_ROWS} rows in a request, given {shape[0]}")


def _from_json(given, lists):
    """The array of an input's `data`."""
    data, datatype, shape = given["data"], given["datatype"], given["shape"]
    numbers = datatype not in (BYTES, "BOOL")
    if not isinstance(data, _Numbers if numbers else list):
        raise InputError(f"data is a list of {datatype}")
    if numbers:
        return tensors.from_numbers(lists[data], datatype, shape)
    return tensors.from_values(data, datatype, shape)


def _outputs(request, names):
    """The outputs that a request wants: all where it names none."""
    given = request.get("outputs") or [{"name": name} for name in names]
    every = request.get("parameters", {}).get("binary_data_output", False)
    kinds.FLAG.check(every, "parameters.binary_data_output")
    wanted = {}
    for place, output in enumerate(given):
        field = f"outputs[{place}]"
        _OUTPUT.check(output, field)
        _refuse_parameters(output, f"{field}.")
        name, parameters = output["name"], output.get("parameters", {})
        if name not in names or name in wanted:
            raise InputError(f"{field}: {shown(name)}, there is {', '.join(names)}, each once")
        binary, classes = parameters.get("binary_data", every), parameters.get("classification")
        kinds.FLAG.check(binary, f"{field}.parameters.binary_data")
        if classes is not None:
            _COUNT.check(classes, f"{field}.parameters.classification")
        wanted[name] = RequestedOutput(name, binary, classes or 0)
    return tuple(wanted.values())


def _datatype(array):
    """The datatype of an array."""
    if array.dtype == object:
        return BYTES
    return next(name for name, dtype in tensors.DTYPES.items() if dtype == array.dtype)
