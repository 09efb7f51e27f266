"""`/ping` and `/invocations`: what Amazon SageMaker asks of a container.

docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html. Pictures and videos are
answered as `/predict` does. Arrays in JSON or in NumPy's format are a network's own input, and are
answered by its output, as the handlers of SageMaker's own containers do.
"""

import io
import json
import re

import numpy as np

from ..utils.errors import InputError, shown
from . import tensors
from .connection import web
from .forms import is_form
from .inference_messages import MAX_IN_JSON
from .limits import Refusal
from .open_inference import Ends, stacked

JSON, NPY = "application/json", "application/x-npy"
# Encoded pictures and videos, which their first bytes tell apart.
_ENCODED = re.compile(r"(image|video)/[\w.+-]+|application/(x-image|octet-stream)|")


def routes(service):
    """The routes of a `Service`: of its only model, for an endpoint has one."""
    ends = {name: Ends(model, service.settings) for name, model in service.models.items()}

    async def ping(_):
        return web.Response(status=200 if service.status == "ok" else 503)

    async def invocations(request):
        if len(service.models) > 1:
            raise Refusal(404, f"/invocations is for one model, here are {len(service.models)}")
        model = service.model()
        content_type = request.headers.get("Content-Type", "")
        kind = content_type.partition(";")[0].strip().lower()
        if kind in (JSON, NPY):
            accepted = _accepted(request.headers.get("Accept", ""))
            return await service.receive(
                request, model, lambda body: _infer(model, ends[model.name], body, kind, accepted)
            )
        if not _ENCODED.fullmatch(kind) and not is_form(content_type):
            raise Refusal(415, f"Content-Type {shown(kind)}: image/*, video/*, {JSON} or {NPY}")
        asked = model.answers.asked(request.query, request.headers)
        return await service.receive(
            request,
            model,
            lambda body: model.answers.answer(model, body, content_type, asked),
        )

    return [web.get("/ping", ping), web.post("/invocations", invocations)]


async def _infer(model, ends, body, kind, accepted):
    """The response to a batch of a network's inputs: its outputs."""
    rows = await model.decode(_rows, ends, body, kind)
    outputs = await model.run(rows)
    answer = await model.decode(_written, outputs, accepted)
    return web.Response(body=answer, content_type=accepted)


def _rows(ends, body, kind):
    """The inputs in a body."""
    read = tensors.from_npy if kind == NPY else tensors.from_numbers
    return ends.rows(read(body, ends.data.datatype))


def _accepted(header):
    """The type of an answer. Raises Refusal, 406, where none is accepted (RFC 9110, 12.5.1)."""
    kinds = [part.partition(";")[0].strip().lower() for part in header[:1000].split(",")]
    for kind in kinds:
        if kind in ("", "*/*", "application/*"):
            return JSON
        if kind in (JSON, NPY):
            return kind
    raise Refusal(406, f"Accept {shown(header)}: {JSON} or {NPY}")


def _written(outputs, accepted):
    """Outputs as bytes of a type."""
    array = stacked(outputs)
    if accepted == NPY:
        file = io.BytesIO()
        np.save(file, array)
        return file.getvalue()
    if array.size > MAX_IN_JSON:
        raise InputError(f"{array.size} numbers, JSON has at most {MAX_IN_JSON}: accept {NPY}")
    return _json(array)


def _json(array):
    """Nested lists in JSON, an innermost one at a time: bytes."""
    if array.ndim > 1:
        return b"[" + b", ".join(map(_json, array)) + b"]"
    return json.dumps(array.tolist()).encode()
