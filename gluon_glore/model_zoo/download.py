"""Download of a file, whole or not at all; after a cut connection it goes on where it was.

Range and If-Range (RFC 9110, sections 13 and 14) get the rest, in this process or a later one. By
hand, for requests, and pooch on top of it, start anew after a cut, and set no limit to the size of
a file or to how slowly it comes.
"""

import http.client
import os
import re
import time
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

import requests
from urllib3.exceptions import HTTPError

from ..utils.errors import InputError, naming
from ..utils.files import absent
from .partial_file import Cut, Part, blocks, web_page
from .reach import Reach, Unreachable

LIMIT = 2 * 2**30  # bytes; the largest released archive has a few hundred MB
PAUSE = 0.5  # seconds before the second attempt, twice as long before each one after it
SLOWEST = 1024  # bytes a second; what is slower has stalled
REDIRECTIONS = 10

_BLOCK = 2**18


def download(url, path, *, sha256=None, limit=LIMIT, timeout=30.0, attempts=5) -> str:
    """Download the file at `url` to `path`, whole or not at all; returns its sha256 hex digest.

    `url` is one of https, http or file; environment variables name proxies, as for requests.
    `sha256` is the wanted digest, `limit` the most bytes allowed. `timeout` is how many seconds
    connecting may take, and how long nothing, or less than 1 KiB a second, may come before the
    next of the `attempts`; until the server first answers all share `reach.REACH` seconds. Two
    processes must not download to the same `path` at a time.

    Raises InputError where that fails, `Unreachable` where the server has not answered once; `path`
    is then as it was. After a cut connection the same call goes on where this one ended, if the
    server can tell that the file has not changed (ETag or Last-Modified); after any other error it
    starts anew.
    """
    if _scheme(url) not in ("https", "http", "file"):
        raise InputError(f"{url}: not a URL that starts with https://, http:// or file://")
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise InputError(f"{sha256}: not a SHA-256 digest, which is 64 hexadecimal digits")
    with naming(path), Part(path, url, limit) as part:
        if _scheme(url) == "file":
            _copy(url, part)
        else:
            _fetch(url, part, timeout, attempts)
        digest = part.hexdigest()
        if sha256 is not None and digest != sha256.lower():
            raise InputError(f"{url}: its SHA-256 is {digest}, wanted is {sha256.lower()}")
        part.publish()
    return digest


def _copy(url, part):
    """Complete `part` from a file of this machine."""
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise InputError(f"{url}: a file of another machine, file:///PATH is allowed")
    source = Path(url2pathname(parts.path))
    if not source.is_file():
        raise InputError(f"{url}: {absent(source, 'file')}")
    with open(source, "rb") as file:
        part.start(os.fstat(file.fileno()).st_size, validator=None)
        for block in blocks(file):
            part.write(block)
    if not part.whole:
        raise InputError(f"{url}: has changed while it was copied")


def _fetch(url, part, timeout, attempts):
    """Complete `part` from the web. Raises Cut where the last of the attempts was cut too."""
    reach, tried = Reach(), 0
    while tried < attempts:
        if part.whole:  # of a process that was killed before it could publish
            return
        if tried:
            pause = PAUSE * 2 ** (tried - 1)
            if reach.left(pause) <= 0:
                break
            time.sleep(pause)
        tried += 1
        try:
            return _attempt(url, part, timeout, reach)
        except Cut as cut:
            reason = cut
    often = "in one attempt" if tried == 1 else f"in each of {tried} attempts"
    if not reach.answered:
        raise Unreachable(f"{url}: {reason}, {often}")
    if not part.length:
        raise Cut(f"{url}: {reason}, {often}")
    size = "an unknown number of" if part.size is None else part.size
    again = "run again, it goes on from there" if part.validator else "run again"
    raise Cut(f"{url}: connection cut after {part.length} of {size} bytes ({reason}); {again}")


