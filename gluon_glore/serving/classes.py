"""A picture to its likeliest classes."""

import numpy as np

from ..data.image import max_pixels
from ..inference.classify import Classifier, top_fields
from .asked import number
from .bodies import picture_of
from .connection import web


class ClassAnswers:
    """The answers of a network that classifies pictures, as `answers.answers_of` says."""

    TAKES = "?top=5, the body a picture or a form with a file"
    room = None

    def __init__(self, predictor, settings):
        self.batch = settings.batch or 8
        self.predictor = Classifier.of(predictor)
        self.pixels = max_pixels()

    def a_row(self):
        """The network's input for a black picture."""
        preprocess = self.predictor.manifest.preprocess
        black = np.zeros((*preprocess.size, preprocess.channels), np.uint8)
        return self.predictor.prepare(black)

    def asked(self, query, _):
        """How many classes a request asks for. Raises Refusal where that is no number above 0."""
        classes = len(self.predictor.manifest.class_names)
        return number(query, "top", 5, classes, strict=False)

    async def answer(self, model, body, content_type, top):
        """The `top` likeliest classes of a body, as JSON."""
        prepared = await model.decode(self.prepare, body, content_type)
        [output] = await model.run([prepared])
        best = self.predictor.best(model.logits(output), top)
        return web.json_response({"model": model.name, "top": top_fields(best)})

    def prepare(self, body, content_type):
        """The network's input for a body, a bytearray. Runs in a decoding thread."""
        return self.predictor.prepare(picture_of(body, content_type, self.predictor.channels))
