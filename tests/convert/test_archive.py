import bz2
import gzip
import lzma
import os
import subprocess
import tarfile
import tracemalloc
import zlib
from pathlib import Path

import pytest

from gluon_glore import InputError
from gluon_glore.convert import archive, tar_members
from gluon_glore.convert.archive import extract_release, find_release

SYMBOL, PARAMS = b'{"nodes": []}', bytes(range(256)) * 40
PAIR = {"code/net-symbol.json": SYMBOL, "code/net-0120.params": PARAMS}
BOMB_LIMIT = 48 << 20
OPENERS = {"": open, ".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def member(name, data=b"", **attributes):
    """A member of a tar, of any type, and its data."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, data


def members(files):
    return [member(name, data) for name, data in files.items()]


def tar(path, entries, format=tarfile.GNU_FORMAT, opener=open):
    """Write an archive of members, however odd."""
    with opener(path, "wb") as file:
        for info, data in entries:
            file.write(info.tobuf(format, "utf-8", "surrogateescape"))
            file.write(data + bytes(-len(data) % 512))
        file.write(bytes(1024))
    return path


@pytest.fixture
def refused(tmp_path):
    """`refused(archive, message)`: one line says why, and nothing is left behind."""

    def check(path, message, **limits):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(InputError, match=message) as error:
            extract_release(path, tmp_path / "out", **limits)
        assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
        assert sorted(tmp_path.rglob("*")) == before

    return check


def taken(path, directory):
    """(symbol, parameters) as bytes, nothing else being there."""
    symbol, params = extract_release(path, directory)
    assert (symbol, params) == (directory / "symbol.json", directory / "weights.params")
    assert sorted(directory.iterdir()) == [symbol, params]
    return symbol.read_bytes(), params.read_bytes()


@pytest.mark.parametrize("suffix", OPENERS)
@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_two_files_are_taken_out_of_archives_of_all_kinds(tmp_path, suffix, format):
    folder = "a folder of some length, " * 3 + "é/" + "b" * 70
    extra = {"README.md": b"hello", f"{folder}/train.py": b"x" * 600}
    files = {**extra, **{f"{folder}/{Path(name).name}": data for name, data in PAIR.items()}}
    path = tar(tmp_path / f"a.tar{suffix}", members(files), format, OPENERS[suffix])
    with tarfile.open(path) as archive_file:  # what is written here is an honest archive
        assert archive_file.getnames() == list(files)
    assert taken(path, tmp_path / "deep" / "out") == (SYMBOL, PARAMS)


def test_an_archive_made_by_tarfile_of_a_real_folder_is_read(tmp_path):
    for name, data in {**PAIR, "code/._net-symbol.json": b"junk", "code/a.py": b"1"}.items():
        (tmp_path / "release" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "release" / name).write_bytes(data)
    (tmp_path / "release" / "latest").symlink_to("code")
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as file:
        file.add(tmp_path / "release", ".")
    assert taken(tmp_path / "a.tgz", tmp_path / "out") == (SYMBOL, PARAMS)
    assert find_release(tmp_path / "release") == tuple(tmp_path / "release" / name for name in PAIR)


def test_what_was_extracted_before_is_replaced(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "precious").write_bytes(b"precious")
    (out / "symbol.json").symlink_to(tmp_path / "precious")
    (out / "weights.params").write_bytes(b"old")
    assert taken(tar(tmp_path / "a.tar", members(PAIR)), out) == (SYMBOL, PARAMS)
    assert (tmp_path / "precious").read_bytes() == b"precious"


def spread(names, path, folder):
    """Files that hold their own names, in an archive and in a folder."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    tar(path, [member(name, name.encode()) for name in names])


@pytest.mark.parametrize(
    ("names", "symbol", "params"),
    [
        # one of each, whatever their names
        ("m/symbol_v2.json x.params a.json", "m/symbol_v2.json", "x.params"),
        # the highest epoch
        ("n-symbol.json n-0009.params n-0100.params", "n-symbol.json", "n-0100.params"),
        ("n-symbol.json n-0001.params n.params", "n-symbol.json", "n-0001.params"),
        ("symbol.json n-0001.params n-0002.params", "symbol.json", "n-0002.params"),
        # the prefix they share, in whatever folder
        ("b/n-symbol.json a-0009.params c/n-0001.params", "b/n-symbol.json", "c/n-0001.params"),
        ("a-symbol.json n-symbol.json n-0001.params", "n-symbol.json", "n-0001.params"),
        ("n-symbol.json n-0001.params ._n-0009.params", "n-symbol.json", "n-0001.params"),
        # a hash is no epoch
        ("n-symbol.json n-0ef8ed2d.params", "n-symbol.json", "n-0ef8ed2d.params"),
    ],
)
def test_the_one_network_is_chosen(tmp_path, names, symbol, params):
    spread(names.split(), tmp_path / "a.tar", tmp_path / "in")
    expected = symbol.encode(), params.encode()
    assert taken(tmp_path / "a.tar", tmp_path / "out") == expected
    assert find_release(tmp_path / "in") == (tmp_path / "in" / symbol, tmp_path / "in" / params)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("n-0001.params", r"has no \*-symbol.json"),
        ("n-symbol.json", r"has no \*.params"),
        ("train.py", r"has no \*-symbol.json"),
        ("._n-symbol.json n-0001.params", r"has no \*-symbol.json"),
        ("a-symbol.json b-0001.params c-0001.params", "share a prefix: a-symbol.json, b-0001"),
        (
            "a-symbol.json a-0001.params b-symbol.json b-0002.params",
            "several networks: a-symbol.json, b-symbol.json; ",
        ),
        (
            "a/n-symbol.json b/n-symbol.json n-0001.params",
            "several networks: a/n-symbol.json, b/n-symbol.json; ",
        ),
        (
            "n-symbol.json a/n-0002.params b/n-0002.params n-0001.params",
            "several networks: a/n-0002.params, b/n-0002.params; ",
        ),
    ],
)
def test_none_and_several_networks_are_refused(tmp_path, refused, names, message):
    spread(names.split(), tmp_path / "a.tar", tmp_path / "in")
    refused(tmp_path / "a.tar", message)
    with pytest.raises(InputError, match=message):
        find_release(tmp_path / "in")


