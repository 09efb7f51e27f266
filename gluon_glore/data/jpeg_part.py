"""What of a JPEG is decoded for a part of it: rows down to the part's last, no larger than needed.

A decoder reads a JPEG from the top down and stops at the height that the frame declares, so a
smaller height is all that is needed to stop earlier. The pixels stay the same, to the bit. The mark
of the end is left out, for OpenCV's decoder looks for it behind the last row: it complains of bytes
before it, but not where they run dry. Where it wants bytes for pixels, that is no picture.
"""

import struct

import numpy as np

# Rows that are decoded below the last one that counts: colour that is stored at half the height is
# interpolated between its rows.
_BELOW = 4
_MOST = 0.9  # of the rows: to decode fewer pays for the copy of the file
_END = b"\xff\xd9"


def first_rows(header, rows):
    """The `Header` of a shorter JPEG that has the first `rows` of another `Header`'s picture.

    It has some more; `header` itself is returned where the picture is stored in another way, has no
    end, or hardly more rows.
    """
    jpeg, rows = header.jpeg, rows + _BELOW
    if not jpeg.one_piece or jpeg.turn > 1 or rows > header.height * _MOST:
        return header
    end = _find(header.data, _END, jpeg.scan)
    if end is None:
        return header
    data = bytearray(header.data)
    struct.pack_into(">H", data, jpeg.frame + 1, rows)
    del data[end:]
    return header._replace(height=rows, data=data)


def reduction(part, least):
    """How many times smaller a JPEG may be decoded, 1, 2, 4 or 8.

    The `part`, (top, left, height, width), has no side shorter than those of `least` then, (height,
    width); 1 where that is None. A decoder computes 64, 16, 4 or 1 pixels of each block.
    """
    sides = zip(part[2:], least or part[2:])
    room = min(side // wanted for side, wanted in sides)
    return max(times for times in (1, 2, 4, 8) if times <= max(room, 1))


def _find(data, pair, start):
    """Where two bytes first stand behind `start`, None for nowhere.

    Five times faster than `bytes.find` in what a JPEG is made of.
    """
    wanted, places = np.frombuffer(pair, np.uint16)[0], []
    for first in (start, start + 1):
        found = np.frombuffer(data, np.uint16, (len(data) - first) // 2, first) == wanted
        place = int(found.argmax()) if len(found) else 0
        if len(found) and found[place]:
            places.append(first + 2 * place)
    return min(places, default=None)
