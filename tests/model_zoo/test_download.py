import contextlib
import errno
import fcntl
import gzip
import hashlib
import json
import os
import pty
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

import pytest

from gluon_glore import InputError
from gluon_glore.model_zoo import download as module
from gluon_glore.model_zoo import reach as reaching
from gluon_glore.model_zoo.download import download
from tests.helpers.places import ROOT
from tests.helpers.web_server import Answer, WebServer, redirect

CONTENT = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NO_VALIDATOR = {"ETag": None, "Last-Modified": None}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0.01)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "a.bin").write_bytes(CONTENT)
    with WebServer(folder) as server:
        yield server


@pytest.fixture
def place(tmp_path):
    """Where the file shall lie, in a folder that is not there yet."""
    return tmp_path / "store" / "deep" / "a.bin"


def names(place):
    return sorted(path.name for path in place.parent.iterdir())


def assert_whole(place):
    assert names(place) == ["a.bin"]
    assert place.read_bytes() == CONTENT


def refused(url, place, left=(), **options):
    """The message of a refused download, which leaves the old file and, beside it, only `left`."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"good and old")
    with pytest.raises(InputError) as caught:
        download(url, place, **options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert place.read_bytes() == b"good and old"
    assert names(place) == ["a.bin", *left]
    return message


PARTS = ("a.bin.part", "a.bin.part.json")


def test_a_file_comes_from_the_web_with_its_digest(server, place, capfd):
    assert download(server.url("a.bin"), place) == SHA256
    assert_whole(place)
    assert len(server.requests["a.bin"]) == 1
    assert place.stat().st_mode == (server.folder / "a.bin").stat().st_mode  # as any new file
    assert capfd.readouterr() == ("", "")  # no bar where no terminal is


def test_an_empty_file_and_one_of_unknown_size_come_whole(server, place):
    server.answer("a.bin", Answer(body=b""), Answer(chunked=True), Answer(headers=NO_VALIDATOR))
    download(server.url("a.bin"), place)
    assert place.read_bytes() == b""
    for _ in range(2):
        download(server.url("a.bin"), place)
        assert_whole(place)


@pytest.mark.parametrize("start", ["file://", "file://localhost", "FILE://"])
def test_a_file_comes_from_a_disk(tmp_path, place, start):
    (tmp_path / "ä file#1.bin").write_bytes(CONTENT)
    url = f"{start}{tmp_path}/%C3%A4%20file%231.bin"
    assert download(url, place, sha256=SHA256.upper()) == SHA256
    assert_whole(place)


def test_other_urls_are_refused_naming_what_is_allowed(tmp_path, place):
    for url in ("ftp://a.org/b", "a.bin", "", "s3://a/b", "http://[::1/a.bin"):
        message = refused(url, place)
        assert message == f"{url}: not a URL that starts with https://, http:// or file://"
    assert "allowed" in refused("file://host/a.bin", place)
    assert refused(f"file://{tmp_path}/b", place) == f"file://{tmp_path}/b: no such file"
    assert refused(f"file://{tmp_path}", place).endswith(": a folder, a file is needed")
    assert "has changed" in refused("file:///proc/version", place)  # which says it is empty
    assert "No host supplied" in refused("http:///a.bin", place)


def test_redirections_are_followed_but_not_for_ever(server, place):
    server.answer("old", redirect("/older"))
    server.answer("older", redirect(server.url("a.bin")))
    assert download(server.url("old"), place, sha256=SHA256) == SHA256
    server.answer("old", then=redirect("old"))
    assert refused(server.url("old"), place).endswith("more than 10 redirections")
    server.answer("old", redirect("file:///etc/passwd"))
    assert "allowed is https or http" in refused(server.url("old"), place)


def test_a_redirection_with_an_endless_body_is_followed(server, place):
    endless = Answer(status=302, headers={"Location": "a.bin"}, body=bytes(100), stall=50)
    server.answer("old", endless)
    download(server.url("old"), place, timeout=20.0)
    assert_whole(place)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_redirection_away_from_https_is_refused(server, tmp_path, place, monkeypatch):
    certificate = tmp_path / "both.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -days 2 -keyout"
    command = [*command.split(), tmp_path / "key.pem", "-out", tmp_path / "cert.pem"]
    subprocess.run(
        [*command, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL
    )
    certificate.write_text((tmp_path / "key.pem").read_text() + (tmp_path / "cert.pem").read_text())
    with WebServer(server.folder, certificate) as secure:
        assert "certificate" in refused(secure.url("a.bin"), place, attempts=1)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "cert.pem"))
        secure.answer("near", redirect("a.bin"))
        download(secure.url("near"), place)
        assert_whole(place)
        secure.answer("away", redirect(server.url("a.bin")))
        assert "allowed is https" in refused(secure.url("away"), place)
        server.answer("up", redirect(secure.url("away")))
        secure.answer("away", redirect(server.url("a.bin")))
        assert "allowed is https" in refused(server.url("up"), place)
    assert not server.requests["a.bin"]


def test_the_proxy_of_the_environment_is_used(server, place, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url())
    download("http://files.invalid/a.bin", place)
    assert_whole(place)
    assert server.requests["a.bin"][0]["Host"] == "files.invalid"


def test_a_cut_connection_is_gone_on_from_where_it_ended(server, place):
    server.answer("a.bin", Answer(cut=100_000), Answer(cut=50_000))
    assert download(server.url("a.bin"), place, sha256=SHA256) == SHA256
    assert_whole(place)
    assert server.ranges("a.bin") == [None, "bytes=100000-", "bytes=150000-"]
    assert server.requests["a.bin"][1]["If-Range"].startswith('"')


def test_a_cut_between_chunks_is_noticed(server, place):
    server.answer("a.bin", Answer(cut=100_000, chunked=True))
    download(server.url("a.bin"), place)
    assert_whole(place)
    assert server.ranges("a.bin") == [None, "bytes=100000-"]


def test_a_server_that_is_silent_or_drips_is_asked_again(server, place):
    server.answer("a.bin", Answer(cut=1000, stall=1000), Answer(drip=0.02))
    started = time.monotonic()
    download(server.url("a.bin"), place, timeout=0.5)
    assert_whole(place)
    assert time.monotonic() - started >= 1.0
    _, second, third = server.ranges("a.bin")
    dripped = int(third[len("bytes=") : -1]) - 1000
    assert second == "bytes=1000-" and 0 < dripped < 100


def test_a_small_file_that_drips_comes_whole(server, place):
    server.answer("a.bin", Answer(body=b"ab", drip=0.6))
    download(server.url("a.bin"), place, timeout=1.0, attempts=1)
    assert place.read_bytes() == b"ab"


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_in_trouble_is_asked_again(server, place, status):
    server.answer("a.bin", Answer(status=status), Answer(cut=1000), Answer(status=status))
    download(server.url("a.bin"), place)
    assert_whole(place)
    assert server.ranges("a.bin") == [None, None, "bytes=1000-", "bytes=1000-"]


def test_what_is_no_http_is_asked_again(server, place):
    server.answer("a.bin", Answer(raw=b"no\x0b\x1b HTTP\r\n"), Answer(raw=b""))
    download(server.url("a.bin"), place)
    assert_whole(place)
    server.answer("a.bin", then=Answer(raw=b"no\x0b\x1b HTTP\r\n"))
    message = refused(server.url("a.bin"), place, attempts=2)
    assert message == f"{server.url('a.bin')}: no HTTP, in each of 2 attempts"


def test_a_refusal_is_asked_once(server, place):
    url = server.url("b.bin")
    assert refused(url, place) == f"{url}: status 404 Not Found"
    assert len(server.requests["b.bin"]) == 1
    server.answer("b.bin", Answer(status=202))
    assert refused(url, place) == f"{url}: status 202 Accepted"


def test_a_server_without_ranges_starts_over(server, place):
    server.answer("a.bin", Answer(cut=1000), Answer(ranges=False))
    assert download(server.url("a.bin"), place) == SHA256
    assert server.ranges("a.bin") == [None, "bytes=1000-"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": "bytes 5-299999/300000"},
        {"Content-Range": "bytes 1000-299999/300001"},
        {"Content-Range": None, "Content-Type": "multipart/byteranges"},
        {"ETag": '"other"'},
    ],
)
def test_another_part_than_asked_for_starts_over(server, place, headers):
    server.answer("a.bin", Answer(cut=1000), Answer(headers=headers, if_range=False))
    assert download(server.url("a.bin"), place) == SHA256
    assert_whole(place)
    assert server.ranges("a.bin") == [None, "bytes=1000-", None]


def test_a_file_that_changed_is_not_patched_together(server, place):
    server.answer("a.bin", Answer(cut=1000, body=bytes(300_000)))
    assert download(server.url("a.bin"), place) == SHA256
    assert server.ranges("a.bin") == [None, "bytes=1000-"]


def test_only_what_vouches_for_every_byte_goes_into_if_range(server, place):
    weak = {"ETag": 'W/"1"'}
    server.answer("a.bin", Answer(cut=1000, headers=weak), Answer(headers=weak))
    download(server.url("a.bin"), place)
    assert_whole(place)
    assert server.requests["a.bin"][1]["If-Range"] == "Thu, 01 Jan 1970 00:00:00 GMT"
    assert server.ranges("a.bin") == [None, "bytes=1000-"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_server_that_ends_each_range_early_is_asked_for_the_next(server, place, chunked):
    short = {"Content-Range": "bytes 1000-1999/300000", "Content-Length": "1000"}
    server.answer("a.bin", Answer(cut=1000, chunked=chunked), Answer(headers=short, cut=1000))
    download(server.url("a.bin"), place)
    assert_whole(place)
    assert server.ranges("a.bin") == [None, "bytes=1000-", "bytes=2000-"]


def test_when_attempts_are_used_up_the_next_run_goes_on(server, place):
    url = server.url("a.bin")
    server.answer("a.bin", Answer(cut=100_000), Answer(cut=50_000))
    assert refused(url, place, PARTS, attempts=2) == (
        f"{url}: connection cut after 150000 of 300000 bytes (closed too early); "
        "run again, it goes on from there"
    )
    assert download(url, place, sha256=SHA256) == SHA256
    assert_whole(place)
    assert server.ranges("a.bin")[2:] == ["bytes=150000-"]


def test_the_pauses_between_attempts_grow(server, place, monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0.2)
    server.answer("a.bin", *[Answer(status=500)] * 3)
    started = time.monotonic()
    download(server.url("a.bin"), place)
    assert time.monotonic() - started >= 0.2 + 0.4 + 0.8


def test_without_a_validator_only_the_same_run_goes_on(server, place):
    url = server.url("a.bin")
    server.answer("a.bin", *[Answer(cut=1000, headers=NO_VALIDATOR)] * 2)
    message = refused(url, place, attempts=2)
    assert message.endswith("after 2000 of 300000 bytes (closed too early); run again")
    download(url, place)
    assert_whole(place)
    assert server.ranges("a.bin") == [None, "bytes=1000-", None]


def test_a_part_of_another_url_or_another_file_is_thrown_away(server, place):
    server.answer("b.bin", then=Answer(cut=1000, body=bytes(5000)))
    refused(server.url("b.bin"), place, PARTS, attempts=1)
    download(server.url("a.bin"), place, sha256=SHA256)
    assert_whole(place)
    refused(server.url("b.bin"), place, PARTS, attempts=1)
    (server.folder / "b.bin").write_bytes(CONTENT)
    server.answer("b.bin")
    download(server.url("b.bin"), place, sha256=SHA256)
    assert_whole(place)
    assert server.ranges("b.bin") == [None, None, "bytes=1000-"]


def test_a_note_that_was_half_written_is_worth_nothing(server, place):
    server.answer("a.bin", Answer(cut=1000))
    refused(server.url("a.bin"), place, PARTS, attempts=1)
    note = place.with_name("a.bin.part.json")
    note.write_text(note.read_text()[:-5])
    download(server.url("a.bin"), place)
    assert_whole(place)
    assert server.ranges("a.bin") == [None, None]


@pytest.mark.parametrize("change", [{"size": "x"}, {"size": -1}, {"validator": 7}, {"url": [1]}])
def test_a_note_with_other_values_is_worth_nothing(server, place, change):
    server.answer("a.bin", Answer(cut=1000))
    refused(server.url("a.bin"), place, PARTS, attempts=1)
    note = place.with_name("a.bin.part.json")
    note.write_text(json.dumps({**json.loads(note.read_text()), **change}))
    download(server.url("a.bin"), place)
    assert_whole(place)
    assert server.ranges("a.bin") == [None, None]


def end_halfway(server, place, how):
    """A process that downloads a.bin, ended by a signal when 180,000 bytes lie in .part or more."""
    code = (
        # A shell's background jobs, as CI's may be, start with Ctrl-C ignored.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from gluon_glore.model_zoo.download import download; "
        f"download({server.url('a.bin')!r}, {str(place)!r})"
    )
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    part = place.with_name("a.bin.part")
    try:
        deadline = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size >= 180_000):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(how)
        process.wait(60)
    assert not place.exists()
    return part.stat().st_size


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_after_kill_9_and_ctrl_c_the_next_run_goes_on(server, place, how):
    server.answer("a.bin", Answer(stall=200_000))
    had = end_halfway(server, place, how)
    assert download(server.url("a.bin"), place, sha256=SHA256) == SHA256
    assert_whole(place)
    assert server.ranges("a.bin") == [None, f"bytes={had}-"]


def test_after_kill_9_nothing_goes_on_from_bytes_without_a_validator(server, place):
    stranger = Answer(body=bytes(300_000), headers=NO_VALIDATOR, stall=200_000)
    server.answer("a.bin", Answer(cut=1000), stranger)
    refused(server.url("a.bin"), place, PARTS, attempts=1)
    place.unlink()
    end_halfway(server, place, signal.SIGKILL)
    assert download(server.url("a.bin"), place) == SHA256
    assert server.ranges("a.bin") == [None, "bytes=1000-", None]


def test_a_process_killed_before_it_could_publish_needs_no_server(server, place):
    server.answer("a.bin", Answer(cut=1000))
    refused(server.url("a.bin"), place, PARTS, attempts=1)
    place.with_name("a.bin.part").write_bytes(CONTENT)
    assert download(server.url("a.bin"), place) == SHA256
    assert_whole(place)
    assert len(server.requests["a.bin"]) == 1


def test_what_such_a_process_left_is_held_to_the_limit(server, place):
    server.answer("a.bin", Answer(cut=1000))
    refused(server.url("a.bin"), place, PARTS, attempts=1)
    place.with_name("a.bin.part").write_bytes(CONTENT)
    assert "at most 299999 allowed" in refused(server.url("a.bin"), place, limit=299_999)


def test_a_part_longer_than_the_file_starts_over(server, place):
    server.answer("a.bin", Answer(cut=1000))
    refused(server.url("a.bin"), place, PARTS, attempts=1)
    place.with_name("a.bin.part").write_bytes(CONTENT + b"more")
    assert download(server.url("a.bin"), place) == SHA256
    assert server.ranges("a.bin") == [None, "bytes=300004-", None]


def test_a_length_that_is_never_reached_is_said(server, place):
    server.answer("a.bin", then=Answer(headers={"Content-Length": "300001"}, ranges=False))
    message = refused(server.url("a.bin"), place, PARTS, attempts=3)
    assert "connection cut after 300000 of 300001 bytes (closed too early)" in message


def test_a_server_that_is_not_there_is_named(place):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a.bin"
    message = refused(url, place, attempts=2)
    assert message == f"{url}: Connection refused, in each of 2 attempts"


def test_connecting_takes_no_longer_than_the_timeout(place):
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for client in (first, second):  # nobody accepts: the third one waits outside
            client.setblocking(False)
            assert client.connect_ex(full.getsockname()) in (0, errno.EINPROGRESS)
        started = time.monotonic()
        url = f"http://127.0.0.1:{full.getsockname()[1]}/a.bin"
        assert "timed out" in refused(url, place, timeout=0.3, attempts=1)
        assert time.monotonic() - started < 10


def test_a_server_that_never_answers_is_given_up_in_time_whatever_the_timeouts(place, monkeypatch):
    monkeypatch.setattr(reaching, "REACH", 0.4)
    monkeypatch.setattr(reaching, "_GRACE", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # connected to, and that is all
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.bin"
        started = time.monotonic()
        assert refused(url, place).startswith(f"{url}: ")
        assert 0.3 < time.monotonic() - started < 2


def test_a_header_that_drips_is_no_answer(server, place, monkeypatch):
    """Each byte comes within every limit of requests' own."""
    monkeypatch.setattr(reaching, "REACH", 0.4)
    monkeypatch.setattr(reaching, "_GRACE", 0.1)
    with socket.socket() as dripping:
        dripping.bind(("127.0.0.1", 0))
        dripping.listen()
        url = f"http://127.0.0.1:{dripping.getsockname()[1]}/a.bin"

        def drip():
            connection, _ = dripping.accept()
            with connection, contextlib.suppress(OSError):
                for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20:
                    connection.send(bytes([byte]))
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        started = time.monotonic()
        message = refused(url, place)
        assert message == f"{url}: no answer within 0.4 s, in one attempt"
        assert time.monotonic() - started < 2