def _attempt(url, part, timeout, reach):
    """Add to `part` what one connection gives. Raises Cut where it ends before the file."""
    # Bytes as they are stored: a digest and a range are of those, not of compressed ones.
    headers = {"Accept-Encoding": "identity"}
    if part.length:
        headers["Range"] = f"bytes={part.length}-"
        if part.validator:
            headers["If-Range"] = part.validator
    try:
        with (
            _Session() as session,
            reach.open(lambda limit: _open(session, url, headers, limit), timeout) as response,
        ):
            _begin(url, part, response)
            _read(response.raw, part, timeout)
    except (requests.ConnectionError, requests.Timeout, HTTPError) as error:
        raise Cut(_reason(error)) from None
    except requests.RequestException as error:
        raise InputError(f"{url}: {_reason(error)}") from None


class _Session(requests.Session):
    """Leaves redirections to `_open`: requests reads their bodies to the end, even endless ones."""

    def get_redirect_target(self, resp):
        return None


def _open(session, url, headers, timeout):
    """The response at the end of all redirections, its body not read yet."""
    target = url
    for _ in range(REDIRECTIONS + 1):
        response = session.get(target, headers=headers, timeout=timeout, stream=True)
        if not response.is_redirect:
            return response
        response.close()
        location = response.headers["Location"]
        allowed = ("https",) if _scheme(target) == "https" else ("https", "http")
        if _scheme(location, target) not in allowed:
            raise InputError(f"{url}: leads to {location!r}, allowed is {' or '.join(allowed)}")
        target = urljoin(target, location)
    raise InputError(f"{url}: more than {REDIRECTIONS} redirections")


def _begin(url, part, response):
    """Make `part` ready for the body of `response`.

    Raises Cut where another attempt may succeed, InputError where none will.
    """
    code, headers = response.status_code, response.headers
    status = f"status {code} {http.client.responses.get(code, '')}".rstrip()
    if code >= 500 or code == 429:
        raise Cut(status)
    if part.length and code in (206, 416):
        if not _goes_on(part, headers):
            part.start(size=None, validator=None)
            raise Cut(f"{status}, but not the rest of the same file")
    elif code != 200:
        raise InputError(f"{url}: {status}")
    elif headers.get("Content-Type", "").lower().startswith("text/html"):
        raise web_page(url)
    else:
        part.start(response.raw.length_remaining, _validator(headers))


def _goes_on(part, headers):
    """Whether a partial response continues what has come; notes the size of the whole file."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(?:(\d+)|\*)", headers.get("Content-Range", ""))
    if not found or int(found[1]) != part.length:
        return False
    size = int(found[2]) if found[2] else part.size
    if part.size not in (None, size) or _validator(headers) not in (None, part.validator):
        return False
    part.allow(size)
    part.size = size
    return True


def _validator(headers):
    """The header by which a file is known to be the same in every byte; a weak ETag is none."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified")


def _read(raw, part, timeout):
    """Write the body of a response to `part`. Raises Cut where it is too slow or ends too early."""
    since, before = time.monotonic(), part.length
    # Not read() or stream(): they wait for a full block, for hours where bytes come one by one.
    while block := raw.read1(_BLOCK, decode_content=False):
        part.write(block)
        seconds = time.monotonic() - since
        if seconds > timeout and not part.whole:
            if part.length - before < SLOWEST * seconds:
                raise Cut(f"slower than {SLOWEST} bytes a second")
            since, before = time.monotonic(), part.length
    if part.size is not None and not part.whole:
        raise Cut("closed too early")


def _scheme(url, base=""):
    """The scheme of a URL, or of one relative to `base`; None where it is malformed."""
    try:
        return urlsplit(urljoin(base, url)).scheme
    except ValueError:
        return None


def _reason(error):
    """The innermost cause of an error, in a few words: requests and urllib3 wrap it in many."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    if isinstance(error, http.client.IncompleteRead):
        return "closed too early"
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return re.sub("[^!-~]+", " ", words).strip()[:200]  # a server's own may be among them
