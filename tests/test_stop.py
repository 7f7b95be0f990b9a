"""A server that is told to stop ends soon, also when somebody has sent half a request and sends no more."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from contextlib import closing
from pathlib import Path

from liuti.settings import new_key
from tests.patience import PATIENCE, own_port
from tests.test_crash import ready

SERVE = "from liuti import cli, serving; serving.GRACE = 1; cli.app()"
HALF = b"POST /api/v1/issues HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"


async def test_half_a_request_does_not_hold_up_the_end(sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "liuti.db")
    here = os.environ | {
        "LIUTI_DATABASE_URL": f"sqlite:///{tmp_path / 'liuti.db'}",
        "LIUTI_FILES_DIR": str(tmp_path / "files"),
        "LIUTI_KEYS": new_key(),
    }
    with own_port() as port, (tmp_path / "server.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVE, "serve", "--port", str(port), env=here, stdout=log, stderr=log
        )
        try:
            await ready(process, port, tmp_path)
            _, sending = await asyncio.open_connection("127.0.0.1", port)
            with closing(sending):
                sending.write(HALF)
                await sending.drain()
                await asyncio.sleep(0.2)
                process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(PATIENCE):
                    await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
