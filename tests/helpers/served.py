"""Predictors behind `serving`'s listener, in this process."""

import asyncio
import threading


class Gate:
    """A network that waits while it is shut, and remembers the shapes of its batches.

    `logits(x)` of a subclass is what it computes.
    """

    def __init__(self):
        self.open, self.shapes = threading.Event(), []
        self.open.set()

    def __call__(self, x):
        self.shapes.append(x.shape)
        assert self.open.wait(30)
        return self.logits(x)


def run_served(scenario, predictors, release=lambda: None, **settings):
    """Run `scenario(client, service)` beside a server of {name: Predictor}, so set.

    The client is an aiohttp session, whose paths are the server's. `release` is called at the end,
    before the server waits for its networks.
    """
    import aiohttp

    from gluon_glore.serving.listener import Listener
    from gluon_glore.serving.service import Service, Settings

    async def main():
        service = Service(predictors, Settings(**{"timeout": 30, "wait": 0.001, **settings}))
        await service.warm_up()
        listener = Listener(service)
        address, port = await listener.start("127.0.0.1", 0)
        async with aiohttp.ClientSession(f"http://{address}:{port}") as client:
            try:
                await asyncio.wait_for(scenario(client, service), 60)
            finally:
                release()
        await listener.close()
        await service.close()

    asyncio.run(main())


async def posted(client, data, path="/predict", **options):
    """(status, JSON, or bytes where it is none) of a POST."""
    async with client.post(path, data=data, **options) as answer:
        plain = answer.content_type != "application/json"
        return answer.status, await (answer.read() if plain else answer.json())


async def got(client, path):
    """(status, JSON) of a GET."""
    async with client.get(path) as answer:
        return answer.status, await answer.json()


async def sample(client, name):
    """A figure of /metrics, 0 where there is none yet."""
    text = await (await client.get("/metrics")).text()
    lines = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0


async def until(condition):
    """Wait until `condition()`, a function or a coroutine function, is true."""
    while True:
        held = condition()
        if await held if asyncio.iscoroutine(held) else held:
            return
        await asyncio.sleep(0.005)