def test_a_name_that_is_looked_up_for_ever_is_given_up(place, monkeypatch):
    monkeypatch.setattr(reaching, "REACH", 0.2)
    monkeypatch.setattr(reaching, "_GRACE", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(3))
    started = time.monotonic()
    url = "http://files.invalid/a.bin"
    assert refused(url, place) == f"{url}: no answer within 0.2 s, in one attempt"
    assert time.monotonic() - started < 2


def test_a_server_that_has_answered_once_is_waited_for(server, place, monkeypatch):
    """What is limited is the time to the first answer, not the download's."""
    monkeypatch.setattr(reaching, "REACH", 0.3)
    server.answer("a.bin", Answer(cut=1000), Answer(status=500), Answer(cut=2000, stall=2000))
    assert download(server.url("a.bin"), place, sha256=SHA256, timeout=0.4) == SHA256
    assert server.ranges("a.bin")[1:3] == ["bytes=1000-"] * 2


def test_bytes_that_came_before_stay_where_the_server_is_gone(server, place):
    server.answer("a.bin", Answer(cut=1000))
    refused(server.url("a.bin"), place, PARTS, attempts=1)
    server.__exit__()
    message = refused(server.url("a.bin"), place, PARTS, attempts=1)
    assert message.endswith("Connection refused, in one attempt")


