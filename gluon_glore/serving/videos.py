"""A video, or a clip's frames, to what happens in it."""

import contextlib
from dataclasses import replace

import numpy as np

from ..data.clips import CROPS, ClipFrames
from ..data.image import max_pixels
from ..data.picture_header import START, format_name
from ..data.video import Bounds, Video
from ..inference.classify import top_fields
from ..inference.recognize import ClipViews, Recognizer, moment_fields
from ..utils.errors import InputError
from .asked import number
from .bodies import decode_picture
from .connection import web
from .forms import files_of, is_form
from .limits import Refusal

_PIXELS = 9 * 10**6  # of a frame where nothing is said, for decoders keep up to 16 of them: 4K
_VIEWS = 100  # of a video, clips times crops, that a request may ask for


class VideoAnswers:
    """The answers of a network that watches videos, as `answers.answers_of` says.

    A body is a video, read from memory, or a form with one or with all frames of one clip.
    """

    TAKES = "?top=5&clips=10&crops=1, the body a video, or a form with one or with a clip's frames"
    room = None

    def __init__(self, predictor, settings):
        self.predictor = Recognizer.of(predictor)
        self.pixels = settings.pixels or min(max_pixels(), _PIXELS)
        self._frames = settings.frames
        self.batch = settings.batch or 4

    def a_row(self):
        """The network's input for a black clip."""
        preprocess = self.predictor.manifest.preprocess
        frame = np.zeros((*preprocess.size, preprocess.channels), np.uint8)
        black = ClipFrames(self.predictor.clip, lambda *_: frame)
        return next(self.predictor.parts(black, ClipViews(1))).views[0]

    def asked(self, query, _):
        """(How many classes, clips or None, crops) that a request asks for. Raises Refusal, 400."""
        classes = len(self.predictor.manifest.class_names)
        crops = number(query, "crops", 1, max(CROPS))
        if crops not in CROPS:
            raise Refusal(400, f"crops is {', '.join(map(str, CROPS))}, given '{crops}'")
        clips = number(query, "clips", 10, _VIEWS // crops) if "clips" in query else None
        return number(query, "top", 5, classes, strict=False), clips, crops

    async def answer(self, model, body, content_type, asked):
        """What a body shows, as JSON."""
        seen = await model.compute(self._watch, body, content_type, *asked)
        return web.json_response({"model": model.name, **seen})

    def _watch(self, network, body, content_type, top, clips, crops):
        """The fields of the JSON for a body. Runs in a decoding thread."""
        recognizer = replace(self.predictor, network=network)
        video, is_clip = self._video(body, content_type, network.check)
        if is_clip and clips is not None:
            raise InputError("pictures are the frames of one clip: leave clips out")
        views = ClipViews(1 if is_clip else clips or 10, crops, self.batch)
        with contextlib.closing(recognizer.parts(video, views)) as parts:
            seen = recognizer.recognize(parts, top)
        fields = {"top": top_fields(seen.top)}
        if is_clip:
            return fields
        return {"seconds": round(seen.seconds, 3), **fields, "clips": moment_fields(seen.moments)}

    def _video(self, body, content_type, check):
        """(the frames of a body, whether they are pictures). Raises InputError."""
        frames = self.predictor.clip.frames
        files = files_of(body, content_type, frames) if is_form(content_type) else [body]
        pictures = format_name(bytes(files[0][:START])) not in (None, "GIF")  # GIFs are videos
        if not pictures and len(files) == 1:
            return Video(bytes(files[0]), Bounds(self.pixels, self._frames, check)), False
        if len(files) != frames:
            name = self.predictor.manifest.model
            raise InputError(
                f"{name} watches videos: a video, or {frames} pictures in a form, given "
                f"{len(files)} {'picture' if pictures else 'file'}{'s' * (len(files) > 1)}"
            )

        def read(number, channels):
            check()
            return decode_picture(bytes(files[number]), channels, self.pixels)

        return ClipFrames(self.predictor.clip, read), True
