"""The README of a zoo entry: its model card as Markdown, and how to load it."""

from ..weights.manifest import clip_of

CARD = "README.md"


def readme(manifest) -> str:
    """The text for an entry of a `Manifest` that has a spec and a card."""
    card, spec, clip = manifest.card, manifest.spec, clip_of(manifest)
    rows = [
        ("network", f"`{manifest.model}`"),
        ("input", "x".join(map(str, spec.input_size)) + f", {spec.in_channels} channels"),
        *([("clips", clip.text)] if clip else []),
        ("pixels", manifest.preprocess.formula),
        ("classes", str(len(manifest.class_names))),
        ("extra units", spec.placement),
        ("BatchNorm eps", f"{spec.eps:g}"),
        ("BatchNorm momentum", f"{spec.momentum:g}"),
        ("origin", card.origin),
        ("source", card.source),
        ("sha256 of the source", card.source_sha256 or "-"),
        ("licence", card.licence),
        ("accuracy claimed", card.claimed),
        ("accuracy measured", card.measured_text),
    ]
    lines = [f"# {manifest.model}", "", "| | |", "|---|---|"]
    lines += [f"| {what} | {_cell(text)} |" for what, text in rows]
    for title, texts in (("Checked", card.checked), ("Changed on the way", card.notes)):
        if texts:
            lines += ["", f"## {title}", "", *(f"- {_cell(text)}" for text in texts)]
    name = next(name for name in manifest.sha256 if name.endswith(".params"))
    lines += [
        "",
        "## Use",
        "",
        "```python",
        "import gluon_glore",
        "",
        f'net = gluon_glore.get_model("{manifest.model}", pretrained="{name}")',
        "```",
        "",
    ]
    return "\n".join(lines)


def _cell(text):
    """A text that stays in its cell of a table, whatever it holds."""
    return " ".join(text.split()).replace("|", "\\|")