def test_more_bytes_than_allowed_are_refused_before_they_come(server, tmp_path, place):
    server.answer("a.bin", then=Answer(stall=0))
    url = server.url("a.bin")
    line = f"{url}: 300000 bytes or more, at most 299999 allowed"
    assert refused(url, place, limit=299_999) == line
    assert "allowed" in refused(f"file://{server.folder}/a.bin", place, limit=299_999)
    server.answer("a.bin", Answer(cut=1000), then=Answer(stall=0))
    refused(url, place, PARTS, attempts=1)
    assert refused(url, place, limit=299_999, timeout=2.0) == line
    server.answer("a.bin")
    assert download(url, place, limit=300_000) == SHA256


def test_a_server_that_keeps_its_length_to_itself_is_stopped_at_the_limit(server, place):
    for answer in (Answer(headers={"Content-Length": None}), Answer(chunked=True)):
        server.answer("a.bin", answer)
        assert "at most 100000 allowed" in refused(server.url("a.bin"), place, limit=100_000)


@pytest.mark.parametrize(
    "page",
    [
        Answer(headers={"Content-Type": "Text/HTML; charset=utf-8"}, stall=0),
        Answer(body=b"<!DOCTYPE html><title>Sign in</title>"),
        Answer(body=b"\xef\xbb\xbf \r\n<HTML>"),
        Answer(body=b'<?xml version="1.0"?><Error/>', chunked=True),
        Answer(body=b"\n<html>" + bytes(100), drip=0.001),
    ],
)
def test_a_web_page_is_no_file(server, tmp_path, place, page):
    url = server.url("a.bin")
    server.answer("a.bin", page)
    assert refused(url, place) == f"{url}: a web page, not a file"
    assert len(server.requests["a.bin"]) == 1
    if page.body:
        (tmp_path / "saved.zip").write_bytes(page.body)
        assert "a web page" in refused(f"file://{tmp_path}/saved.zip", place)


