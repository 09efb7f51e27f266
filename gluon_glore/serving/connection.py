"""A client's connection: what aiohttp answers before a handler is asked is answered as all else.

aiohttp answers what is no HTTP request in text/plain, and logs a traceback for it. Here a fault of
a client is `{"error": "one line"}`, counted, and not logged.
"""

import asyncio
import time

from ..utils.errors import InputError
from ..utils.extras import how_to_install

try:
    from aiohttp import http_exceptions, web
except ImportError as error:
    raise InputError(f"{error.name} is not installed: {how_to_install('deploy')}") from None

_TURN = 0.001  # seconds of parsing, about, after which other connections have their turn
_FEWEST, _FIRST, _MOST = 2**8, 2**14, 2**18  # bytes that are read in a turn; the first one


_OF_CLIENTS = (ConnectionError, web.RequestPayloadError, http_exceptions.HttpProcessingError)
_UNREADABLE = "not a readable request"


class Connection(web.RequestHandler):
    """A connection of aiohttp's server `manager`. `refuse(status, line)` makes its refusals."""

    __slots__ = ("_refuse",)

    def __init__(self, manager, refuse, **options):
        super().__init__(manager, loop=asyncio.get_running_loop(), **options)
        self._refuse = refuse

    def connection_made(self, transport):
        """Begin to read."""
        transport.max_size = _FIRST
        super().connection_made(transport)

    def data_received(self, data):
        """Parse what came, and read as much next time as is parsed in a turn.

        256 KiB, as asyncio reads, may be a hundredth of a picture or thousands of requests and
        chunks of a byte, which take aiohttp a second.
        """
        began = time.thread_time()
        try:
            super().data_received(data)
        except ValueError:  # of yarl, for an address
            self._drop()
        if self.transport is not None:
            took = max(time.thread_time() - began, 1e-6)
            self.transport.max_size = min(max(_FEWEST, int(len(data) * _TURN / took)), _MOST)

    async def start(self):
        """Answer requests until the connection ends."""
        try:
            await super().start()
        except ValueError:  # of yarl, which looks at an address again
            self._drop()

    async def finish_response(self, request, resp, start_time):
        """Send an answer. One that aiohttp has made, as that to an Expect header, becomes JSON."""
        if isinstance(resp, web.HTTPException):
            resp = self._refuse(resp.status, resp.reason)
            resp.force_close()
        try:
            return await super().finish_response(request, resp, start_time)
        except http_exceptions.HttpProcessingError:  # what aiohttp 3.13 found behind an Upgrade
            self._drop()
            raise ConnectionError(_UNREADABLE) from None

    def handle_error(self, request, status=500, exc=None, message=None):
        """The answer to what is no request, or to what a handler died of."""
        if status < 500:
            reason = (message or "").partition("\n")[0].partition(": ")[0].strip(" :")[:100]
            answer = self._refuse(status, f"{_UNREADABLE}: {reason}" if reason else _UNREADABLE)
        else:
            self.log_exception("%s %s failed", request.method, request.path, exc_info=exc)
            answer = self._refuse(status, "the server failed, its log says how")
        answer.force_close()
        return answer

    def log_exception(self, *args, exc_info=None, **options):
        """Log an error, but none that a client made."""
        if not isinstance(exc_info, _OF_CLIENTS):
            super().log_exception(*args, exc_info=exc_info, **options)

    def _drop(self):
        """Refuse what can't be read, past aiohttp, and close."""
        if self.transport is not None:
            _send(self.transport, self._refuse(400, _UNREADABLE))
        self.force_close()


class Full(asyncio.Protocol):
    """A connection more than the process may have: it gets the `refusal`, and is closed."""

    def __init__(self, refusal):
        self._refusal = refusal

    def connection_made(self, transport):
        """Answer before anything is asked."""
        _send(transport, self._refusal)
        transport.close()


def _send(transport, answer):
    """Write a response of aiohttp's, after which the connection is to be closed."""
    fields = {**answer.headers, "Content-Length": len(answer.body), "Connection": "close"}
    lines = [f"{name}: {value}" for name, value in fields.items()]
    head = "\r\n".join([f"HTTP/1.1 {answer.status} {answer.reason}", *lines, "\r\n"])
    transport.write(head.encode() + answer.body)
