"""What Prometheus is told: figures of all requests, and those of each model."""

from ..utils.errors import InputError
from ..utils.extras import how_to_install

try:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
except ImportError as error:
    raise InputError(f"{error.name} is not installed: {how_to_install('deploy')}") from None

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SIZES = [2**i for i in range(9)]


class Metrics:
    """The metrics of one `Service`, in a registry of their own.

    Those of `glore_model_` have the label `model`; the others are of all models together.
    """

    def __init__(self):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = self._new(Counter, "requests", "Requests answered", "path", "status")
        self.seconds = self._new(Histogram, "request_seconds", "From header to answer", "path")
        self.batch = self._new(Histogram, "batch_size", "Inputs in a batch", buckets=_SIZES)
        self.in_hand = self._new(Gauge, "requests_in_hand", "Not answered yet")
        self.waiting = self._new(Gauge, "waiting", "Inputs waiting for a batch")
        self.answers = self._new(Counter, "model_requests", "Of a model", "model", "status")
        self.batch_of = self._new(
            Histogram, "model_batch_size", "Inputs in a batch", "model", buckets=_SIZES
        )
        self.in_hand_of = self._new(Gauge, "model_requests_in_hand", "Not answered yet", "model")
        self.waiting_of = self._new(Gauge, "model_waiting", "Waiting for a batch", "model")
        self.ready_of = self._new(Gauge, "model_ready", "0 where a batch does not end", "model")

    def _new(self, kind, name, says, *labels, **options):
        return kind(f"glore_{name}", says, labels, registry=self.registry, **options)

    def observe_batches_of(self, model):
        """The function that is told the size of each batch of a model."""
        one = self.batch_of.labels(model)

        def observe(size):
            self.batch.observe(size)
            one.observe(size)

        return observe

    def count_answers_of(self, model):
        """The function that is told the status of each answer of a model."""
        known = {}  # finding a counter by its labels takes longer than counting

        def count(status):
            if status not in known:
                known[status] = self.answers.labels(model, status)
            known[status].inc()

        return count

    def text(self):
        """The metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
