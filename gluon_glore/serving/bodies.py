"""The pictures in a request's body. All is called in decoding threads."""

from ..data.image import decode_image, max_pixels
from ..data.picture_header import read_header
from .forms import cut_to_file, is_form


def picture_of(body, content_type, channels, pixels=None):
    """The picture of a body, a bytearray, or of the first file where that is a form.

    uint8 `(H, W, channels)`. It has at most `pixels` where that is given. Raises InputError as
    `forms.cut_to_file` and `decode_image` do. The body is cut to the picture.
    """
    if is_form(content_type):
        cut_to_file(body, content_type)
    return decode_picture(body, channels, pixels)


def decode_picture(data, channels, pixels=None):
    """`decode_image` of at most `pixels`; without that, of as many as this process decodes."""
    if pixels is not None and pixels < max_pixels():
        read_header(data, pixels)
    return decode_image(data, channels)
