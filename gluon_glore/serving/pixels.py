"""A picture to the classes of its pixels."""

from dataclasses import replace

import numpy as np

from ..data.image import encode_png, max_pixels
from ..inference.classify import top_fields
from ..inference.segment import Segmenter, Views
from ..utils.errors import InputError
from .asked import number
from .bodies import picture_of
from .connection import web
from .limits import Refusal

_LOGITS = 50 * 10**6  # of a picture that is taken where nothing is said: 200 MB
_PNG = "image/png"
_MORE = f"?format=png, or Accept: {_PNG}: a PNG whose pixels are the numbers of their classes"


class PixelAnswers:
    """The answers of a network that segments pictures, as `answers.answers_of` says.

    A picture is seen as `predict` sees it. Its logits take memory in as many threads as decode, so
    that pictures are smaller where there are more classes. Raises InputError where there are more
    classes than a PNG of ids can have.
    """

    TAKES = "?top=5&format=json, the body a picture or a form with a file"

    def __init__(self, predictor, settings):
        self.predictor = Segmenter.of(predictor)
        manifest = predictor.manifest
        classes = len(manifest.class_names)
        if classes > 255:
            raise InputError(f"{manifest.model} tells {classes} classes apart, serve at most 255")
        self.pixels = settings.pixels or min(max_pixels(), max(1, _LOGITS // classes))
        self.room = self.pixels * predictor.channels
        self.batch = settings.batch or 1
        self._views = Views(batch=self.batch)

    def a_row(self):
        """The network's input for a black picture of the size that it was trained or made for."""
        size = self.predictor.fixed_size() or self.predictor.manifest.preprocess.size
        if size[0] * size[1] > self.pixels:
            return None
        return self.predictor.prepare(np.zeros((*size, self.predictor.channels), np.uint8))

    def asked(self, query, headers):
        """(How many classes, the format) that a request asks for. Raises Refusal, 400."""
        classes = len(self.predictor.manifest.class_names)
        form = query.get("format") or ("png" if _prefers_png(headers) else "json")
        if form not in ("json", "png"):
            raise Refusal(400, f"format is json or png, given {form[:20]!r}")
        return number(query, "top", 5, classes, strict=False), form

    async def answer(self, model, body, content_type, asked):
        """The ids of a body's pixels as a PNG, or as JSON the classes that have most of them."""
        top, form = asked
        given = await model.compute(self._see, body, content_type, top, form)
        if form == "png":
            return web.Response(body=given, content_type=_PNG)
        return web.json_response({"model": model.name, **given, "ids": _MORE})

    def _see(self, network, body, content_type, top, form):
        """The PNG, or the fields of the JSON, for a body. Runs in a decoding thread."""
        segmenter = replace(self.predictor, network=network)
        picture = picture_of(body, content_type, segmenter.channels, self.pixels)
        ids = segmenter.classes(picture, self._views)
        if form == "png":
            return encode_png(ids)
        height, width = ids.shape
        shares = top_fields(segmenter.largest(ids, top), "share")
        return {"height": height, "width": width, "top": shares}


def _prefers_png(headers):
    """Whether the Accept header names PNG, and does not rank JSON above it (RFC 9110, 12.5.1)."""
    ranks = {"application/json": 0.0, _PNG: 0.0}
    for text in headers.get("Accept", "")[:1000].split(","):
        kind, *parameters = (word.strip().lower() for word in text.split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        if kind in ranks and weight.replace(".", "", 1).isdecimal() and weight.isascii():
            ranks[kind] = float(weight)
    return ranks[_PNG] > 0 and ranks[_PNG] >= ranks["application/json"]
