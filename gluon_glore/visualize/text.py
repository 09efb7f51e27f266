"""Words in pictures, in the letters that OpenCV has: ASCII, so that accents fall off."""

import unicodedata

import cv2

INK, SOFT = (32, 36, 42), (112, 118, 126)
_FONT, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.46


def write(canvas, text, x, y, color=INK, size=1, align="left"):
    """Write with the line of the letters at y, x its `align`: "left", "middle" or "right" end."""
    text = plain(text)
    x -= {"left": 0, "middle": 0.5, "right": 1}[align] * width(text, size)
    cv2.putText(canvas, text, (round(x), y), _FONT, size * _SIZE, color, 1, cv2.LINE_AA)


def plain(text):
    """The text in the letters that OpenCV has."""
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(letters).encode("ascii", "replace").decode()


def width(text, size=1):
    """Pixels that a plain text takes."""
    return cv2.getTextSize(text, _FONT, size * _SIZE, 1)[0][0]


def fitting(text, room, size=1):
    """The text, cut where it is wider than `room` pixels."""
    text = plain(text)
    if width(text, size) <= room:
        return text
    while text and width(f"{text}...", size) > room:
        text = text[:-1]
    return f"{text.rstrip()}..."


def in_lines(text, room):
    """The text in at most two lines of `room` pixels, broken between words."""
    words = plain(text).split(" ")
    first = words.pop(0)
    while words and width(f"{first} {words[0]}") <= room:
        first += f" {words.pop(0)}"
    return [fitting(line, room) for line in (first, " ".join(words)) if line]
