"""The limits of a server, and how a request is refused."""

from dataclasses import dataclass
from typing import Optional

GONE = 499  # status of a request whose client did not wait for the answer; nginx's number


@dataclass(frozen=True)
class Settings:
    """The limits of a server, and how it works.

    A body may have `max_bytes`. At most `queue` requests for a model are in hand, a later one gets
    a 503. A body may take `timeout` seconds to arrive, and its answer as many again. Up to `batch`
    inputs of one model go through its network at once (None: as many as its task has by default);
    where fewer wait, they wait `wait` seconds for more. `workers` threads of each model decode. A
    picture, or a frame of a video, may have `pixels` (None: as its task has by default), a video
    `frames`.
    """

    max_bytes: int = 16 * 10**6
    queue: int = 64
    timeout: float = 30
    batch: Optional[int] = None
    wait: float = 0.005
    workers: int = 2
    pixels: Optional[int] = None
    frames: int = 20_000


class Refusal(Exception):
    """Raised to answer a request with an error: its HTTP status and a line for the client."""

    def __init__(self, status, message, **headers):
        super().__init__(message)
        self.status, self.headers = status, headers
