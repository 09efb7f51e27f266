"""tools/audit.py says which known advisories have no answer, and never that all is well unasked."""

import importlib.util
import json
import sys

import pytest

from tests.helpers.places import ROOT

HOROVOD = {
    "id": "GHSA-aaaa-bbbb-cccc",
    "aliases": ["CVE-2024-10190"],
    "fix_versions": [],
    "description": "...",
}
UNHEARD = {**HOROVOD, "id": "CVE-2099-1", "aliases": [], "fix_versions": ["9.1", "8.2"]}
FINE = {"name": "fine", "version": "1.0", "vulns": []}
SILENT = {"name": "silent", "skip_reason": "not found on PyPI"}


def known(*vulns):
    return {"name": "horovod", "version": "0.28.1", "vulns": list(vulns)}


@pytest.fixture
def audit():
    spec = importlib.util.spec_from_file_location("audit", ROOT / "tools/audit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def folder(tmp_path, output):
    """A folder with a pip-audit that prints `output`, a report or a text, and complains."""
    text = output if isinstance(output, str) else json.dumps({"dependencies": output})
    (tmp_path / "report").write_text(text)
    tool = tmp_path / "bin/pip-audit"
    tool.parent.mkdir()
    tool.write_text(
        f"#!/bin/sh\ncat {tmp_path}/report\necho first >&2\necho no route >&2\nexit 1\n"
    )
    tool.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("report", "code", "said"),
    [
        ([FINE, known()], 0, "audit: 2 packages audited, 0 not; 0 advisories answered"),
        ([known(HOROVOD)], 0, "no version: answered in docs/security.md"),
        ([known(HOROVOD, UNHEARD)], 1, "CVE-2099-1, fixed in 9.1, 8.2: NOT ANSWERED"),
        ([FINE, SILENT], 1, "NOT AUDITED: silent: not found on PyPI"),
    ],
)
def test_what_is_not_answered_ends_with_1(audit, tmp_path, capsys, report, code, said):
    with pytest.raises(SystemExit) as end:
        audit.main(folder(tmp_path, report))
    assert int(end.value.code) == code
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ([SILENT], "PyPI answered for none of 1 packages; first silent: not found on PyPI"),
        ("", "pip-audit says no route"),
    ],
)
def test_silence_is_no_answer(audit, tmp_path, output, why):
    with pytest.raises(SystemExit) as end:
        audit.main(folder(tmp_path, output))
    assert end.value.code == f"audit: nothing was audited: {why}"


def test_a_pip_audit_that_cannot_be_installed(audit, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SystemExit) as end:
        audit.main(tmp_path)
    assert end.value.code.startswith("audit: nothing was audited: pip-audit==2.10.1 can't be")
