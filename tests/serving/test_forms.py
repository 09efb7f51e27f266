import re

import pytest

from gluon_glore.serving.forms import (
    MAX_HEADER,
    MAX_PARTS,
    cut_to_file,
    files_of,
    is_form,
)
from gluon_glore.utils.errors import InputError

FILE = b"\x89PNG\r\n\x1a\n--x\r\n\r\n\x00\xff\r\n"  # with what a form is made of
CHROME = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
TYPE = "multipart/form-data; boundary=x"


def file_of(form, content_type=TYPE):
    body = bytearray(form)
    cut_to_file(body, content_type)
    return bytes(body)


def refused(message, form, content_type=TYPE):
    with pytest.raises(InputError) as error:
        cut_to_file(bytearray(form), content_type)
    assert str(error.value) == message


def form(*parts, end=b"--x--\r\n"):
    return b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + end


def part(content=b"", disposition=b'form-data; name="f"; filename="f"', more=b""):
    return b"Content-Disposition: " + disposition + b"\r\n" + more + b"\r\n" + content


def test_the_forms_that_clients_send():
    """As curl -F, Chrome, requests and aiohttp wrote them, but for the file."""
    plain = b"Content-Type: image/png\r\n"
    cases = [
        (
            "multipart/form-data; boundary=------------------------d74496d66958873e",
            b"--------------------------d74496d66958873e\r\n"
            b'Content-Disposition: form-data; name="file"; filename="a;b.png"\r\n' + plain,
            b"--------------------------d74496d66958873e--\r\n",
        ),
        (
            f"multipart/form-data; boundary={CHROME}",
            b'--%s\r\nContent-Disposition: form-data; name="text"\r\n\r\nfilename="no"\r\n'
            b'--%s\r\nContent-Disposition: form-data; name="f"; filename="%%22a%%22.png"\r\n%s'
            % (CHROME.encode(), CHROME.encode(), plain),
            b"--%s--\r\n" % CHROME.encode(),
        ),
        (
            "multipart/form-data; boundary=b1946ac92492d2347c6235b4d2611184",
            b"--b1946ac92492d2347c6235b4d2611184\r\nContent-Disposition: form-data; "
            b"name=\"file\"; filename*=utf-8''%E6%97%A5.png\r\n",
            b"--b1946ac92492d2347c6235b4d2611184--\r\n",
        ),
        (
            'multipart/form-data; charset=utf-8; boundary="a b:1"',
            b"--a b:1\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b'Content-Disposition: form-data; name="comment"\r\n\r\n\r\n'
            b"--a b:1  \r\nContent-Type: application/octet-stream\r\n"
            b'Content-Disposition: form-data; name="any"; filename="four.png"\r\n'
            b"Content-Transfer-Encoding: binary\r\n",
            b"--a b:1--\r\n",
        ),
        (
            "Multipart/Mixed;Boundary=x; a=b",
            b"--x\r\ncontent-disposition:file;FILENAME=a\r\n",
            b"--x--",
        ),
    ]
    for content_type, head, end in cases:
        assert is_form(content_type)
        content = FILE if "=x" not in content_type else FILE.replace(b"--x", b"-x")
        for preamble, epilogue in ((b"", b""), (b"a preamble\r\n", b"an epilogue")):
            given = preamble + head + b"\r\n" + content + b"\r\n" + end + epilogue
            assert file_of(given, content_type) == content, content_type


def test_the_first_file_is_taken_and_nothing_behind_it_read():
    text = part(b"text", b'form-data; name="a; filename=b"')
    assert file_of(form(text, part(b"one"), part(b"two"))) == b"one"
    assert file_of(form(text, part(b"one"), end=b"--x\r\nnot a form any more")) == b"one"
    assert file_of(form(part(b"", b'form-data; name="f"; filename=""'))) == b""
    folded = part(b"one", b'form-data;\r\n name="f";\r\n\tfilename="f"')
    assert file_of(form(b"\r\nno header", folded)) == b"one"
    assert file_of(form(b"", part(b"one"))) == b"one"  # a part of an empty line
    assert not is_form("image/png; a=multipart/form-data") and not is_form("")


