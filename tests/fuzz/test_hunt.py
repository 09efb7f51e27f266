import pytest

from tests.fuzz.__main__ import main
from tests.fuzz.hunt import FAULTS, Hunter
from tests.fuzz.kind import case
from tests.fuzz.kinds import find
from tests.fuzz.planted import HARMLESS, NAMES

COUNT = 20
SEED = 219  # whose cases have each fault
FOUND_AS = {
    b"exception": "exception",
    b"crash": "crash",
    b"sleep": "hang",
    b"compute": "hang",
    b"memory": "memory",
    b"too much": "exception",
    b"lines": "message",
}


@pytest.fixture(scope="module")
def hunter():
    with Hunter() as hunter:
        yield hunter


def planted():
    """The planted faults by number."""
    kind = find("planted")
    return [case(kind, "planted", kind.seeds(), SEED, number) for number in range(COUNT)]


def test_every_planted_fault_is_told_with_its_number_and_the_others_go_on(hunter):
    names = planted()
    assert set(names) == {*NAMES, *HARMLESS}
    tally = hunter.run("planted", COUNT, SEED)
    for what in FAULTS:
        expected = [n for n, name in enumerate(names) if FOUND_AS.get(name) == what]
        assert [number for number, _ in tally.faults[what]] == expected, what
    assert tally.cases == COUNT
    assert tally.accepted == names.count(b"accepted") + names.count(b"memory")
    assert tally.refused == names.count(b"refused") + names.count(b"lines")
    assert 299 < tally.peak / 2**20 < 320
    said = {name: text for n, name in enumerate(names) for m, text in all_of(tally) if m == n}
    assert said[b"exception"].startswith("KeyError: 'planted' (planted.py:")
    assert said[b"too much"].startswith("MemoryError") and said[b"memory"].startswith("300 MiB, 16")
    assert said[b"crash"].startswith("SIGSEGV File ") and "planted.py" in said[b"crash"]
    assert said[b"sleep"].startswith("SIGABRT File ") and "planted.py" in said[b"sleep"]
    assert said[b"compute"].startswith("SIGXCPU File ") and "planted.py" in said[b"compute"]


def all_of(tally):
    return [fault for found in tally.faults.values() for fault in found]


def test_what_all_cases_leave_behind_together_is_told(hunter):
    tally = hunter.run("planted-kept", 40)
    ((number, text),) = tally.faults["memory"]
    assert number == 39 and text.endswith("left behind by all cases")
    assert not hunter.run("planted-kept", 5).bad


def test_the_program_tells_and_saves_a_case_again_by_its_number(capsys, tmp_path):
    number = planted().index(b"exception")
    one = ["planted", "--seed", str(SEED), "--count", "1", "--markdown"]
    assert main([*one, "--from", str(number), "--save", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    cells = [cell.strip() for cell in out.splitlines()[-1].strip("|").split("|")]
    assert cells[:7] == ["planted", "1", "0", "0", "0", "0", "1"]
    assert f"planted exception, 1 of them, number {number}: KeyError" in err
    (file,) = tmp_path.rglob("*input")
    assert file.read_bytes() == b"exception" and str(number) in file.parent.name
    assert main([*one, "--from", str(planted().index(b"refused"))]) == 0