def test_bytes_come_as_they_are_stored(server, place):
    packed = gzip.compress(CONTENT)
    server.answer("a.bin", Answer(body=packed, headers={"Content-Encoding": "gzip"}))
    assert download(server.url("a.bin"), place) == hashlib.sha256(packed).hexdigest()
    assert place.read_bytes() == packed
    assert server.requests["a.bin"][0]["Accept-Encoding"] == "identity"


def test_another_digest_is_refused_with_both_and_nothing_stays(server, place):
    server.answer("a.bin", Answer(cut=1000))
    for url in (server.url("a.bin"), f"file://{server.folder}/a.bin"):
        message = refused(url, place, sha256="0" * 64)
        assert message == f"{url}: its SHA-256 is {SHA256}, wanted is {'0' * 64}"
    for wrong in (SHA256[:8], SHA256 + "0", "g" * 64, ""):
        assert "64 hexadecimal digits" in refused(server.url("a.bin"), place, sha256=wrong)


def test_a_part_that_was_damaged_is_found_by_the_digest(server, place):
    server.answer("a.bin", Answer(cut=1000))
    refused(server.url("a.bin"), place, PARTS, attempts=1)
    place.with_name("a.bin.part").write_bytes(bytes(1000))
    assert "SHA-256" in refused(server.url("a.bin"), place, sha256=SHA256)
    assert download(server.url("a.bin"), place, sha256=SHA256) == SHA256


def test_a_full_disk_is_one_line_and_the_old_file_stays(server, mount):
    place = mount("size=200k") / "a.bin"
    for url in (server.url("a.bin"), f"file://{server.folder}/a.bin"):
        assert refused(url, place) == f"{place}: No space left on device"


def test_a_place_that_can_not_be_written_is_one_line(server, mount, tmp_path):
    place = mount("ro") / "a.bin"
    with pytest.raises(InputError, match=r"a\.bin.*: Read-only file system$"):
        download(server.url("a.bin"), place)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match="file.*: (File exists|Not a directory)$"):
        download(server.url("a.bin"), tmp_path / "file" / "a.bin")
    with pytest.raises(InputError, match=": a folder, the path of a file is needed"):
        download(server.url("a.bin"), tmp_path)
    assert not server.requests["a.bin"]


def test_a_terminal_sees_a_bar_in_bytes(server, place, monkeypatch):
    server.answer("a.bin", Answer(cut=100_000))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        download(server.url("a.bin"), place)
    seen = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while block := os.read(ours, 1000):
            seen += block
    os.close(ours)
    assert b"a.bin: 100%" in seen and b"293k/293k" in seen and b"B/s" in seen
