"""What a request gets: POST a picture to /predict, its classes come back as JSON.

Also /health, /metrics (Prometheus) and / with a description. What is bounded: bytes and pixels of a
picture, requests in hand, seconds. Pictures are decoded by some threads and go through the network
in batches.
"""

import asyncio
import logging
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from .. import __version__
from ..data.image import decode_image, max_pixels
from ..inference.classify import top_fields
from ..utils.errors import InputError
from .batcher import Batcher

try:
    from aiohttp import web
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
except ImportError as error:
    raise InputError(
        f"{error.name} is not installed: pip install '.[deploy]' from a checkout of gluon-glore"
    ) from None

GONE = 499  # status of a request whose client did not wait for its answer; nginx's number
_BLOCK = 2**16
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What a server takes and how it works.

    `size` is the most bytes of a body, `requests` the most in hand at once (a later one gets 503),
    `seconds` the time for a body to come, and then for its answer. `batch` pictures go through the
    network at once; where fewer wait, it waits `wait` seconds for more. `workers` threads decode.
    """

    size: int = 16 * 10**6
    requests: int = 64
    seconds: float = 30
    batch: int = 8
    wait: float = 0.005
    workers: int = 2


class Refusal(Exception):
    """A request that is answered with an error: its status and a line for its sender."""

    def __init__(self, status, message, **headers):
        super().__init__(message)
        self.status, self.headers = status, headers


class Service:
    """Answers requests with a `Classifier`; to be made where an event loop runs."""

    def __init__(self, classifier, settings):
        self.classifier, self.settings = classifier, settings
        self.stopping = False
        self.spoke = weakref.WeakSet()  # transports that brought a request
        self.metrics = Metrics()
        self._decoders = ThreadPoolExecutor(settings.workers, thread_name_prefix="decode")
        observe = self.metrics.batch.observe
        self.batcher = Batcher(classifier.logits, settings.batch, settings.wait, observe)
        self.metrics.waiting.set_function(lambda: len(self.batcher))
        self.in_hand = 0  # requests to predict that have no answer yet
        self.metrics.in_hand.set_function(lambda: self.in_hand)

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
        """Send batches of the smallest and largest size through the network."""
        preprocess = self.classifier.manifest.preprocess
        black = self.classifier.prepare(np.zeros((*preprocess.size, preprocess.channels), np.uint8))
        for number in (1, self.settings.batch):
            await asyncio.gather(*[self.batcher.submit(black) for _ in range(number)])

    async def close(self):
        """Answer what is in hand, then let the threads end."""
        await self.batcher.close()
        self._decoders.shutdown(wait=False)

    @web.middleware
    async def _answer(self, request, handler):
        """Errors as JSON, every answer counted; on the way out connections are closed."""
        if request.transport is not None:
            self.spoke.add(request.transport)
        resource = request.match_info.route.resource
        path = resource.canonical if resource else "other"
        status = GONE
        try:
            with self.metrics.seconds.labels(path).time():
                try:
                    response = await handler(request)
                except Refusal as refusal:
                    response = _error(refusal.status, str(refusal), refusal.headers)
                except web.HTTPException as error:
                    allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
                    response = _error(error.status, error.reason, allow)
                except ConnectionError:  # within its body: nothing to log
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
        """What runs here and its limits, as JSON."""
        manifest = self.classifier.manifest
        return web.json_response(
            {
                "model": manifest.model,
                "classes": len(manifest.class_names),
                "runtime": self.classifier.runtime,
                "version": __version__,
                "limits": {
                    "bytes": self.settings.size,
                    "pixels": max_pixels(),
                    "seconds": self.settings.seconds,
                },
                "predict": "POST /predict?top=5, the body a picture or a form with a file",
            }
        )

    async def health(self, _):
        """200 while requests are answered; 503 on the way out, or when a batch does not end."""
        status = "ok"
        if self.batcher.busy_seconds > self.settings.seconds:
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
        """The metrics, as Prometheus reads them."""
        text = generate_latest(self.metrics.registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def predict(self, request):
        """The likeliest classes of the picture in a request, as JSON. Raises Refusal."""
        top = self._top(request)
        if self.in_hand >= self.settings.requests:
            message = f"{self.in_hand} requests in hand, try again"
            raise Refusal(503, message, **{"Retry-After": "1"})
        self.in_hand += 1
        try:
            data = await self._in_time(self._body(request), 408, "the body did not come")
            logits = await self._in_time(self._logits(data), 504, "no answer")
        finally:
            self.in_hand -= 1
        try:
            best = self.classifier.best(logits, top)
        except InputError as error:
            raise Refusal(500, str(error)) from None
        return web.json_response({"model": self.classifier.manifest.model, "top": top_fields(best)})

    def _top(self, request):
        most = len(self.classifier.manifest.class_names)
        text = request.query.get("top", "5")
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
            raise Refusal(400, f"top is a whole number from 1 to {most}, given {text[:20]!r}")
        return int(text)

    async def _in_time(self, work, status, message):
        try:
            return await asyncio.wait_for(work, self.settings.seconds)
        except asyncio.TimeoutError:
            raise Refusal(status, f"{message} within {self.settings.seconds} s") from None

    async def _body(self, request):
        """The bytes of the picture: the body, or the first file of a form."""
        if (request.content_length or 0) > self.settings.size:
            raise self._too_large()
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise Refusal(415, "send the picture without Content-Encoding")
        try:
            if request.content_type.startswith("multipart/"):
                return await self._limited(await self._file(request))
            return await self._limited(request.content.iter_chunked(_BLOCK))
        except (ValueError, AssertionError, web.RequestPayloadError):  # of aiohttp's parsers
            raise Refusal(400, "not a readable body") from None

    async def _file(self, request):
        async for part in await request.multipart():
            if getattr(part, "filename", None) is not None:
                return _chunks(part)
        raise Refusal(400, "no file in the form")

    async def _limited(self, chunks):
        data = bytearray()
        async for chunk in chunks:
            data += chunk
            if len(data) > self.settings.size:
                raise self._too_large()
        return data

    def _too_large(self):
        return Refusal(413, f"at most {self.settings.size} bytes are taken")

    async def _logits(self, data):
        loop = asyncio.get_running_loop()
        try:
            prepared = await loop.run_in_executor(self._decoders, self._prepare, data)
        except InputError as error:
            raise Refusal(400, str(error)) from None
        return await self.batcher.submit(prepared)

    def _prepare(self, data):
        return self.classifier.prepare(decode_image(data, self.classifier.channels))


class Metrics:
    """What Prometheus is told, in a registry of its own."""

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


async def _chunks(part):
    while chunk := await part.read_chunk(_BLOCK):
        yield chunk


def _error(status, message, headers=None):
    return web.json_response({"error": message}, status=status, headers=headers)