def test_a_name_that_is_twice_in_an_archive_is_refused(tmp_path, refused):
    path = tar(tmp_path / "a.tar", members(PAIR) + members(PAIR))
    refused(path, "holds several networks: .*; unpack it and give one folder")


def test_a_folders_links_and_pipes_are_passed_over(tmp_path):
    folder, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    spread(["code/n-symbol.json", "code/n-0001.params"], tmp_path / "a.tar", folder)
    spread(["m-symbol.json", "m-0001.params"], tmp_path / "b.tar", elsewhere)
    (folder / "code" / "n-0002.params").symlink_to(elsewhere / "m-0001.params")
    (folder / "more").symlink_to(elsewhere)
    os.mkfifo(folder / "n-0003.params")
    expected = folder / "code" / "n-symbol.json", folder / "code" / "n-0001.params"
    assert find_release(folder) == expected
    for name, words in (("none", "no such folder"), ("a.tar", "a file, a folder is needed")):
        with pytest.raises(InputError, match=f"{name}: {words}"):
            find_release(tmp_path / name)


def test_what_is_no_tar_is_refused(tmp_path, refused):
    refused(tmp_path / "none.tar", "no such archive")
    for content in (b"", b"<html>not found</html>", os.urandom(5000), gzip.compress(b"x" * 5000)):
        (tmp_path / "a.tar").write_bytes(content)
        refused(tmp_path / "a.tar", "not a tar archive")


@pytest.mark.parametrize("suffix", OPENERS)
def test_an_archive_cut_anywhere_is_refused(tmp_path, refused, suffix):
    files = {"readme": os.urandom(700), **PAIR, "last.py": b"1"}
    whole = tar(tmp_path / "a.tar", members(files), opener=OPENERS[suffix]).read_bytes()
    end = len(whole) if suffix else len(whole) - 1023  # a single zero block is an end mark, too
    for length in {*range(0, end, 97), end - 1}:
        (tmp_path / "cut.tar").write_bytes(whole[:length])
        refused(tmp_path / "cut.tar", "(truncated|damaged|not a tar) archive")


