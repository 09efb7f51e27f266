"""The port of a server: who is let in, and who is dropped.

A process that has as many files open as it may can't accept; asyncio then tries again and again,
with a traceback each. So there are fewer connections than files, and one more is told so.
"""

import asyncio
import logging
import os
import resource
import time

from ..utils.errors import InputError
from .connection import Connection, Full, web

_BACKLOG = 1024  # connections that the kernel keeps until they are accepted
_AT_ONCE = 2  # connections that are accepted before others have their turn
_RESERVE = 16  # files for what is not a connection, and for those on their way in or out
_LINGER = 10  # seconds to read on in a refused body, so that its sender sees the refusal
_log = logging.getLogger(__name__)


class Listener:
    """Connections to a `Service`. Raises InputError where the process may have none.

    Who says nothing for the service's `timeout` seconds after a connection was opened is dropped.
    """

    def __init__(self, service):
        self._service, self._timeout = service, service.settings.timeout
        self._limit = _most_connections()
        self._runner = web.AppRunner(service.app(), handler_cancellation=True, shutdown_timeout=1)
        self._server = self._sweeper = None
        self._logged = float("-inf")  # when a failure to accept was logged

    async def start(self, host, port):
        """Listen. Returns the address and the port. Raises InputError where that is not possible.

        Port 0 is any that is free.
        """
        loop = asyncio.get_running_loop()
        await self._runner.setup()
        try:
            self._server = await loop.create_server(self._connect, host, port, backlog=_AT_ONCE)
        except OSError as error:
            raise InputError(f"{host}:{port}: {error.strerror or error}") from None
        for listening in self._server.sockets:  # for asyncio, `backlog` has a second meaning
            with listening.dup() as same:
                same.listen(_BACKLOG)
        loop.set_exception_handler(self._failed)
        self._sweeper = asyncio.ensure_future(self._drop_silent())
        return self._server.sockets[0].getsockname()[:2]

    def stop(self):
        """Accept no more."""
        self._server.close()

    async def close(self):
        """Close what is open; requests that are in hand have a second."""
        await self._runner.cleanup()
        self._sweeper.cancel()

    def _connect(self):
        """The protocol of a connection that was accepted."""
        manager = self._runner.server
        if len(manager.connections) >= self._limit:
            message = f"{self._limit} connections are open, try again"
            return Full(self._service.refuse(503, message, {"Retry-After": "1"}))
        return Connection(
            manager,
            self._service.refuse,
            access_log=None,
            auto_decompress=False,  # else a small body could unpack to gigabytes
            keepalive_timeout=self._timeout,
            lingering_time=min(_LINGER, self._timeout),
        )

    def _failed(self, loop, context):
        """Log what asyncio can't give anyone: that nothing can be accepted, once a second."""
        error = context.get("exception")
        if not (isinstance(error, OSError) and "accept" in context["message"]):
            loop.default_exception_handler(context)
        elif time.monotonic() - self._logged >= 1:
            self._logged = time.monotonic()
            _log.error("no connection is accepted: %s", error.strerror)

    async def _drop_silent(self):
        """Close connections that had no request for so many seconds after they were opened.

        aiohttp would wait for the first request forever.
        """
        silent = {}
        while True:
            await asyncio.sleep(self._timeout / 4)
            now = asyncio.get_running_loop().time()
            spoke, opened = self._service.spoke, self._runner.server.connections
            quiet = (c for c in opened if c.transport and c.transport not in spoke)
            silent = {connection: silent.get(connection, now) for connection in quiet}
            for connection, since in silent.items():
                if now - since >= self._timeout:
                    connection.force_close()


def _most_connections():
    """How many connections the process may have. Raises InputError where that is none."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return float("inf")
    needed = len(os.listdir("/dev/fd")) + _RESERVE
    if files <= needed:
        raise InputError(f"a process may open {files} files here, serve needs more than {needed}")
    return files - needed
