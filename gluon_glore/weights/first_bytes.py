"""What a file is that is no parameter file, by its first bytes: for messages only."""

HEAD = 512  # bytes that tell
# How a file begins, what else is in its first bytes, and what it then looks like.
_KINDS = (
    (b"PK", b"data.pkl", "a PyTorch file, which is read under the ending .pth"),
    (b"PK", b".npy", "a numpy archive"),
    (b"PK", b"", "a zip archive, unpack it"),
    (b"\x80", b"mxnet", "a trainer's states (Trainer.save_states), which hold no weights"),
    (b"\x80", b"", "a pickle, as PyTorch's old files, which are read under the ending .pth"),
    (b"\x89HDF", b"", "an HDF5 file, as Keras writes"),
    (b"\x0a\x23\xd7\xce", b"", "a .rec file of pictures"),
    (b"\x1f\x8b", b"", "a gzip archive, unpack it or give it under its own ending"),
    (b"version https://git-lfs", b"", "a pointer of Git LFS, git lfs pull brings the file"),
    (b"<", b"", "a web page or XML"),
    (b"{", b"", "JSON, as a symbol: its parameters are in a .params file"),
)


def looks_like(head):
    """What a file of these first bytes looks like, "" where that can't be told."""
    if not head:
        return "an empty file"
    if head[8:10] == b'{"':
        return "a safetensors file, which is read under the ending .safetensors"
    if head[257:262] == b"ustar":
        return "a tar archive, give it under its own ending"
    found = (text for start, inside, text in _KINDS if head.startswith(start) and inside in head)
    return next(found, "")