def test_any_changed_byte_of_a_header_is_refused_or_changes_no_file(tmp_path):
    whole = tar(tmp_path / "a.tar", members(PAIR)).read_bytes()
    for place in range(512):
        changed = bytearray(whole)
        changed[place] ^= 0x15
        (tmp_path / "b.tar").write_bytes(changed)
        try:
            assert taken(tmp_path / "b.tar", tmp_path / "out") == (SYMBOL, PARAMS)
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_a_changed_byte_of_compressed_data_is_refused(tmp_path, refused, suffix):
    entries = members({**PAIR, "random": os.urandom(3000)})
    whole = tar(tmp_path / f"a.tar{suffix}", entries, opener=OPENERS[suffix]).read_bytes()
    for place in range(len(whole) // 2, len(whole), 61):
        changed = bytearray(whole)
        changed[place] ^= 0xFF
        (tmp_path / "b.tar").write_bytes(changed)
        refused(tmp_path / "b.tar", "(damaged|truncated|not a tar) archive")


@pytest.mark.parametrize("name", ["../x.py", "a/../../x.py", "a/..", "/etc/x.py", "../net.params"])
@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_paths_that_lead_out_are_refused(tmp_path, refused, name, format):
    for path in (name, name + "/" + "y" * 120):  # in the header; in one of its own
        entries = members(PAIR) + [member(path, b"x")]
        refused(tar(tmp_path / "a.tar", entries, format), "leads out of the archive")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (tarfile.CHRTYPE, "x is neither file, folder nor link"),
        (tarfile.BLKTYPE, "x is neither"),
        (tarfile.FIFOTYPE, "x is neither"),
        (b"M", "x is neither"),
        (tarfile.GNUTYPE_SPARSE, "x is a sparse file"),
    ],
)
def test_devices_pipes_and_sparse_files_are_refused(tmp_path, refused, kind, message):
    entries = members(PAIR) + [member("x", type=kind)]
    refused(tar(tmp_path / "a.tar", entries), message)


def test_a_sparse_file_as_gnu_tar_writes_it_is_refused(tmp_path, refused):
    with open(tmp_path / "net-0001.params", "wb") as file:
        file.seek(100 << 20)
        file.write(b"1")
    for format in ("gnu", "posix"):
        command = ["tar", "-cSf", "a.tar", f"--format={format}", "net-0001.params"]
        subprocess.run(command, cwd=tmp_path, check=True)
        assert (tmp_path / "a.tar").stat().st_size < 1 << 20
        refused(tmp_path / "a.tar", "is a sparse file")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("name", ["code/net-0121.params", "a-symbol.json"])
def test_a_link_in_the_place_of_a_file_is_refused(tmp_path, refused, kind, name):
    entries = members(PAIR) + [member(name, type=kind, linkname="/etc/passwd")]
    refused(tar(tmp_path / "a.tar", entries), f"{name} is a link")


