"""The process around a `Service`: it serves until a signal, and stops without a loss.

After the first SIGTERM or SIGINT it accepts no more connections, and exits with 0 when the requests
in flight have their answers. The second ends it at once.
"""

import asyncio
import logging
import os
import signal

from .listener import Listener
from .service import Service

_GRACE = 0.2  # seconds at the end for requests that are on their way on open connections
_log = logging.getLogger(__name__)


def serve(predictors, host, port, settings):
    """Serve {name: Predictor} until a signal, as `Settings` say. Prints names and address first.

    Port 0 is any that is free. Raises InputError where it can't listen.
    """
    asyncio.run(_serve(predictors, host, port, settings))


async def _serve(predictors, host, port, settings):
    service = Service(predictors, settings)
    await service.warm_up()
    listener = Listener(service)
    address, port = await listener.start(host, port)
    stopped = _stopped()
    print(f"serving {', '.join(service.models)} on http://{address}:{port}", flush=True)

    await stopped
    service.stopping = True
    listener.stop()
    await asyncio.sleep(_GRACE)
    # Wait here and not in close(), which reads no more of the bodies that are on their way.
    deadline = asyncio.get_running_loop().time() + 2 * settings.timeout
    while service.unanswered and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.01)
    await listener.close()
    models = service.models.values()
    if any(model.batcher.busy_seconds for model in models):
        _log.error("a batch did not end, its requests are lost")
        os._exit(1)
    if any(model.decoders.given_up for model in models):  # Python would wait for these threads
        os._exit(0)
    await service.close()


def _stopped():
    """A future that the first signal fulfils. The second signal ends the process."""
    loop = asyncio.get_running_loop()
    stopped = loop.create_future()

    def stop(number):
        if stopped.done():
            os._exit(128 + number)
        stopped.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    return stopped
