"""Checks run beside each other: one that fails or hangs stops no other, and nobody waits for it at the end."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.exc import OperationalError

from engine.doctor.examination import Check, examine, on_disk
from engine.domain.checkup import Checked, Subject, Verdict, faults
from engine.errors import HomeError
from tests.doctor.conftest import only

SUBJECT = Subject("thing", "Tingen")


def good(name: str) -> Check:
    return on_disk(Subject(name, name), lambda: [Subject(name, name).good("i orden")])


def fails(error: Exception) -> Check:
    def look() -> list[Checked]:
        raise error

    return on_disk(SUBJECT, look)


@pytest.fixture
def forever() -> Iterator[Callable[[], list[Checked]]]:
    """Hangs until the test is over."""
    over = threading.Event()

    def look() -> list[Checked]:
        over.wait(60)
        return []

    yield look
    over.set()


@pytest.mark.parametrize(
    ("error", "found", "do"),
    [
        (HomeError("Nøglen mangler. Hent den. Nu."), "Nøglen mangler", "Hent den. Nu."),
        (HomeError("Nøglen mangler."), "Nøglen mangler", "Ret det, og prøv igen."),
        (PermissionError(13, "x", "/etc/x"), "/etc/x: du har ikke adgang", "Ret det"),
        (OSError(28, "x"), "der er ikke plads på disken", "Ret det"),
        (
            OperationalError(
                "SELECT 'hemmeligt'", {}, __import__("sqlite3").OperationalError("disk I/O error")
            ),
            "disken kan ikke læses eller skrives",
            "Ret det",
        ),
        (ValueError("hemmeligt"), "undersøgelsen gik galt (ValueError)", "Ret det"),
    ],
)
def test_one_that_fails_is_a_finding_and_the_others_are_looked_at(
    error: Exception, found: str, do: str
) -> None:
    first, failed, last = examine(good("a"), fails(error), good("b"))
    assert (first.name, last.name) == ("a", "b")
    assert (failed.verdict, failed.found) == (Verdict.FAULT, found)
    assert failed.do.startswith(do)
    assert "hemmeligt" not in failed.found + failed.do
    assert faults([first, failed, last]) == 1


async def _never() -> list[Checked]:
    await asyncio.Event().wait()
    return []


def test_one_that_hangs_is_a_finding_after_its_time_and_holds_up_no_other(
    forever: Callable[[], list[Checked]],
) -> None:
    in_thread = Check(SUBJECT, lambda: asyncio.to_thread(forever), 0.05)
    began = time.monotonic()
    first, in_thread_found, in_loop_found, last = examine(
        good("a"), in_thread, Check(SUBJECT, _never, 0.05), good("b")
    )
    assert time.monotonic() - began < 10  # and not the minute that the thread lasts
    assert (first.verdict, last.verdict) == (Verdict.GOOD, Verdict.GOOD)
    for found in (in_thread_found, in_loop_found):
        assert only([found]).found == "intet svar inden for 0 s"
        assert found.verdict is Verdict.FAULT


def test_they_run_at_the_same_time() -> None:
    meeting = threading.Barrier(5, timeout=10)

    def look() -> list[Checked]:
        meeting.wait()
        return [SUBJECT.good("mødt")]

    assert [each.found for each in examine(*[on_disk(SUBJECT, look)] * 5)] == ["mødt"] * 5


def test_the_program_ends_though_a_thread_hangs() -> None:
    program = (
        "import asyncio, threading\n"
        "from engine.doctor.examination import Check, examine\n"
        "from engine.domain.checkup import Subject\n"
        "hang = threading.Event().wait\n"
        "print(*examine(Check(Subject('a', 'A'), lambda: asyncio.to_thread(hang), 0.05)))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert "intet svar" in ended.stdout
    assert ended.stderr == ""