def test_nothing_of_other_links_is_written(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    links = [
        member("code", type=tarfile.SYMTYPE, linkname=str(tmp_path / "elsewhere")),
        member("weights.params.txt", type=tarfile.LNKTYPE, linkname="../../precious"),
        member("symbol.jso", type=tarfile.SYMTYPE, linkname="../" * 90 + "etc/passwd"),
    ]
    path = tar(tmp_path / "a.tar", links + members(PAIR))
    assert taken(path, tmp_path / "out") == (SYMBOL, PARAMS)
    assert not any((tmp_path / "elsewhere").iterdir())


def test_sizes_above_the_limits_are_refused_before_they_are_read(tmp_path, refused):
    for format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        huge = member("net-0121.params", size=100 * 10**9)
        path = tar(tmp_path / "a.tar", members(PAIR) + [huge], format)
        refused(path, "net-0121.params is declared to be 100000000000 bytes")
    symbol = member("net-symbol.json", size=archive.SYMBOL_LIMIT + 1)
    refused(tar(tmp_path / "a.tar", [symbol]), "33554433 bytes, a symbol at most 33554432")
    negative = member("net-0121.params", size=-512)
    refused(tar(tmp_path / "a.tar", [negative]), "net-0121.params has -512 bytes")
    path = tar(tmp_path / "a.tar", members(PAIR))
    size = path.stat().st_size
    refused(path, f"unpacks to more than {size - 1} bytes", limit=size - 1)
    extract_release(path, tmp_path / "out", limit=size)


def test_more_members_than_any_release_has_are_refused(tmp_path, refused):
    headers = tarfile.TarInfo("x").tobuf() * (tar_members.MAX_HEADERS + 1)
    (tmp_path / "a.tar").write_bytes(headers + bytes(1024))
    refused(tmp_path / "a.tar", "more than 100000 members")


def pax(*records):
    """A member of further attributes, as given."""
    return member("pax", b"".join(records), type=tarfile.XHDTYPE)


@pytest.mark.parametrize(
    "attributes",
    [
        b"no number\n",
        b"99 path=x\n",
        b"-9 path=x\n",
        b"0 path=x\n",
        b"9" * 5000 + b" path=x\n",
        b"1",
        b"12 size=abc\n",
        b"12 size=-99\n",
    ],
)
def test_odd_attributes_are_refused(tmp_path, refused, attributes):
    refused(tar(tmp_path / "a.tar", [pax(attributes), *members(PAIR)]), "damaged archive")


def test_a_chain_of_headers_is_followed_without_recursion(tmp_path):
    many = [pax(b"13 mtime=123\n")] * 3000
    path = tar(tmp_path / "a.tar", many + members(PAIR))
    assert taken(path, tmp_path / "out") == (SYMBOL, PARAMS)


def test_long_headers_are_refused(tmp_path, refused):
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XGLTYPE):
        long = member("long", bytes(1 << 17), type=kind)
        path = tar(tmp_path / "a.tar", [long, *members(PAIR)])
        refused(path, "a header of 131072 bytes, at most 65536")


def test_odd_names_stay_in_one_line(tmp_path, refused):
    name = "a\n\x1b[2J\udc80-0001.params"
    link = member(name, type=tarfile.SYMTYPE, linkname="x")
    refused(tar(tmp_path / "a.tar", [link]), r"'a\\n\\x1b\[2J\\udc80-0001.params' is a link")


def test_a_disk_without_room_leaves_nothing(tmp_path, mount):
    path = tar(tmp_path / "a.tar", members({**PAIR, "code/net-0120.params": bytes(1 << 20)}))
    small = mount("size=200k")
    with pytest.raises(InputError, match="No space left"):
        extract_release(path, small)
    assert not any(small.iterdir())


def greedy_xz(data):
    """An .xz stream whose header asks for 2 GiB of memory to be unpacked."""
    stream = bytearray(lzma.compress(data))
    size = (stream[12] + 1) * 4  # of the block's header: flags, filter 0x21, 1 byte: its memory
    assert stream[14:16] == b"\x21\x01"
    stream[16] = 38
    stream[12 + size - 4 : 12 + size] = zlib.crc32(stream[12 : 12 + size - 4]).to_bytes(4, "little")
    return bytes(stream)


def bombs():
    """(content of a small file that asks for much memory or disk, how it is refused) by name."""
    header = tarfile.TarInfo("net-0001.params")
    header.size = 40 << 20
    bomb = header.tobuf() * 2 + bytes(80 << 20)
    long = member("long", size=40 << 20, type=tarfile.GNUTYPE_LONGNAME)[0].tobuf()
    much = f"unpacks to more than {BOMB_LIMIT} bytes"
    return {
        "a.gz": (gzip.compress(bomb, 1), much),
        "a.bz2": (bz2.compress(bomb), much),
        "a.xz": (lzma.compress(bomb, preset=0), much),
        "after_the_end.gz": (gzip.compress(bytes(80 << 20), 1), much),
        "header.gz": (gzip.compress(long + bytes(40 << 20), 1), "a header of 41943040 bytes"),
        "greedy.xz": (greedy_xz(bomb), "Memory usage limit exceeded"),
    }


def test_bombs_are_refused_with_little_memory(tmp_path, refused):
    for name, (content, message) in bombs().items():
        path = tmp_path / name
        path.write_bytes(content)
        assert path.stat().st_size < 1 << 20
        tracemalloc.start()
        refused(path, message, limit=BOMB_LIMIT)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 16 << 20, (name, peak)
