"""The HTTP requests that are answered: POST a picture to /predict, and get its classes as JSON.

There are also /health, /metrics (for Prometheus) and /, a description. The bytes and pixels of a
picture, the requests in hand and the seconds that each may take are limited. Threads decode the
pictures, which go through the network in batches.
"""

import asyncio
import logging
import weakref
from dataclasses import dataclass

import numpy as np

from ..data.image import decode_image, max_pixels
from ..inference.classify import top_fields
from ..utils.errors import InputError
from ..utils.extras import how_to_install
from ..utils.version import __version__
from .batcher import Batcher
from .connection import web
from .decoders import Decoders
from .forms import cut_to_file, is_form

try:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
except ImportError as error:
    raise InputError(f"{error.name} is not installed: {how_to_install('deploy')}") from None

GONE = 499  # status of a request whose client did not wait for the answer; nginx's number
_VERSIONS = ((1, 1), (1, 0))
_BLOCK = 2**16  # bytes of a body that are read at once
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """The limits of a server, and how it works.

    A body may have `max_bytes`. At most `queue` requests are in hand, a later one gets a 503. A
    body may take `timeout` seconds to arrive, and its answer as many again. Up to `batch` pictures
    go through the network at once; where fewer wait, they wait `wait` seconds for more. `workers`
    threads decode.
    """

    max_bytes: int = 16 * 10**6
    queue: int = 64
    timeout: float = 30
    batch: int = 8
    wait: float = 0.005
    workers: int = 2


class Refusal(Exception):
    """Raised to answer a request with an error: its HTTP status and a line for the client."""

    def __init__(self, status, message, **headers):
        super().__init__(message)
        self.status, self.headers = status, headers


class Service:
    """Answers requests with a `Classifier`. Make it where an event loop runs.

    Set `stopping` before the end: each connection is then closed after its answer.
    """

    def __init__(self, classifier, settings):
        self.classifier, self.settings = classifier, settings
        self.stopping = False
        self.spoke = weakref.WeakSet()  # transports that brought a request
        self.metrics = Metrics()
        self.decoders = Decoders(settings.workers)
        observe = self.metrics.batch.observe
        self.batcher = Batcher(classifier.logits, settings.batch, settings.wait, observe)
        self.metrics.waiting.set_function(lambda: len(self.batcher))
        self.unanswered = 0  # requests to predict that have no answer yet
        self.metrics.in_hand.set_function(lambda: self.in_hand)

    @property
    def in_hand(self):
        """Requests that have no answer yet, or whose decoding goes on after a 504."""
        return self.unanswered + self.decoders.given_up

    def app(self):
        """The aiohttp application."""
        app = web.Application(middlewares=[self._answer])
        app.add_routes(
            [
                web.get("/", self.describe),
                web.get("/health", self.health),
                web.get("/metrics", self.exposition),
                web.post("/predict", self.predict),
            ]
        )
        return app

    async def warm_up(self):
        """Send a batch of the smallest and one of the largest size through the network."""
        preprocess = self.classifier.manifest.preprocess
        black = self.classifier.prepare(np.zeros((*preprocess.size, preprocess.channels), np.uint8))
        for number in (1, self.settings.batch):
            await asyncio.gather(*[self.batcher.submit(black) for _ in range(number)])

    async def close(self):
        """Stop the batches and let the threads end."""
        await self.batcher.close()
        self.decoders.close()

    def refuse(self, status, line, headers=None):
        """The response, counted, to what never became a request for one of the paths."""
        self.metrics.requests.labels("other", status).inc()
        return _error(status, line, headers)

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

    async def describe(self, _):
        """The model that runs here and the server's limits, as JSON."""
        manifest = self.classifier.manifest
        return web.json_response(
            {
                "model": manifest.model,
                "classes": len(manifest.class_names),
                "runtime": self.classifier.runtime,
                "version": __version__,
                "limits": {
                    "bytes": self.settings.max_bytes,
                    "pixels": max_pixels(),
                    "seconds": self.settings.timeout,
                },
                "predict": "POST /predict?top=5, the body a picture or a form with a file",
            }
        )

    async def health(self, _):
        """200 while requests are answered, 503 while it stops or when a batch does not end."""
        status = "ok"
        if self.batcher.busy_seconds > self.settings.timeout:
            status = "stuck"
        elif self.stopping:
            status = "stopping"
        fields = {
            "status": status,
            "model": self.classifier.manifest.model,
            "runtime": self.classifier.runtime,
        }
        return web.json_response(fields, status=200 if status == "ok" else 503)

    async def exposition(self, _):
        """The metrics in the text format of Prometheus."""
        text = generate_latest(self.metrics.registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def predict(self, request):
        """The likeliest classes of the picture in a request, as JSON. Raises Refusal."""
        top = self._top(request)
        if self.in_hand >= self.settings.queue:
            message = f"{self.in_hand} requests in hand, try again"
            raise Refusal(503, message, **{"Retry-After": "1"})
        self.unanswered += 1
        try:
            data = await self._in_time(self._body(request), 408, "the body did not come")
            content_type = request.headers.get("Content-Type", "")
            logits = await self._in_time(self._logits(data, content_type), 504, "no answer")
        finally:
            self.unanswered -= 1
        try:
            best = self.classifier.best(logits, top)
        except InputError as error:
            raise Refusal(500, str(error)) from None
        return web.json_response({"model": self.classifier.manifest.model, "top": top_fields(best)})

    def _top(self, request):
        """How many classes a request asks for. Raises Refusal where that is no number above 0."""
        classes = len(self.classifier.manifest.class_names)
        text = request.query.get("top", "5")
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
            raise Refusal(400, f"top is a whole number from 1 to {classes}, given {text[:20]!r}")
        return int(text)

    async def _in_time(self, work, status, message):
        """What `work` gives. Raises Refusal where it takes more than `timeout` seconds."""
        try:
            return await asyncio.wait_for(work, self.settings.timeout)
        except asyncio.TimeoutError:
            raise Refusal(status, f"{message} within {self.settings.timeout} s") from None

    async def _body(self, request):
        """The bytes of a body, a picture or a form. Raises Refusal where they are too many."""
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

    async def _logits(self, data, content_type):
        """The logits `(classes,)` of a body. Raises Refusal where it can't be used."""
        try:
            prepared = await self.decoders.run(self._prepare, data, content_type)
        except InputError as error:
            raise Refusal(400, str(error)) from None
        return await self.batcher.submit(prepared)

    def _prepare(self, data, content_type):
        """The network's input for a body, a bytearray. Runs in a decoding thread."""
        if is_form(content_type):
            cut_to_file(data, content_type)
        return self.classifier.prepare(decode_image(data, self.classifier.channels))


class Metrics:
    """The metrics of one `Service`, in a registry of their own."""

    def __init__(self):
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "glore_requests", "Requests answered", ["path", "status"], registry=registry
        )
        self.seconds = Histogram(
            "glore_request_seconds", "From header to answer", ["path"], registry=registry
        )
        self.batch = Histogram(
            "glore_batch_size",
            "Pictures in a batch",
            buckets=[2**i for i in range(9)],
            registry=registry,
        )
        self.in_hand = Gauge("glore_requests_in_hand", "Not answered yet", registry=registry)
        self.waiting = Gauge("glore_waiting", "Pictures waiting for a batch", registry=registry)


def _error(status, message, headers=None):
    """The response to a request that failed."""
    return web.json_response({"error": message}, status=status, headers=headers)
