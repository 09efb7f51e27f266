"""The HTTP requests that are answered, whatever they ask: models, limits, counts, the end.

`predict` and `about` are tables of routes over a `Service`: each a function `routes(service)` that
returns aiohttp's. What a route needs:

- `service.model(name)` is the `ServedModel` of a name, `service.models` are all of them.
- `await service.receive(request, model, work)` is what `await work(body)` gives for the request's
  body, a bytearray, within all limits: a place in the model's queue (503), bytes (413), seconds
  (408, 504), encoding (415). A request without a body, too, is received where it makes a network
  run. Raise `limits.Refusal(status, line)` for all other errors of clients.
- `await model.run(rows)` sends inputs of one sample through the network in batches that requests
  share, `await model.decode(function, *args)` calls a function in a decoding thread, `await
  model.answers.answer(model, body, content_type, asked)` is the answer of `/predict`.
"""

import asyncio
import logging
import weakref

from ..utils.errors import OutputError
from . import about, open_inference, predict, sagemaker
from .connection import web
from .limits import GONE, Refusal, Settings
from .metrics import Metrics
from .served_model import ServedModel

__all__ = ["Refusal", "Service", "Settings"]

_ROUTES = (about.routes, predict.routes, open_inference.routes, sagemaker.routes)
_VERSIONS = ((1, 1), (1, 0))
_BLOCK = 2**16  # bytes of a body that are read at once
_log = logging.getLogger(__name__)


class Service:
    """Answers requests with `predictors`, {name: Predictor}. Make it where an event loop runs.

    Set `stopping` before the end: each connection is then closed after its answer.
    """

    def __init__(self, predictors, settings):
        self.settings = settings
        self.stopping = False
        self.spoke = weakref.WeakSet()  # transports that brought a request
        self.metrics = Metrics()
        self.models = {
            name: ServedModel(name, predictor, settings, self.metrics)
            for name, predictor in predictors.items()
        }
        self.metrics.in_hand.set_function(lambda: self.in_hand)
        self.metrics.waiting.set_function(
            lambda: sum(len(model.batcher) for model in self.models.values())
        )

    @property
    def unanswered(self):
        """Requests for networks that have no answer yet."""
        return sum(model.unanswered for model in self.models.values())

    @property
    def in_hand(self):
        """Requests that have no answer yet, or whose decoding goes on after a 504."""
        return sum(model.in_hand for model in self.models.values())

    @property
    def status(self):
        """Whether requests are answered: "ok", "stuck" where a model is, or "stopping"."""
        if any(model.stuck for model in self.models.values()):
            return "stuck"
        return "stopping" if self.stopping else "ok"

    def status_of(self, model):
        """The `status` of one model."""
        return "stuck" if model.stuck else "stopping" if self.stopping else "ok"

    def model(self, name=None):
        """The `ServedModel` of a name, or the only one. Raises Refusal where there is none."""
        if name is None and len(self.models) == 1:
            return next(iter(self.models.values()))
        if name in self.models:
            return self.models[name]
        here = ", ".join(self.models)
        if name is None:
            raise Refusal(404, f"POST to /models/NAME/predict, NAME is one of {here}")
        raise Refusal(404, f"no model {name[:100]!r}, here are {here}")

    def app(self):
        """The aiohttp application."""
        app = web.Application(middlewares=[self._answer])
        for routes in _ROUTES:
            app.add_routes(routes(self))
        return app

    async def warm_up(self):
        """Send batches through each network, one after the other."""
        for model in self.models.values():
            await model.warm_up()

    async def close(self):
        """Stop the batches and let the threads end."""
        for model in self.models.values():
            await model.close()

    def refuse(self, status, line, headers=None):
        """The response, counted, to what never became a request for one of the paths."""
        self.metrics.requests.labels("other", status).inc()
        return _error(status, line, headers)

    async def receive(self, request, model, work):
        """What `await work(body)` gives for the body of a request for a model.

        Raises Refusal where a limit is passed, and what `work` raises.
        """
        status = 500
        try:
            if model.in_hand >= self.settings.queue:
                message = f"{model.in_hand} requests in hand, try again"
                raise Refusal(503, message, **{"Retry-After": "1"})
            model.unanswered += 1
            try:
                body = await self.body(request)
                answer = await self._in_time(work(body), 504, "no answer")
            except OutputError as error:
                raise Refusal(500, str(error)) from None
            finally:
                model.unanswered -= 1
            status = 200
            return answer
        except Refusal as refusal:
            status = refusal.status
            raise
        except (asyncio.CancelledError, ConnectionError):
            status = GONE
            raise
        finally:
            model.answered(status)

    async def body(self, request):
        """The bytes of a request's body, a bytearray. Raises Refusal where a limit is passed."""
        return await self._in_time(self._body(request), 408, "the body did not come")

    @web.middleware
    async def _answer(self, request, handler):
        """Answer a request: errors become JSON, and every answer is counted."""
        if request.transport is not None:
            self.spoke.add(request.transport)
        resource = request.match_info.route.resource
        path = resource.canonical if resource else "other"
        status = GONE
        try:
            with self.metrics.seconds.labels(path).time():
                try:
                    if request.version not in _VERSIONS:
                        raise Refusal(505, "HTTP/1.1 or HTTP/1.0 is spoken here")
                    response = await handler(request)
                except Refusal as refusal:
                    response = _error(refusal.status, str(refusal), refusal.headers)
                except web.HTTPException as error:
                    allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
                    response = _error(error.status, error.reason, allow)
                except ConnectionError:  # while its body was read: nothing to log
                    response = _error(GONE, "the client is gone")
                except Exception:
                    _log.exception("%s %s failed", request.method, request.path)
                    response = _error(500, "the server failed, its log says how")
            status = response.status
            if self.stopping:
                response.force_close()
            return response
        finally:
            self.metrics.requests.labels(path, status).inc()

    async def _in_time(self, work, status, message):
        """What `work` gives. Raises Refusal where it takes more than `timeout` seconds."""
        try:
            return await asyncio.wait_for(work, self.settings.timeout)
        except asyncio.TimeoutError:
            raise Refusal(status, f"{message} within {self.settings.timeout} s") from None

    async def _body(self, request):
        """The bytes of a body. Raises Refusal where they are too many."""
        if (request.content_length or 0) > self.settings.max_bytes:
            raise self._too_large()
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise Refusal(415, "send the picture without Content-Encoding")
        data = bytearray()
        try:
            async for chunk in request.content.iter_chunked(_BLOCK):
                data += chunk
                if len(data) > self.settings.max_bytes:
                    raise self._too_large()
        except (ValueError, web.RequestPayloadError):  # of aiohttp's parser: a bad chunk
            raise Refusal(400, "not a readable body") from None
        return data

    def _too_large(self):
        """The Refusal of a body that is too large."""
        return Refusal(413, f"at most {self.settings.max_bytes} bytes are taken")


def _error(status, message, headers=None):
    """The response to a request that failed."""
    return web.json_response({"error": message}, status=status, headers=headers)
