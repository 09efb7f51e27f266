"""Text in pictures, in the letters that OpenCV has: ASCII, so accents are dropped.

Not matplotlib's: `predict --out` and `show` work with the base installation, which has OpenCV for
decoding and no matplotlib, and these pictures are tiles that figures and axes would resample.
"""

import unicodedata

import cv2

INK, SOFT = (32, 36, 42), (112, 118, 126)  # of text on white: strong, weak
_FONT, _SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.46


def draw_text(canvas, text, x, y, color=INK, size=1, align="left"):
    """Draw text whose baseline is at pixel row y; x is its "left", "middle" or "right" end."""
    text = to_ascii(text)
    x -= {"left": 0, "middle": 0.5, "right": 1}[align] * text_width(text, size)
    cv2.putText(canvas, text, (round(x), y), _FONT, size * _SCALE, color, 1, cv2.LINE_AA)


def to_ascii(text):
    """The text without accents; a letter that OpenCV does not have becomes a question mark."""
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(letters).encode("ascii", "replace").decode()


def text_width(text, size=1):
    """The width of an ASCII text in pixels."""
    return cv2.getTextSize(text, _FONT, size * _SCALE, 1)[0][0]


def shorten(text, room, size=1):
    """The text as ASCII, cut off with "..." where it is wider than `room` pixels."""
    text = to_ascii(text)
    if text_width(text, size) <= room:
        return text
    while text and text_width(f"{text}...", size) > room:
        text = text[:-1]
    return f"{text.rstrip()}..."


def wrap(text, room):
    """The text as one or two lines of at most `room` pixels, broken between words."""
    words = to_ascii(text).split(" ")
    first = words.pop(0)
    while words and text_width(f"{first} {words[0]}") <= room:
        first += f" {words.pop(0)}"
    return [shorten(line, room) for line in (first, " ".join(words)) if line]
