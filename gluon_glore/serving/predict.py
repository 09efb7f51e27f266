"""`/predict`: an encoded picture or video to what the network says of it."""

from .connection import web


def routes(service):
    """The routes of a `Service`: of the only model, and of each by its name."""

    async def predict(request):
        model = service.model(request.match_info.get("name"))
        asked = model.answers.asked(request.query, request.headers)
        kind = request.headers.get("Content-Type", "")

        async def answer(body):
            return await model.answers.answer(model, body, kind, asked)

        return await service.receive(request, model, answer)

    return [web.post("/predict", predict), web.post("/models/{name}/predict", predict)]
