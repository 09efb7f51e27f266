"""What a server says of itself: `/`, `/models`, `/health`, and `/metrics` for Prometheus."""

from ..utils.version import __version__
from .connection import web
from .metrics import CONTENT_TYPE


def routes(service):
    """The routes of a `Service`."""

    async def describe(_):
        """The models that run here and the server's limits, as JSON."""
        if len(service.models) == 1:
            [model] = service.models.values()
            fields = _described(model, "/predict")
        else:
            fields = {"models": [_described(model) for model in service.models.values()]}
        return web.json_response({**fields, "version": __version__, "limits": _limits(service)})

    async def models(_):
        """What each model is, as JSON."""
        models = [
            {**_described(model), "status": service.status_of(model)}
            for model in service.models.values()
        ]
        return web.json_response({"models": models})

    async def health(_):
        """200 while requests are answered, 503 while it stops or when a batch does not end."""
        status = service.status
        states = {
            name: {"status": service.status_of(model), "runtime": model.predictor.runtime}
            for name, model in service.models.items()
        }
        fields = {"models": states}
        if len(states) == 1:
            [(name, state)] = states.items()
            fields = {"model": name, "runtime": state["runtime"]}
        return web.json_response(
            {"status": status, **fields}, status=200 if status == "ok" else 503
        )

    async def metrics(_):
        """The metrics in the text format of Prometheus."""
        return web.Response(body=service.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    return [
        web.get("/", describe),
        web.get("/models", models),
        web.get("/health", health),
        web.get("/metrics", metrics),
    ]


def _described(model, path=None):
    """The fields that say what a model is; its inputs are posted to `path`."""
    path = path or f"/models/{model.name}/predict"
    return {
        "model": model.name,
        "does": model.predictor.task.value,
        "classes": len(model.predictor.manifest.class_names),
        "runtime": model.predictor.runtime,
        "pixels": model.answers.pixels,
        "predict": f"POST {path}{model.answers.TAKES}",
    }


def _limits(service):
    """The limits of a request, for all models."""
    settings = service.settings
    pixels = max(model.answers.pixels for model in service.models.values())
    return {"bytes": settings.max_bytes, "pixels": pixels, "seconds": settings.timeout}
