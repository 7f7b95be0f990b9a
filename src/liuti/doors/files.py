"""What may come in with an issue: a file is known by its bytes, and a picture leaves its secrets at the door.

Pure and heavy: half a second and 100 MB for a 50-megapixel JPEG, up to 5 s and 800 MB for a PNG or
WebP of that size. Call `accept` off the event loop (`asyncio.to_thread`) and only a few at a time.
"""

import hashlib
import re
import struct
import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import ExifTags, Image
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from liuti.flow.kernel import Refused

# The picture's own class and not `Image.open`: that one warns about large pictures through a
# process-wide switch, where here each upload is measured against the limits it was given.
_PICTURES: Final[tuple[tuple[re.Pattern[bytes], Callable[[BytesIO], ImageFile]], ...]] = (
    (re.compile(rb"\xff\xd8\xff"), JpegImageFile),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PngImageFile),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), WebPImageFile),
    (re.compile(rb"GIF8[79]a"), GifImageFile),
)
# What Pillow's readers are known to raise on damaged bytes.
_BROKEN: Final = (
    OSError, SyntaxError, ValueError, IndexError, KeyError, TypeError, EOFError, OverflowError, struct.error,
    zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SUFFIX: Final = {"image/jpeg": ".jpg", "image/png": ".png", "application/pdf": ".pdf"}


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Bytes of a picture and of a PDF as they arrive, pixels before decoding, the longest edge kept."""

    image_bytes: int = 15_000_000
    pdf_bytes: int = 20_000_000
    pixels: int = 50_000_000
    edge: int = 2560


@dataclass(frozen=True, slots=True)
class Accepted:
    """A file as it may be kept: `body` is what we wrote, not what was sent; a PDF has no width and height.

    `media_type` is one of image/jpeg, image/png, application/pdf and belongs to the bytes; serve it with
    `nosniff`, a PDF as an attachment, since its inside is the sender's.
    """

    media_type: str
    body: bytes
    sha256: str
    width: int | None
    height: int | None
    name: str


def accept(raw: bytes, filename: str, limits: FileLimits | None = None) -> Accepted:
    """The upload made safe to keep, or Refused (422) in words that name what is allowed.

    JPEG, PNG, WebP and GIF (its first frame) are turned upright, brought to the longest edge and
    written anew as JPEG, or PNG where they were PNG, GIF or transparent: EXIF, GPS, comments,
    profiles and whatever hid behind the pixels are gone. A PDF passes as it is.
    """
    bounds = limits or FileLimits()
    if raw.startswith(b"%PDF-"):
        _weigh(raw, bounds.pdf_bytes)
        return _accepted("application/pdf", raw, None, filename)
    for signature, reader in _PICTURES:
        if signature.match(raw):
            _weigh(raw, bounds.image_bytes)
            return _redrawn(raw, reader, filename, bounds)
    raise Refused(
        "file_type" if raw else "file_empty",
        422,
        "只能上传 JPEG、PNG、WebP、GIF 图片或 PDF 文件" + ("，该文件是空的" if not raw else ""),
        "Only JPEG, PNG, WebP and GIF pictures and PDF files may be sent" + ("; this file is empty" if not raw else ""),
        "file",
        allowed=["image/jpeg", "image/png", "image/webp", "image/gif", "application/pdf"],
    )


def plain_name(filename: str, media_type: str) -> str:
    """The name to show and to save under: no path, no invisible or reserved mark, the suffix of its true type."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", filename))[-1]
    seen = "".join(mark for mark in last if unicodedata.category(mark) not in {"Cc", "Cf", "Cs", "Co", "Cn"})
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", re.sub(r'[<>:"|?*%\s]+', "_", seen))
    return (stem.strip("._")[:60] or "附件") + _SUFFIX[media_type]


def _weigh(raw: bytes, most: int) -> None:
    if len(raw) > most:
        mega = f"{most / 1_000_000:g}"
        raise Refused(
            "file_size", 422, f"文件超过 {mega} MB 上限", f"The file is larger than {mega} MB", "file", most=most
        )


def _redrawn(raw: bytes, reader: Callable[[BytesIO], ImageFile], filename: str, bounds: FileLimits) -> Accepted:
    try:
        with reader(BytesIO(raw)) as picture:
            _measure(picture, bounds.pixels)
            image = _upright(picture, bounds.edge)
    except _BROKEN:
        raise Refused(
            "file_broken", 422, "图片不完整或已损坏，请重新拍照或另存后再传",
            "The picture is incomplete or damaged; take or save it again and send that", "file",
        ) from None  # fmt: skip
    as_png = image.mode == "RGBA" or reader in (PngImageFile, GifImageFile)
    written = BytesIO()
    if as_png:
        image.save(written, "PNG", compress_level=6)
    else:
        image.save(written, "JPEG", quality=85, progressive=True)
    return _accepted("image/png" if as_png else "image/jpeg", written.getvalue(), image.size, filename)


def _measure(picture: ImageFile, most: int) -> None:
    if picture.width * picture.height > most:
        mega = f"{most / 1_000_000:g}"
        raise Refused(
            "file_pixels", 422, f"图片超过 {mega} 百万像素上限", f"The picture has more than {mega} million pixels",
            "file", most=most,
        )  # fmt: skip


def _upright(picture: ImageFile, edge: int) -> Image.Image:
    # Only JPEG knows how to decode smaller: an eighth of the memory for a large photo.
    picture.draft(None, (edge, edge))
    picture.load()
    turn = _UPRIGHT.get(_orientation(picture))
    image = _coloured(picture)
    image.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    canvas = Image.new(image.mode, image.size)  # knows nothing of the file the colours came from
    canvas.paste(image)
    return canvas.transpose(turn) if turn is not None else canvas


def _orientation(picture: ImageFile) -> int:
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except _BROKEN:
        return 1  # a good photo with a damaged note about the camera is still a good photo


def _coloured(picture: ImageFile) -> Image.Image:
    """The picture in RGB or RGBA; the picture itself where it is that already, since a copy of a large one is dear."""
    if picture.mode.startswith("I"):
        return picture.point(lambda value: value * (1 / 256)).convert("RGB")
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def _accepted(media_type: str, body: bytes, size: tuple[int, int] | None, filename: str) -> Accepted:
    width, height = size or (None, None)
    return Accepted(media_type, body, hashlib.sha256(body).hexdigest(), width, height, plain_name(filename, media_type))
