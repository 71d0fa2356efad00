"""docs/drejebog.md is walked through: every command is run, in order, and what it prints is compared.

A block ```console holds prompts and what they print: `anna$ sundhedsagent …` is typed by the user anna. A … in the
document stands for anything within its line. What happens outside between two blocks stands in HTML comments:
`<!-- ur: 2026-12-01 10:00 -->` turns the clock, `<!-- advis: 2 -->` lets the hospital send, `<!-- kvittering: Cura -->`
lets a system acknowledge all that it has fetched. `python -m tests.test_drejebog` writes the outputs anew.
"""

import asyncio
import contextlib
import fnmatch
import io
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock
from uuid import UUID

import pytest

from engine.clock import SimulatedClock, SystemClock
from engine.desk import access, office
from engine.home import Home
from engine.local_time import exact_instant
from engine.service import Engine
from engine.settings import Settings
from engine.simulation.builders import an_acknowledgement, an_advis
from engine.simulation.envelopes import Correspondence, hn_envelope, kvittering_besked
from engine.simulation.made_up import made_up_unit
from engine.simulation.messages import HnSpec, ack_bytes, hn_bytes
from tests.process.outside import drop

DOCUMENT = Path(__file__).parents[1] / "docs/drejebog.md"
START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)  # nine in the morning in Denmark
AARHUS = made_up_unit(751, "Sygehusadviser, Aarhus Kommune")
CVR = "55133018"

_PROMPT = re.compile(r"^([a-zæøå]+)\$ (.*)$")
_DIRECTIVE = re.compile(r"^<!-- (\w+): (.+) -->$")


@dataclass(frozen=True)
class Told:
    """One command of the document, and what the document says that it prints."""

    who: str
    command: str
    lines: tuple[str, ...]
    number: int  # of its line in the document


@dataclass(frozen=True)
class Outside:
    """Something that happens between two commands."""

    what: str
    value: str


def steps(text: str) -> Iterator[Told | Outside]:
    lines, inside, number = text.splitlines(), False, 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if line.startswith("```"):
            inside = line == "```console"
        elif not inside and (match := _DIRECTIVE.match(line)):
            yield Outside(match[1], match[2])
        elif inside and (match := _PROMPT.match(line)):
            first, command = number, match[2]
            while command.endswith("\\"):
                command = command[:-1] + lines[number].strip()
                number += 1
            said = number
            while not lines[number].startswith("```") and not _PROMPT.match(lines[number]):
                number += 1
            yield Told(match[1], command, tuple(lines[said:number]), first)


class Walk:
    """One home, one clock, and all who take part."""

    def __init__(self, folder: Path) -> None:
        self.clock = SimulatedClock(START)
        self.folder = folder
        self.home = Home(folder / "hjem")
        self.sent: list[HnSpec] = []
        self.acknowledged: set[tuple[str, str]] = set()

    def outside(self, step: Outside) -> None:
        match step.what:
            case "ur":
                self.clock.advance(exact_instant(step.value, "uret") - self.clock.now())
            case "advis":
                for _ in range(int(step.value)):
                    self._send()
            case "kvittering":
                self._acknowledge(step.value)
        asyncio.run(self._drain())

    async def _drain(self) -> None:
        """The engine is restarted for each: it carries on where it was."""
        engine = Engine.open(self.home, clock=self.clock)
        try:
            await engine.drain()
        finally:
            engine.close()

    def _send(self) -> None:
        number = len(self.sent) + 1
        spec = an_advis(
            kommune=AARHUS, message_id=str(UUID(int=number)), bundle_id=str(UUID(int=100 + number))
        )
        self.sent.append(spec)
        envelope_id = str(UUID(int=200 + number))
        drop(self.home.vans_in, envelope_id, hn_envelope(spec, hn_bytes(spec), envelope_id=envelope_id))

    def _acknowledge(self, name: str) -> None:
        """The system `name` fetches what lies in its dueslag, and acknowledges what it has not before."""
        with office.Office(self.home, "anna") as desk, desk.reading() as conn:
            from engine.desk.registry import list_receivers

            uuid = next(item.uuid for item in list_receivers(conn, "0751") if item.name == name)
        beskedtype = Settings.load(self.home).beskedtype_medcomkvittering
        for spec in self.sent:
            if (name, spec.message_id) in self.acknowledged:
                continue
            self.acknowledged.add((name, spec.message_id))
            besked_id = str(UUID(int=300 + len(self.acknowledged)))
            besked = kvittering_besked(
                ack_bytes(an_acknowledgement(spec)),
                who=Correspondence(uuid, CVR, beskedtype),
                besked_id=besked_id,
                related_besked_id=None,
                made_at=self.clock.now(),
            )
            drop(self.home.afsend, besked_id, besked)

    def run(self, told: Told) -> list[str]:
        from console.command import main

        words = shlex.split(told.command)
        assert words[0] == "sundhedsagent", told
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.folder),
            mock.patch.object(office, "caller_identity", return_value=told.who),
            mock.patch.object(access, "caller_identity", return_value=told.who),
            mock.patch.object(SystemClock, "now", return_value=self.clock.now()),
            mock.patch.object(SystemClock, "steady", return_value=self.clock.steady()),
            mock.patch.dict(os.environ, {"SUNDHEDSAGENT_HOME": str(self.home.path)}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            main(words[1:])
        said = (out.getvalue() + err.getvalue()).replace(str(self.folder), "/srv")
        return said.rstrip("\n").split("\n") if said.strip() else []


def fits(told: tuple[str, ...], said: list[str]) -> bool:
    if len(told) != len(said):
        return False
    patterns = (re.sub(r"([\[\]*?])", r"[\1]", line).replace("…", "*") for line in told)
    return all(fnmatch.fnmatchcase(line, pattern) for line, pattern in zip(said, patterns, strict=True))


def walk(text: str, folder: Path) -> Iterator[tuple[Told, list[str]]]:
    going = Walk(folder)
    for step in steps(text):
        if isinstance(step, Outside):
            going.outside(step)
        else:
            yield step, going.run(step)


def test_the_whole_handbook_can_be_walked_through(tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    count = 0
    for told, said in walk(text, tmp_path):
        count += 1
        assert fits(told.lines, said), f"docs/drejebog.md:{told.number}: {told.command}\n" + "\n".join(said)
    assert count > 40


@pytest.mark.parametrize("section", ["3.1", "3.2", "3.3", "3.4", "3.5", "4", "5"])
def test_every_section_of_the_handbook_is_there(section: str) -> None:
    assert re.search(rf"^## {re.escape(section)} \w", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)


def rewrite() -> None:
    """Put what the commands print into the document; lines with … that still fit stay as they are."""
    text = DOCUMENT.read_text(encoding="utf-8")
    lines = text.splitlines()
    with tempfile.TemporaryDirectory() as folder:
        done = list(walk(text, Path(folder)))
    for told, said in reversed(done):
        start = told.number
        while lines[start - 1].endswith("\\"):
            start += 1
        if not fits(told.lines, said):
            lines[start : start + len(told.lines)] = said
    DOCUMENT.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(rewrite())