def test_all_files_are_taken_in_order():
    text = part(b"text", b'form-data; name="a"')
    given = bytearray(form(text, part(b"one"), part(b""), text, part(FILE.replace(b"--x", b"-x"))))
    files = files_of(given, TYPE, 3)
    assert [bytes(file) for file in files] == [b"one", b"", FILE.replace(b"--x", b"-x")]


def test_all_files_of_a_form_have_limits():
    def refused_of(message, given, most):
        with pytest.raises(InputError) as error:
            files_of(bytearray(given), TYPE, most)
        assert str(error.value) == message

    text = part(b"text", b'form-data; name="a"')
    refused_of("more than 2 files in the form", form(*[part(b"a")] * 3), 2)
    refused_of("no file in the form", form(text), 2)
    refused_of(f"no file in the first {MAX_PARTS + 2} parts of the form", form(*[text] * 103), 2)
    many = form(part(b"a"), *[text] * (MAX_PARTS + 2))
    refused_of(f"more than {MAX_PARTS + 2} parts in the form", many, 2)
    assert len(files_of(bytearray(form(*[text] * MAX_PARTS, part(b"a"), part(b"b"))), TYPE, 2)) == 2
    refused_of("not a readable body", form(part(b"a"), end=b"--x\r\nnot a form any more"), 2)


def test_a_delimiter_is_found_wherever_it_lies(monkeypatch):
    for block in (1, 2, 7, 64):
        monkeypatch.setattr("gluon_glore.serving.forms._BLOCK", block)
        for length in range(20):
            content = b"\r\n--" * length
            assert file_of(form(part(content))) == content


def test_no_copy_is_made():
    body = bytearray(form(part(bytes(10))))
    cut_to_file(body, TYPE)
    assert body == bytes(10)


def test_what_is_no_form_is_refused():
    unreadable = "not a readable body"
    for content_type in (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        'multipart/form-data; a="; boundary=x"',
        f"multipart/form-data; boundary={'x' * 71}",
    ):
        refused(unreadable, form(part(b"a")), content_type)
    for given in (
        b"",
        b"no form",
        b"a --x\r\n",
        b"--x",
        b"--x\r\n",
        b"--xy\r\n" + part(b"a"),
        b"--x\r\nContent-Disposition: form-data; filename=f\r\n",
        form(part(b"the end is missing"), end=b""),
        form(part(b"a\r\n--xyz"))[:-8],
    ):
        refused(unreadable, given)
    for given in (form(), form(part(b"a", b'form-data; name="filename"')), form(b"A: b\r\n\r\n")):
        refused("no file in the form", given)


def test_what_comes_before_the_file_has_limits():
    text = part(b"text", b'form-data; name="a"')
    assert file_of(form(*[text] * (MAX_PARTS - 1), part(b"one"))) == b"one"
    message = f"no file in the first {MAX_PARTS} parts of the form"
    refused(message, form(*[text] * MAX_PARTS, part(b"one")))
    assert file_of(form(part(b"one", more=b"A: %s\r\n" % (b"b" * (MAX_HEADER - 100))))) == b"one"
    message = f"a part of the form has a header of more than {MAX_HEADER} bytes"
    refused(message, form(part(b"one", more=b"A: %s\r\n" % (b"b" * MAX_HEADER))))
    refused(message, form(part(b"one", more=b"A: b\r\n" * MAX_HEADER)))


def test_an_encoded_file_is_refused_by_name():
    for encoding in ("Base64", "quoted-printable", "foo"):
        more = f"Content-Transfer-Encoding: {encoding}\r\n".encode()
        message = f"send the file without Content-Transfer-Encoding, given {encoding.lower()!r}"
        refused(message, form(part(b"a", more=more)))


def test_any_damage_of_a_form_gives_bytes_of_it_or_a_line():
    whole = form(part(b"text", b'form-data; name="a"'), part(b"one"))
    for at in range(len(whole)):
        for damaged in (whole[:at], whole[:at] + b"\xff" + whole[at + 1 :], whole[at:]):
            try:
                assert file_of(damaged) in damaged
            except InputError as error:
                assert re.fullmatch("(not a readable body|no file in the form|send .*)", str(error))
