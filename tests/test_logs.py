"""A log that cannot be written stops nothing, and what libraries log quotes nothing."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from engine.logs import configure_logs, silence_logs
from engine.settings import LogSettings


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root, aiormq = logging.getLogger(), logging.getLogger("aiormq")
    handlers, level = list(root.handlers), aiormq.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    aiormq.setLevel(level)


def test_a_closed_or_full_standard_error_is_no_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configure_logs(LogSettings())
    log = structlog.get_logger("x")
    closed = (tmp_path / "closed").open("w")
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    log.error("not-written")
    full = Path("/dev/full").open("w", buffering=1)  # noqa: SIM115 - its closing fails too
    monkeypatch.setattr(sys, "stderr", full)
    log.error("not-written")
    good = (tmp_path / "good").open("w")
    monkeypatch.setattr(sys, "stderr", good)
    log.error("written", number=7)
    good.close()
    assert "number=7" in (tmp_path / "good").read_text()
    with pytest.raises(OSError, match="No space"):
        full.close()


def test_what_a_library_logs_is_told_without_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(format="json"))
    configure_logs(LogSettings(format="json"))  # once more is no second line
    library = logging.getLogger("some.library")
    try:
        int("Bruno Test Elmer")
    except ValueError:
        library.exception("Exception in ASGI application, Bruno Test Elmer")
    library.warning("Bruno Test Elmer")
    library.info("nothing")
    logging.getLogger("aiormq.connection").error("told by the link itself")
    error = capsys.readouterr().err
    assert "Bruno" not in error
    first, second = map(json.loads, error.splitlines())
    assert (first["event"], first["library"], first["error"]) == (
        "library-reported",
        "some.library",
        "ValueError",
    )
    assert first["where"].rpartition(":")[0] == __file__
    assert (second["level"], second["library"]) == ("warning", "some.library")


def test_a_screen_is_torn_by_no_library(capsys: pytest.CaptureFixture[str]) -> None:
    silence_logs()
    logging.getLogger("asyncio").error("Task exception was never retrieved")
    assert capsys.readouterr().err == ""
