"""Where a district has a map: a place is pointed out on it, seen again on the issue's page, and never needed."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from liuti.demo import Prepared
from liuti.doors.pages.frame import typeset
from tests.browser.house import House
from tests.browser.test_weight import MOST_KB_WITH_MAP, PACKED, fetched, weight
from tests.browser.visitor import PHONE, Visitor, asked_whether_it_is_known
from tests.patience import PATIENCE

CENTER = "30.27415,120.15515,15"
TEXT = "桥头的路灯杆歪了,风大时一直晃。"


class Tiles:
    """A server of its own for pictures of the map; `asked` is what it was asked for."""

    def __init__(self) -> None:
        picture = io.BytesIO()
        Image.new("RGB", (256, 256), (215, 228, 218)).save(picture, "PNG")
        asked = self.asked = list[str]()

        class Tile(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "image/png")
                self.end_headers()
                self.wfile.write(picture.getvalue())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Tile)
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def tiles() -> Iterator[Tiles]:
    server = Tiles()
    yield server
    server.close()


@pytest.fixture
def mapped(prepared: Prepared, tmp_path: Path, tiles: Tiles) -> Iterator[House]:
    address = tiles.base + "/{z}/{x}/{y}.png"
    with House(prepared, tmp_path / "house", map_tiles=address, map_center=CENTER) as house:
        yield house


def test_a_place_is_pointed_out_on_the_map_and_seen_again(chromium: Browser, mapped: House, tiles: Tiles) -> None:
    phone = Visitor(chromium, mapped, PHONE, beside=tiles.base)
    page = phone.page
    page.goto("/propose")
    chart = page.locator(".map")
    expect(chart.locator("img.leaflet-tile-loaded").first).to_be_visible()
    chart.click(position={"x": 60, "y": 80})
    expect(chart.locator(".leaflet-marker-icon")).to_have_count(1)
    page.get_by_label(typeset("什么事?")).fill(TEXT)
    page.get_by_label(typeset("在哪里?")).fill("石桥头")
    page.get_by_label("手机号").fill("13800000077")
    page.get_by_role("button", name="提交").click()
    if asked_whether_it_is_known(page):
        page.get_by_role("button", name=typeset("都不是,提交我的题")).click()
    page.get_by_role("link", name="打开我的题").click()
    seen = page.locator(".map[data-shown]")
    expect(seen.locator(".leaflet-marker-icon")).to_have_count(1)
    expect(seen.locator("img.leaflet-tile-loaded").first).to_be_visible()
    center = [float(part) for part in (seen.get_attribute("data-center") or "").split(",")]
    asked = [float(part) for part in CENTER.split(",")[:2]]
    assert 0 < abs(center[0] - asked[0]) < 0.02 and 0 < abs(center[1] - asked[1]) < 0.02, (
        "up and to the left of the middle"
    )
    assert center[0] > asked[0] and center[1] < asked[1]
    shown = page.locator("main").inner_text()
    assert "石桥头" in shown and "geo:" not in shown
    assert {path.split("/")[1] for path in tiles.asked} >= {"15", "16"}
    phone.close()
    assert phone.faults == []


def test_without_tiles_that_answer_the_words_of_a_place_are_enough(
    chromium: Browser, mapped: House, tiles: Tiles
) -> None:
    tiles.close()
    phone = Visitor(chromium, mapped, PHONE, beside=tiles.base, script=False)
    phone.page.goto("/propose")
    expect(phone.page.locator(".map")).to_be_hidden()
    expect(phone.page.get_by_label(typeset("在哪里?"))).to_be_visible()
    phone.close()
    assert phone.faults == []


def test_a_page_with_a_map_weighs_little(mapped: House) -> None:
    with httpx.Client(base_url=mapped.base, headers=PACKED, timeout=PATIENCE) as phone:
        page, sent = fetched(phone, "/propose")
        assert "leaflet" in page.text
        assert weight(phone, page, sent) / 1000 <= MOST_KB_WITH_MAP
