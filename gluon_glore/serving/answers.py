"""What a network of each task answers to the body of a request."""

from ..inference.predictor import Task
from .classes import ClassAnswers
from .pixels import PixelAnswers
from .videos import VideoAnswers

_OF_TASK = {
    Task.CLASSIFY: ClassAnswers,
    Task.SEGMENT: PixelAnswers,
    Task.RECOGNIZE: VideoAnswers,
}


def answers_of(predictor, settings):
    """The `ClassAnswers`, or its like, of a `Predictor`'s task, as `limits.Settings` say.

    All have

    - `predictor`, the network as `inference` has it for the task;
    - `batch`, how many inputs go through the network at once, and `room`, how many elements all of
      them together may have, None where that is not bounded;
    - `pixels`, the most of a picture or frame, and `TAKES`, what a request may send, for a reader;
    - `a_row()`, an input of black pixels, None where no size is known;
    - `asked(query, headers)`, what a request asks for, which raises Refusal where that can't be;
    - `await answer(model, body, content_type, asked)`, the response of aiohttp to a body, a
      bytearray. Raises Refusal.
    """
    return _OF_TASK[predictor.task](predictor, settings)
