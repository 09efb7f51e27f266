"""A Dockerfile as data: what each stage begins with and what is done in it, in order.

    file = read(ROOT / "Dockerfile")
    file.stages["serve"].base, file.stages["serve"].instructions

Only what this project's file uses is known; all else raises ValueError, so that no instruction is
passed over.
"""

import fnmatch
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Tuple

KNOWN = "ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK RUN USER WORKDIR".split()
VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True)
class Stage:
    """What is done, (instruction, its text) in order, on the image or the stage `base`."""

    name: str
    base: str
    instructions: List[Tuple[str, str]]

    def texts(self, instruction):
        """What stands behind each `instruction` of the stage."""
        return [text for name, text in self.instructions if name == instruction]


@dataclass(frozen=True)
class Dockerfile:
    """Stages by name, the last is built unless another is asked for; `arguments` of all FROM."""

    arguments: Dict[str, str]
    stages: Dict[str, Stage]

    @property
    def images(self):
        """The stages that no other is made from: what is built to be run."""
        used = {stage.base for stage in self.stages.values()}
        copied = (copy(text) for stage in self.stages.values() for text in stage.texts("COPY"))
        used |= {source for source, _, _ in copied}
        return [name for name in self.stages if name not in used]


def read(path):
    """The `Dockerfile` in a file."""
    text = re.sub(r"^\s*#.*\n", "", Path(path).read_text(encoding="utf-8"), flags=re.M)
    arguments, stages, stage = {}, {}, None
    for line in re.sub(r"\\\n", "", text).splitlines():
        if not line.strip():
            continue
        name, _, rest = line.strip().partition(" ")
        if name not in KNOWN:
            raise ValueError(f"{path}: {name} is none of {', '.join(KNOWN)}")
        if name == "FROM":
            base, label = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()
            stage = stages[label] = Stage(label, filled(base, arguments), [])
        elif stage is None:  # ARG
            arguments.update([rest.split("=", 1)])
        else:
            stage.instructions.append((name, rest))
    return Dockerfile(arguments, stages)


def filled(text, values):
    """A text with its variables replaced. Raises KeyError for one that nobody set."""
    return VARIABLE.sub(lambda found: values[found[1] or found[2]], text)


def command(text):
    """The words of a command: of its JSON, else those that make a shell run the text."""
    return json.loads(text) if text.startswith("[") else ["/bin/sh", "-c", text]


def copy(text):
    """(the stage, or None for the context; sources; destination) of a COPY."""
    words = shlex.split(text)
    options = [word for word in words if word.startswith("--")]
    stages = [word[len("--from=") :] for word in options if word.startswith("--from=")]
    if len(options) != len(stages):
        raise ValueError(f"COPY {text}: of its options --from alone is known")
    *sources, destination = words[len(options) :]
    return (stages or [None])[0], sources, destination


def check(text):
    """(options, words of the command) of a HEALTHCHECK."""
    options, command_text = re.fullmatch(r"((?:--\S+ )*)CMD (.*)", text).groups()
    return dict(re.findall(r"--([\w-]+)=(\S+)", options)), command(command_text)


def context(root):
    """The files below `root` that a builder is sent: those that .dockerignore leaves, sorted."""
    rules = []
    for line in (root / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            kept = line.startswith("!")
            rule = line[kept:].strip("/")
            if "**" in rule.replace("**/", "", 1) or ("**/" in rule and rule.count("/") > 1):
                raise ValueError(f".dockerignore: {rule}: ** is known before a name alone")
            rules.append((rule, kept))
    return sorted(path for path in _walk(root, root, rules) if not path.is_dir())


def _walk(folder, root, rules):
    """All in a folder that is sent; into what is left out only where a rule brings a part back."""
    for path in folder.iterdir():
        name = path.relative_to(root).as_posix()
        if path.is_dir() and not path.is_symlink():
            back = any(kept and rule.startswith(f"{name}/") for rule, kept in rules)
            if back or _sent(name, rules):
                yield from _walk(path, root, rules)
        elif _sent(name, rules):
            yield path


def _sent(name, rules):
    """Whether a name is sent: the last rule that matches it, or a folder it is in, says so."""
    parents = ["/".join(name.split("/")[:n]) for n in range(1, name.count("/") + 2)]
    sent = True
    for rule, kept in rules:
        if any(_matches(parent, rule) for parent in parents):
            sent = kept
    return sent


def _matches(name, rule):
    """Whether a rule of .dockerignore is about this name; `**/` begins at any depth."""
    if rule.startswith("**/"):
        return fnmatch.fnmatchcase(name.rsplit("/", 1)[-1], rule[3:])
    return name.count("/") == rule.count("/") and fnmatch.fnmatchcase(name, rule)
