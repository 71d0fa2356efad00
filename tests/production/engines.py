"""Engines as processes on one database, each with a home of its own, started again when they end as systemd does."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from engine.clock import SystemClock
from engine.desk.access import caller_identity
from engine.home import Home, given_key
from tests.production.country import register
from tests.servers.ports import free_port
from tests.servers.postgresql import wait_for

_HANDLED = re.compile(r'sundhedsagent_station_handled_total\{station="([^"]+)"\} ([\d.]+)')


@dataclass
class EngineProcess:
    """One engine: its home, its ports, and what it did in its lives so far."""

    home: Home
    environment: Mapping[str, str]
    vans_port: int
    monitor_port: int
    handled: Counter[str] = field(default_factory=Counter)
    process: "subprocess.Popen[bytes] | None" = None
    is_up: bool = False  # in this life: it has answered

    @property
    def vans_url(self) -> str:
        return f"http://127.0.0.1:{self.vans_port}/vans"

    def start(self) -> None:
        self.is_up = False
        with (self.home.path / "engine.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command("run"), env=self.environment, stdout=log, stderr=log
            )

    async def note(self) -> None:
        """Add to `handled` what it has done in this life; nothing where it does not answer."""
        with suppress(httpx.HTTPError):
            async with httpx.AsyncClient(timeout=5) as client:
                text = (await client.get(f"http://127.0.0.1:{self.monitor_port}/metrics")).text
            self.handled.update({name: int(float(count)) for name, count in _HANDLED.findall(text)})

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    async def listens(self) -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.vans_port)
            writer.close()
            return True
        return False

    def status(self) -> dict[str, Any]:
        """What `sundhedsagent status` says."""
        command = self._command("status", "--json")
        done = subprocess.run(command, env=self.environment, capture_output=True, timeout=60, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    @property
    def log(self) -> str:
        return (self.home.path / "engine.log").read_text(errors="replace")

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "engine", "--home", str(self.home.path), *words]


def engine_processes(
    folder: Path, url: str, count: int, settings: Mapping[str, object]
) -> list[EngineProcess]:
    """Engines that share the database at `url`, with these settings; none is started yet."""
    made: list[EngineProcess] = []
    key = None
    for number in range(count):
        home = Home.create(folder / f"home-{number}", SystemClock(), caller_identity(), url=url, key=key)
        if key is None:
            key = given_key(home.key_file)
            register(home)
        ports = {"listen.port": free_port(), "monitor.port": free_port()}
        names = {
            f"SUNDHEDSAGENT_{name.replace('.', '__').upper()}": str(value)
            for name, value in {**settings, **ports}.items()
        }
        made.append(EngineProcess(home, os.environ | names, ports["listen.port"], ports["monitor.port"]))
    return made


def wait_until_ready(engines: list[EngineProcess], seconds: float = 30) -> None:
    """Until each engine takes envelopes."""
    for engine in engines:
        wait_for("an engine", lambda engine=engine: _listens(engine.vans_url), seconds)


def _listens(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(url).status_code == 405
    return False
