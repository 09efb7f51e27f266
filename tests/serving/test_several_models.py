import asyncio

import pytest

from tests.helpers.digits import Network, digits, png
from tests.helpers.served import got, posted, run_served, sample, until

pytest.importorskip("aiohttp", reason="serve needs aiohttp")
pytest.importorskip("prometheus_client", reason="serve needs prometheus_client")


def run(scenario, **settings):
    """`scenario(client, service, {name: network})` beside a server of networks a and b."""
    networks = {"a": Network(), "b": Network()}

    def release():
        for network in networks.values():
            network.open.set()

    async def beside(client, service):
        await scenario(client, service, networks)

    predictors = {name: digits(network) for name, network in networks.items()}
    run_served(beside, predictors, release, **settings)


def test_each_model_answers_under_its_name():
    async def scenario(client, *_):
        for name in "ab":
            status, fields = await posted(client, png(3), f"/models/{name}/predict?top=1")
            assert (status, fields["model"]) == (200, name)
            assert [row["class"] for row in fields["top"]] == ["class 3"]
        for path, message in (
            ("/predict", "POST to /models/NAME/predict, NAME is one of a, b"),
            ("/models/c/predict", "no model 'c', here are a, b"),
            ("/models/%0A/predict", "no model '\\n', here are a, b"),
        ):
            assert await posted(client, png(3), path) == (404, {"error": message})
        assert (await got(client, "/models/a/predict"))[0] == 405

    run(scenario)


def test_what_is_served_is_told_of_each():
    async def scenario(client, *_):
        for path in ("/", "/models"):
            status, fields = await got(client, path)
            assert (status, [model["model"] for model in fields["models"]]) == (200, ["a", "b"])
            assert all(model["does"] == "classifies pictures" for model in fields["models"])
        assert await got(client, "/health") == (
            200,
            {
                "status": "ok",
                "models": {name: {"status": "ok", "runtime": "mxnet"} for name in "ab"},
            },
        )

    run(scenario)


def test_a_model_that_hangs_holds_up_no_other():
    async def scenario(client, service, networks):
        networks["a"].open.clear()
        tasks = [
            asyncio.ensure_future(posted(client, png(), "/models/a/predict")) for _ in range(4)
        ]
        await until(lambda: service.models["a"].in_hand == 4)
        full = await posted(client, png(), "/models/a/predict")
        assert full == (503, {"error": "4 requests in hand, try again"})
        for _ in range(8):
            assert (await posted(client, png(), "/models/b/predict"))[0] == 200
        assert await sample(client, 'glore_model_requests_in_hand{model="a"}') == 4
        late = (504, {"error": "no answer within 0.5 s"})
        assert await asyncio.gather(*tasks) == [late] * 4
        await until(lambda: service.models["a"].stuck)
        status, fields = await got(client, "/health")
        assert (status, fields["status"]) == (503, "stuck")
        states = {name: state["status"] for name, state in fields["models"].items()}
        assert states == {"a": "stuck", "b": "ok"}
        assert await sample(client, 'glore_model_ready{model="a"}') == 0
        assert await sample(client, 'glore_model_ready{model="b"}') == 1
        for name, status, number in (("a", 503, 1), ("a", 504, 4), ("b", 200, 8)):
            metric = f'glore_model_requests_total{{model="{name}",status="{status}"}}'
            assert await sample(client, metric) == number
        networks["a"].open.set()
        await until(lambda: not service.models["a"].stuck)
        assert (await posted(client, png(), "/models/a/predict"))[0] == 200

    run(scenario, queue=4, timeout=0.5)


def test_figures_of_all_models_are_the_sums_of_theirs():
    async def scenario(client, *_):
        for name in "aab":
            await posted(client, png(), f"/models/{name}/predict")
        of_all = await sample(client, "glore_batch_size_sum")
        of_each = [await sample(client, f'glore_model_batch_size_sum{{model="{m}"}}') for m in "ab"]
        assert of_all == sum(of_each) and of_each[0] == of_each[1] + 1
        name = 'glore_requests_total{path="/models/{name}/predict",status="200"}'
        assert await sample(client, name) == 3

    run(scenario)
