"""Lists of pictures and videos, in all forms."""

from pathlib import Path

from gluon_glore.data.lists.labelled_files import PICTURE, VIDEO, labelled_files

from .kind import MIB, Kind
from .mutate import changes, mutate_bytes

_FILES = ("v_1.JPEG", "v_2.JPEG", "in/c d/-x_000001_000011.mp4", "in/c d/1.mp4")
_BOX = "0\t32\t44\t62"
_LISTS = (
    "v_1.JPEG 1\nv_2.JPEG 0\ngone.JPEG 1\n",
    "\ufeffv_1.JPEG\tcat\r\nv_2.JPEG\tdog\r\n\r\n# of two\r\n",
    'v_1.JPEG,0\n"v, 2.JPEG",1\n',
    "0\t1.000000\tv_1.JPEG\n1\t0.000000\tv_2.JPEG\n",
    f"v_1.JPEG\tn01440764\t{_BOX}\nv_2.JPEG\tn01443537\t{_BOX}\n",
    "ImageId,PredictionString\nv_1,n01440764 1 2 3 4 \nv_2,n01443537 1 2 3 4 n01443537 5 6 7 8\n",
    "label,youtube_id,time_start,time_end,split\nc d,-x,1,11,train\ne,y,1,11,val\n",
    "c d/1.mp4 30 0\nc d/-x_000001_000011.mp4 300 1\n",
    "c d/1.mp4\nc d/-x_000001_000011.mp4\n",
)
_PARTS = ("0", "-1", "2", "99", "1.5", "1e3", "9" * 19, "nan", "", "n01440764", "cat", "v_1.JPEG")
_PARTS += (
    "a.mp4",
    "train",
    "\0",
    "/",
    "..",
    "~",
    '"',
    "#",
    "\ufeff",
    "\x85",
    "\x1b[2J",
    "x" * 3000,
)
_SIGNS = "\t ,\n/."


def mutate_lines(rng, seeds):
    """A list with fields, signs or lines changed; of two lists at times."""
    if rng.random() < 0.3:
        return mutate_bytes(rng, seeds)
    lines = rng.choice(seeds).decode().split("\n")
    for _ in range(changes(rng)):
        at = rng.randrange(len(lines))
        sign, other = rng.choice(_SIGNS), rng.choice(_SIGNS)
        fields = lines[at].split(sign)
        kind = rng.randrange(5)
        if kind == 0:
            lines[at] = lines[at].replace(sign, other) if sign in lines[at] else lines[at] + other
        elif kind == 1:
            fields[rng.randrange(len(fields))] = rng.choice(_PARTS)
            lines[at] = sign.join(fields)
        elif kind == 2:
            rng.shuffle(fields)
            lines[at] = sign.join(fields)
        elif kind == 3:
            lines[at] = rng.choice(
                (lines[at][: rng.randrange(len(lines[at]) + 1)], lines[at] * 2 + "x")
            )
        else:
            lines.insert(at, rng.choice(rng.choice(seeds).decode().split("\n")))
    return "\n".join(lines).encode()


def read_list(data, folder):
    """Read a list beside its files."""
    folder = Path(folder)
    if not (folder / _FILES[-1]).exists():
        (folder / _FILES[-1]).parent.mkdir(parents=True)
        for name in _FILES:
            (folder / name).touch()
    (folder / "list.txt").write_bytes(data)
    kind = VIDEO if b".mp4" in data or b"youtube" in data else PICTURE
    names = ("c d", "e") if kind is VIDEO else None
    files = labelled_files(folder / "list.txt", kind, names)
    assert len(files.paths) == len(files.labels) > 0
    assert all(0 <= label < len(files.class_names) for label in files.labels)


ROWS = {
    "list": Kind(
        lambda: [text.encode() for text in _LISTS],
        mutate_lines,
        read_list,
        memory=32 * MIB,
        share=2,
    ),
}
