"""A file is known by its bytes; a picture is redrawn; everything else is refused in words."""

import random
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from liuti.doors.files import Accepted, FileLimits, accept, plain_name
from liuti.flow.kernel import Refused

RED, BLUE = (220, 20, 20), (20, 20, 220)


def picture(kind: str, size: tuple[int, int] = (64, 32), mode: str = "RGB", **saved: Any) -> bytes:
    """Left half red, right half blue."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, size[0], size[1]))
    written = BytesIO()
    image.convert(mode).save(written, kind, **saved)
    return written.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    notes = Image.Exif()
    notes[0x0112] = orientation
    notes[0x010F] = "SECRETPHONE"
    notes.get_ifd(0x8825).update({1: "N", 2: (31.0, 51.0, 7.5), 3: "E", 4: (115.0, 54.0, 30.0)})
    return notes


def drawn(accepted: Accepted) -> Image.Image:
    image = Image.open(BytesIO(accepted.body))
    image.load()
    return image


def close(one: Any, other: tuple[int, int, int]) -> bool:
    return all(abs(a - b) < 40 for a, b in zip(one[:3], other, strict=True))


def refusal(raw: bytes, limits: FileLimits | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        accept(raw, "x.jpg", limits)
    assert caught.value.status == 422 and caught.value.field == "file"
    assert caught.value.zh and caught.value.en
    return caught.value


@pytest.mark.parametrize(
    ("kind", "kept"),
    [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/jpeg"), ("GIF", "image/png")],
)
def test_a_picture_of_each_kind_is_kept_as_drawn(kind: str, kept: str) -> None:
    accepted = accept(picture(kind), "路灯.svg")
    image = drawn(accepted)
    assert (accepted.media_type, Image.MIME[str(image.format)]) == (kept, kept)
    assert (accepted.width, accepted.height) == image.size == (64, 32)
    assert accepted.name == "路灯" + {"image/jpeg": ".jpg", "image/png": ".png"}[kept]
    assert len(accepted.sha256) == 64
    colours = image.convert("RGB")
    assert close(colours.getpixel((8, 16)), RED) and close(colours.getpixel((56, 16)), BLUE)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_place_camera_and_comments_disappear(kind: str) -> None:
    raw = picture(kind, exif=exif(), comment=b"SECRETWORD")
    assert b"SECRETPHONE" in raw and Image.open(BytesIO(raw)).getexif().get_ifd(0x8825)
    accepted = accept(raw, "a.jpg")
    assert b"SECRET" not in accepted.body and b"Exif" not in accepted.body
    assert not drawn(accepted).getexif() and not drawn(accepted).info.get("comment")


def test_words_hidden_in_and_behind_the_pixels_disappear() -> None:
    notes = PngInfo()
    notes.add_text("Author", "SECRET", zip=False)
    for raw in (picture("PNG", pnginfo=notes, icc_profile=b"SECRET"), picture("JPEG") + b"<script>SECRET</script>"):
        assert b"SECRET" in raw or b"iCCP" in raw
        body = accept(raw, "a").body
        assert b"SECRET" not in body and b"iCCP" not in body


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_turned_upright(kind: str, orientation: int) -> None:
    accepted = accept(picture(kind, exif=exif(orientation)), "a.jpg")
    image = drawn(accepted).convert("RGB")
    assert (accepted.width, accepted.height) == image.size == ((64, 32) if orientation < 5 else (32, 64))
    corner = {1: RED, 2: BLUE, 3: BLUE, 4: RED, 5: RED, 6: RED, 7: BLUE, 8: BLUE}[orientation]
    assert close(image.getpixel((4, 4)), corner)


def test_a_large_photo_is_brought_to_the_longest_edge() -> None:
    accepted = accept(picture("JPEG", (6000, 3000)), "a.jpg")
    assert (accepted.width, accepted.height) == drawn(accepted).size == (2560, 1280)
    small = accept(picture("JPEG", (600, 300), exif=exif(6)), "a.jpg", FileLimits(edge=100))
    assert (small.width, small.height) == (50, 100)


@pytest.mark.parametrize(
    ("kind", "mode", "kept"),
    [("JPEG", "CMYK", "image/jpeg"), ("JPEG", "L", "image/jpeg"), ("PNG", "RGBA", "image/png"),
     ("PNG", "P", "image/png"),
     ("PNG", "1", "image/png"), ("PNG", "LA", "image/png"), ("WEBP", "RGBA", "image/jpeg"), ("GIF", "L", "image/png")],
)  # fmt: skip
def test_every_way_of_colour_can_be_kept(kind: str, mode: str, kept: str) -> None:
    accepted = accept(picture(kind, mode=mode), "a")
    assert accepted.media_type == kept
    assert drawn(accepted).mode in {"RGB", "RGBA"}


def test_a_grey_scan_of_sixteen_bits_keeps_its_greys() -> None:
    written = BytesIO()
    Image.new("I;16", (8, 8), 0x8000).save(written, "PNG")
    pixel: Any = drawn(accept(written.getvalue(), "a")).getpixel((4, 4))
    assert pixel == (128, 128, 128)


def test_transparency_is_kept() -> None:
    for kind in ("PNG", "WEBP", "GIF"):
        written = BytesIO()
        Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(written, kind)
        accepted = accept(written.getvalue(), "a")
        pixel: Any = drawn(accepted).getpixel((4, 4))
        assert accepted.media_type == "image/png" and pixel[3] == 0


def test_of_a_moving_picture_the_first_frame_is_kept() -> None:
    for kind in ("GIF", "WEBP", "PNG"):
        written = BytesIO()
        frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
        frames[0].save(written, kind, save_all=True, append_images=frames[1:])
        image = drawn(accept(written.getvalue(), "a"))
        assert getattr(image, "n_frames", 1) == 1
        assert close(image.convert("RGB").getpixel((8, 8)), RED)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_good_photo_with_damaged_notes_is_still_good() -> None:
    for notes in (b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"):
        assert accept(picture("JPEG", exif=notes), "a").width == 64


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_picture_cut_short_is_refused(kind: str) -> None:
    raw = noise(kind)
    assert accept(raw, "a").width == 200
    for part in (0.05, 0.3, 0.6, 0.9):
        assert refusal(raw[: int(len(raw) * part)]).code == "file_broken"


def noise(kind: str) -> bytes:
    written = BytesIO()
    Image.frombytes("RGB", (200, 100), random.Random(7).randbytes(60_000)).save(written, kind)
    return written.getvalue()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_damaged_bytes_are_refused_or_redrawn_but_never_an_accident(kind: str) -> None:
    chance, good = random.Random(kind), noise(kind)
    for _ in range(60):
        raw = bytearray(good)
        for _ in range(chance.choice((1, 3, 20))):
            raw[chance.randrange(4, min(len(raw), chance.choice((64, 1000, 60_000))))] = chance.randrange(256)
        with suppress(Refused):
            assert accept(bytes(raw), "a").width


def bombs() -> Iterator[tuple[str, bytes]]:
    side = (30_000).to_bytes(4, "big")

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    head = chunk(b"IHDR", side + side + bytes([8, 2, 0, 0, 0]))
    rows = chunk(b"IDAT", zlib.compress(bytes(5_000_000), 9))
    yield "png", b"\x89PNG\r\n\x1a\n" + head + rows + chunk(b"IEND", b"")
    gif = bytearray(picture("GIF"))
    gif[6:10] = (60_000).to_bytes(2, "little") * 2
    yield "gif", bytes(gif)
    frame = bytearray(picture("GIF"))
    at = frame.index(b",\0\0\0\0")
    frame[at + 5 : at + 9] = (10_000).to_bytes(2, "little") * 2
    yield "gif whose frame outgrows it", bytes(frame)
    jpeg = bytearray(picture("JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = (60_000).to_bytes(2, "big") * 2
    yield "jpeg", bytes(jpeg)
    webp = bytearray(picture("WEBP"))
    at = webp.index(b"\x9d\x01\x2a")
    webp[at + 3 : at + 7] = (16_383).to_bytes(2, "little") * 2
    yield "webp", bytes(webp)


@pytest.mark.parametrize(("name", "raw"), list(bombs()), ids=[name for name, _ in bombs()])
def test_a_bomb_is_refused_by_its_measure_before_it_goes_off(name: str, raw: bytes) -> None:
    begun = time.process_time()
    assert refusal(raw).code in {"file_pixels", "file_broken"}
    assert time.process_time() - begun < 0.5


def test_the_measure_is_the_limits_and_not_a_switch_of_the_process() -> None:
    raw, before = picture("PNG", (100, 100)), Image.MAX_IMAGE_PIXELS
    assert accept(raw, "a", FileLimits(pixels=10_000)).width == 100
    assert refusal(raw, FileLimits(pixels=9_999)).code == "file_pixels"
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    "raw",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<!DOCTYPE html><script>alert(1)</script>",
        b"GIF8;<script>",
        b"PK\x03\x04docx",
        b"MZ\x90",
        b"RIFF\0\0\0\0WAVE",
        b"\0\0\0\x18ftypheic",
        b"BM\x00\x00",
        b"II*\0",
        b"\x00\x00\x00\x0cjP  ",
        b" %PDF-1.7",
        b"%!PS-Adobe-3.0 EPSF-3.0",
        b"\xff\xd8",
        b"x",
    ],
)
def test_what_only_its_name_calls_a_picture_is_refused_with_what_is_allowed(raw: bytes) -> None:
    refused = refusal(raw)
    assert refused.code == "file_type"
    assert all(word in refused.zh and word in refused.en for word in ("JPEG", "PNG", "WebP", "GIF", "PDF"))
    assert "image/jpeg" in refused.extra["allowed"]


def test_an_empty_file_is_refused_as_empty() -> None:
    refused = refusal(b"")
    assert refused.code == "file_empty" and "空" in refused.zh and "empty" in refused.en


def test_a_pdf_passes_as_it_is_whatever_it_is_called_or_carries_behind() -> None:
    raw = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\nPK\x03\x04<script>"
    accepted = accept(raw, "证明.html")
    assert (accepted.media_type, accepted.body, accepted.width) == ("application/pdf", raw, None)
    assert accepted.name == "证明.pdf"


def test_too_many_bytes_are_refused_with_the_limit_in_words() -> None:
    limits = FileLimits(image_bytes=2_000_000, pdf_bytes=1_500_000)
    assert len(accept(b"%PDF-" + bytes(1_499_995), "a", limits).body) == 1_500_000
    over = refusal(b"%PDF-" + bytes(1_499_996), limits)
    assert over.code == "file_size" and "1.5 MB" in over.zh and "1.5 MB" in over.en
    assert refusal(b"\xff\xd8\xff" + bytes(2_000_000), limits).code == "file_size"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("照片 1.JPG", "照片_1.jpg"),
        ("../../etc/passwd", "passwd.jpg"),
        ("C:\\Users\\张三\\路灯.png", "路灯.jpg"),
        ("", "附件.jpg"),
        (".", "附件.jpg"),
        ("..", "附件.jpg"),
        (".htaccess", "htaccess.jpg"),
        ("con\x00tract\r\nSet-Cookie: x.jpg", "contractSet-Cookie_x.jpg"),
        ("photo\u202egpj.exe", "photogpj.jpg"),
        ('a"b<c>d|e?f*g%h.jpg', "a_b_c_d_e_f_g_h.jpg"),
        ("路" * 200 + ".jpg", "路" * 60 + ".jpg"),
        ("v1.2 报告.pdf", "v1.2_报告.jpg"),
        ("\ud800x", "x.jpg"),
    ],
)
def test_a_name_is_kept_without_path_traps_or_invisible_marks(given: str, kept: str) -> None:
    assert plain_name(given, "image/jpeg") == kept
