"""A log that cannot be written stops nothing."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from engine.logs import configure_logs
from engine.settings import LogSettings


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


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
