"""Known advisories of the versions in constraints.txt: `make audit`, tools/audit.py FOLDER.

pip-audit, which FOLDER is made to hold, asks PyPI about each version. Advisories that
docs/security.md names have their answer there. The exit code is 0 where there are no others, and 1
where there are, or where a version could not be asked about: silence is no answer.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOL = "pip-audit==2.10.1"
ANSWERS = "docs/security.md"


def main(folder):
    """Print what is known of each pinned version; exit with 1 where that is not answered."""
    report = audit(installed(Path(folder)))
    asked = [row for row in report if "skip_reason" not in row]
    missed = [f"{row['name']}: {row['skip_reason']}" for row in report if "skip_reason" in row]
    if not asked:
        fail(f"PyPI answered for none of {len(report)} packages; first {missed[0]}")
    text = (ROOT / ANSWERS).read_text(encoding="utf-8")
    answered = set(re.findall(r"\b(?:CVE-\d+-\d+|PYSEC-\d+-\d+|GHSA(?:-\w{4}){3})\b", text))
    known = new = 0
    for row in asked:
        for advisory in row["vulns"]:
            names = [advisory["id"], *advisory["aliases"]]
            fixed = ", ".join(advisory["fix_versions"]) or "no version"
            open_ = answered.isdisjoint(names)
            known, new = known + (not open_), new + open_
            answer = "NOT ANSWERED" if open_ else f"answered in {ANSWERS}"
            print(f"{row['name']} {row['version']}: {' '.join(names)}, fixed in {fixed}: {answer}")
    for line in missed:
        print(f"NOT AUDITED: {line}")
    print(
        f"audit: {len(asked)} packages audited, {len(missed)} not; "
        f"{known} advisories answered in {ANSWERS}, {new} not"
    )
    sys.exit(1 if new or missed else 0)


def installed(folder):
    """pip-audit's path in `folder`, an environment that is made where there is none."""
    tool = folder / "bin/pip-audit"
    if not tool.exists():
        for command in (["venv", folder], ["pip", "--python", folder, "install", "--quiet", TOOL]):
            if subprocess.run([sys.executable, "-m", *command]).returncode:
                fail(f"{TOOL} can't be installed in {folder}")
    return tool


def audit(tool):
    """What pip-audit says of each version: a list of dicts."""
    command = [tool, "--requirement", ROOT / "constraints.txt", "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        return json.loads(done.stdout)["dependencies"]
    except ValueError:
        fail(f"pip-audit says {(done.stderr.strip() or 'nothing').splitlines()[-1]}")


def fail(why):
    """End with 1, in one line that says that nothing was audited."""
    sys.exit(f"audit: nothing was audited: {why}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: tools/audit.py FOLDER")
    main(sys.argv[1])
