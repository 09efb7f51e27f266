"""The process around a `Service`: it listens, drops silent clients, and stops without a loss.

After the first SIGTERM or SIGINT it accepts no more connections, and exits with 0 when the requests
in flight have their answers. The second ends it at once.
"""

import asyncio
import logging
import os
import signal

from ..utils.errors import InputError
from .service import Service, web  # raises InputError where aiohttp is not installed

_GRACE = 0.2  # seconds at the end for requests that are on their way on open connections
_LINGER = 10  # seconds to read on in a refused body, so that its sender sees the refusal
_log = logging.getLogger(__name__)


def serve(classifier, host, port, settings):
    """Serve a `Classifier` until a signal, as `service.Settings` say. Prints the address first.

    Port 0 is any that is free. Raises InputError where it can't listen.
    """
    asyncio.run(_serve(classifier, host, port, settings))


async def _serve(classifier, host, port, settings):
    service = Service(classifier, settings)
    await service.warm_up()
    runner = web.AppRunner(
        service.app(),
        access_log=None,
        auto_decompress=False,  # else a small body could unpack to gigabytes
        handler_cancellation=True,  # no work for a client that is gone
        keepalive_timeout=settings.timeout,
        lingering_time=min(_LINGER, settings.timeout),
        shutdown_timeout=1,
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        raise InputError(f"{host}:{port}: {error.strerror or error}") from None
    stopped = _stopped()
    sweeper = asyncio.ensure_future(_drop_silent(runner.server, service.spoke, settings.timeout))
    address, port = runner.addresses[0][:2]
    print(f"serving {classifier.manifest.model} on http://{address}:{port}", flush=True)

    await stopped
    service.stopping = True
    await site.stop()
    await asyncio.sleep(_GRACE)
    # Wait here and not in cleanup(), which reads no more of the bodies that are on their way.
    deadline = asyncio.get_running_loop().time() + 2 * settings.timeout
    while service.in_hand and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.01)
    await runner.cleanup()
    sweeper.cancel()
    if service.batcher.busy_seconds:
        _log.error("a batch did not end, its requests are lost")
        os._exit(1)
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


async def _drop_silent(server, spoke, seconds):
    """Close connections that had no request for so many seconds after they were opened.

    aiohttp would wait for the first request forever. `spoke` has the transports that brought one.
    """
    silent = {}
    while True:
        await asyncio.sleep(seconds / 4)
        now = asyncio.get_running_loop().time()
        quiet = (c for c in server.connections if c.transport and c.transport not in spoke)
        silent = {connection: silent.get(connection, now) for connection in quiet}
        for connection, since in silent.items():
            if now - since >= seconds:
                connection.force_close()
