"""Forms, as browsers and programs send pictures."""

from gluon_glore.serving.forms import cut_to_file, files_of, is_form
from gluon_glore.utils.errors import InputError

from .kind import Kind
from .mutate import mutate_bytes

BOUNDARY = b"x-7MA4YWxk"
# What is sent, as one: the value of the Content-Type header, then the body.
_END = b"\n\n"
WORDS = (
    b"filename",
    b"filename*",
    b"name",
    b"boundary",
    b"Content-Disposition",
    b"\r\n",
    b"\r\n\r\n",
)
WORDS += (b"--", b"--" + BOUNDARY, b"\r\n--" + BOUNDARY, b'"', b"\\", b";", b"=", b":", b"base64")
WORDS += (b"Content-Transfer-Encoding: base64", b"\x00", b"\xff", b"a" * 9000, b"; a=1" * 999)


def part(header, data):
    return b"--" + BOUNDARY + b"\r\n" + header + b"\r\n\r\n" + data + b"\r\n"


def form(*parts, kind=b"multipart/form-data; boundary=" + BOUNDARY):
    return kind + _END + b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


def forms():
    """As curl, a browser, and Python's requests send a file, alone and behind other fields."""
    field = part(b'Content-Disposition: form-data; name="top"', b"3")
    file = b'Content-Disposition: form-data; name="picture"; filename="a.jpg"'
    typed = file + b"\r\nContent-Type: image/jpeg"
    star = b"content-disposition: form-data; name=p; filename*=utf-8''%C3%A9.png"
    encoded = file + b"\r\nContent-Transfer-Encoding: binary"
    quoted = b'multipart/form-data; charset="utf-8"; boundary="' + BOUNDARY + b'"'
    return [
        form(part(typed, bytes(range(256)))),
        form(field, part(typed, b"\r\n--" * 20), field),
        form(b"preamble\r\n", part(star, b""), kind=quoted),
        form(*[field] * 20, part(encoded, b"\xff\xd8\xff")),
    ]


def mutate_form(rng, seeds):
    """A form with bytes changed, or with a word of its syntax where it need not be."""
    data = mutate_bytes(rng, seeds)
    for _ in range(rng.randrange(3)):
        at = rng.randrange(len(data) + 1)
        data = data[:at] + rng.choice(WORDS) + data[at + rng.choice((0, 0, 4)) :]
    return data


def cut(data, folder):
    """Cut a form to its file, which is the first where all are taken."""
    kind, _, body = data.partition(_END)
    kind = kind.decode("utf-8", "surrogateescape")  # as aiohttp does
    if not is_form(kind):
        raise InputError("no form")
    whole = bytes(body)
    body = bytearray(body)
    cut_to_file(body, kind)
    assert bytes(body) in whole and not body.startswith(b"--" + BOUNDARY)
    files = files_of(bytearray(whole), kind, most=4)
    assert files[0] == body and all(bytes(file) in whole for file in files)


ROWS = {"form": Kind(forms, mutate_form, cut)}
