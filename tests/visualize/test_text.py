import numpy as np

from gluon_glore.visualize.text import draw_text, shorten, text_width, to_ascii, wrap


def test_text_is_cut_to_its_room_and_broken_between_words():
    assert to_ascii("café – ß") == "cafe ? ?"
    assert shorten("short", 500) == "short"
    cut = shorten("a very long name of something", 100)
    assert cut.endswith("...") and text_width(cut) <= 100
    assert wrap("playing an instrument", 120) == ["playing an", "instrument"]


def test_text_ends_where_it_is_aligned_to():
    for align, side in (("left", slice(0, 98)), ("right", slice(102, 200))):
        canvas = np.zeros((40, 200, 3), np.uint8)
        draw_text(canvas, "words", 100, 25, (255, 255, 255), align=align)
        assert canvas.any() and not canvas[:, side].any()
