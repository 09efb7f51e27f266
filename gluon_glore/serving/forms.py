"""The files in a form, a multipart/form-data body (RFC 7578): the first one, or all.

Strangers write forms, so the work that one costs is bounded. Where the first file is wanted,
nothing behind it is read. The number of parts and their headers have limits, and each byte is
passed once, by `bytearray.find`. A parser in Python holds up all other threads; a search in C does
too, hence it goes block by block.
"""

import re

from ..utils.errors import InputError

MAX_PARTS = 100  # with the file
MAX_HEADER = 2**13  # bytes of a part's header
_MAX_BOUNDARY = 70  # RFC 2046, section 5.1.1
_BLOCK = 2**18  # bytes that are searched at once
_PLAIN = ("binary", "8bit", "7bit")
_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)', re.DOTALL)
_UNREADABLE = "not a readable body"


def is_form(content_type):
    """Whether the value of a Content-Type header is that of a form."""
    return content_type.lstrip().lower().startswith("multipart/")


def cut_to_file(body, content_type):
    """Cut a form, a bytearray, to the bytes of its first file, in place: no copy is made.

    Raises InputError where it has no file, or none in the first `MAX_PARTS` parts, where a part's
    header has more than `MAX_HEADER` bytes, where a file is encoded, or it is no form.
    """
    for start, end in _files(body, content_type, MAX_PARTS):
        del body[end:]
        del body[:start]
        return
    raise InputError("no file in the form")


def files_of(body, content_type, most):
    """The bytes of all files of a form, in order: memoryviews of `body`, a bytearray.

    Raises InputError as `cut_to_file` does, for the whole form, of which `MAX_PARTS` parts may be
    no files; and where there are more than `most` files.
    """
    files = []
    for start, end in _files(body, content_type, MAX_PARTS + most):
        if len(files) == most:
            raise InputError(f"more than {most} files in the form")
        files.append(memoryview(body)[start:end])
    if not files:
        raise InputError("no file in the form")
    return files


def _files(body, content_type, parts):
    """Yield where each file of a form begins and ends. No part behind it is read before.

    Raises InputError where there are more `parts`.
    """
    delimiter = b"\r\n--" + _boundary(content_type)
    if body.startswith(delimiter[2:]):  # the first line has no line end before it
        at = len(delimiter) - 2
    else:
        at = _find(body, delimiter, 0) + len(delimiter)
    line, found = _line_end(body, at), False
    for _ in range(parts):
        if line is None:
            return
        start, header = _header(body, line)
        end = _find(body, delimiter, start - 2)  # a part of no bytes ends with its header's line
        line = _line_end(body, end + len(delimiter))
        if _names_a_file(header):
            found = True
            yield start, max(start, end)
    if line is not None:
        raise InputError(
            f"more than {parts} parts in the form"
            if found
            else f"no file in the first {parts} parts of the form"
        )


def _boundary(content_type):
    """The boundary in the value of a Content-Type header. Raises InputError where it has none."""
    boundary = _parameters(content_type).get("boundary", "")
    if not 0 < len(boundary) <= _MAX_BOUNDARY:
        raise InputError(_UNREADABLE)
    return boundary.encode("utf-8", "surrogateescape")  # as aiohttp has decoded it


def _find(body, what, at):
    """Where `what` begins, from `at` on. Raises InputError where it is not in the body."""
    while at < len(body):
        found = body.find(what, at, at + _BLOCK + len(what))
        if found >= 0:
            return found
        at += _BLOCK
    raise InputError(_UNREADABLE)


def _line_end(body, at):
    """Where the line ends that begins with the boundary before `at`; None for the form's last.

    Raises InputError where the line goes on: the boundary is a part of what it should bound.
    """
    if body.startswith(b"--", at):
        return None
    end = body.find(b"\r\n", at, at + MAX_HEADER)
    if end < 0 or body[at:end].strip(b" \t"):
        raise InputError(_UNREADABLE)
    return end


def _header(body, line):
    """(where a part's bytes start, its header's fields), of the part behind a boundary's line.

    Raises InputError where the header is too long or does not end.
    """
    end = body.find(b"\r\n\r\n", line, line + MAX_HEADER)
    if end < 0:
        if len(body) - line < MAX_HEADER:
            raise InputError(_UNREADABLE)
        raise InputError(f"a part of the form has a header of more than {MAX_HEADER} bytes")
    fields = {}
    for text in re.sub(rb"\r\n[ \t]+", b" ", body[line + 2 : end]).decode("latin-1").split("\r\n"):
        name, _, value = text.partition(":")
        fields[name.strip().lower()] = value.strip()
    return end + 4, fields


def _names_a_file(header):
    """Whether a part is a file. Raises InputError where its bytes are encoded."""
    names = _parameters(header.get("content-disposition", ""))
    if not any(name.partition("*")[0] == "filename" for name in names):
        return False
    encoding = header.get("content-transfer-encoding", "binary").lower()
    if encoding not in _PLAIN:
        raise InputError(
            f"send the file without Content-Transfer-Encoding, given {encoding[:20]!r}"
        )
    return True


def _parameters(value):
    """The parameters of a header, as `form-data; name="a"`: {name: value}, names in lower case."""
    pairs = _PARAMETER.findall(value)
    return {name.lower(): text.strip().strip('"') for name, text in pairs}
