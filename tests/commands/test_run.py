"""`run` and `simulate` as processes: started, spoken to and stopped as an operator would."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from engine import simulation
from engine.clock import SystemClock
from engine.errors import SettingsError
from engine.home import Home, engine_lock
from engine.logs import configure_logs
from engine.settings import PLACEHOLDERS, LogSettings, Settings
from engine.simulation.folders import HomeMailboxes
from tests.commands.conftest import Command


@contextmanager
def engine(home: Home, *words: str, waits: bool = True) -> Iterator[subprocess.Popen[str]]:
    arguments = [sys.executable, "-m", "engine", "run", "--home", str(home.path), *words]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            if waits:
                assert process.stdout is not None
                assert process.stdout.readline() == f"Sundhedsagenten kører i {home.path}. Stop med Ctrl+C.\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_run_stops_when_told_to(new_home: Home, how: signal.Signals) -> None:
    with engine(new_home) as process:
        began = time.monotonic()
        process.send_signal(how)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 10
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_one_engine_at_a_time(new_home: Home, at_home: Command) -> None:
    with engine(new_home) as process:
        for words in (("run",), ("run", "--drain")):
            found = at_home(*words)
            assert (found.status, found.out) == (1, "")
            assert f"En motor kører allerede i {new_home.path} (proces {process.pid})." in found.err
        assert at_home("status", "--json").json["engine_running"] is True


def test_drain_handles_what_waits_and_stops(new_home: Home, at_home: Command) -> None:
    assert at_home("run", "--drain").out == "Færdig: 0 behandlet, og der er intet tilbage at gøre nu.\n"
    (new_home.vans_in / "bad.xml").write_text("no envelope")
    found = at_home("run", "--drain")
    assert (found.status, found.out.startswith("Færdig: 1 behandlet")) == (0, True)
    assert (new_home.vans_quarantine / "bad.xml").exists()
    assert at_home("status", "--json").json["quarantined"] == 1


def test_production_does_not_start_with_placeholders(
    new_home: Home, at_home: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUNDHEDSAGENT_ENVIRONMENT", "production")
    for words in (("run",), ("run", "--drain")):
        found = at_home(*words)
        assert found.status == 1
        for key in PLACEHOLDERS:
            assert key in found.err
    for number, key in enumerate(PLACEHOLDERS):
        monkeypatch.setenv(f"SUNDHEDSAGENT_{key.upper()}", f"3f0c2f6e-8f5b-4f0e-9c55-0d4b7f3a1c2{number}")
    assert at_home("run", "--drain").status == 0
    assert "i produktion" in at_home("simulate").err


def test_a_missing_key_stops_the_start(new_home: Home, at_home: Command) -> None:
    new_home.key_file.unlink()
    found = at_home("run", "--drain")
    assert found.status == 1
    assert "Nøglefilen" in found.err
    with engine_lock(new_home):
        pass


def test_simulate_against_a_running_engine(new_home: Home, at_home: Command) -> None:
    with engine(new_home) as process:
        words = ("--seconds", "2", "--rate", "10", "--speed", "60", "--seed", "3", "--habits", "flawless")
        found = at_home("simulate", "--kommuner", "3", *words)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith("Frø: 3\n")
    assert "Mangler endnu: 0." in found.out
    status = at_home("status", "--json").json
    assert status["connected_kommuner"] == 3
    assert status["received"] == status["published"] > 0
    # Simulated receivers take their time: those who have not answered are waited for.
    assert status["answered"]["ok"] + status["pending"] >= status["received"]


def test_simulate_acts_for_those_who_are_connected(at_home: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def simulate(_home: Home, roster: tuple[simulation.SimKommune, ...], **how: Any) -> Any:
        asked.append({"roster": roster, **how})
        return simulation.Simulation(HomeMailboxes(_home), script_for(roster)).totals, ()

    def script_for(roster: tuple[simulation.SimKommune, ...]) -> simulation.Script:
        now = SystemClock().now()
        hour = timedelta(hours=1)
        return simulation.Script(roster=roster, seed=1, start=now, stay_every=hour, beskedtype_kvittering="x")

    monkeypatch.setattr(simulation, "simulate", simulate)
    first = at_home("simulate", "--kommuner", "2", "--seed", "1", "--habits", "troubled")
    second = at_home("simulate", "--kommuner", "5")
    assert "0 adviser til 2 kommuner" in first.out
    assert "0 adviser til 2 kommuner" in second.out
    drawn, registered = asked[0]["roster"], asked[1]["roster"]
    assert [(k.code, k.gln, k.sor) for k in registered] == [(k.code, k.gln, k.sor) for k in drawn]
    assert [sorted(k.receivers, key=str) for k in registered] == [sorted(k.receivers, key=str) for k in drawn]
    assert (asked[0]["seed"], asked[0]["habits"]) == (1, simulation.TROUBLED)
    assert asked[0]["beskedtype_kvittering"] == PLACEHOLDERS["beskedtype_medcomkvittering"]


def logged(capfd: pytest.CaptureFixture[str], **settings: Any) -> str:
    import structlog

    configure_logs(LogSettings(**settings))
    log = structlog.get_logger("test")
    log.info("advis-taken", advis=7)
    log.warning("file-odd", name="æ")
    structlog.reset_defaults()
    out, err = capfd.readouterr()
    assert out == ""
    return err


def test_logs_are_text_or_json_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert "advis-taken" in logged(capfd, format="text")
    lines = [json.loads(line) for line in logged(capfd, format="json").splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("advis-taken", "info"),
        ("file-odd", "warning"),
    ]
    assert lines[0]["advis"] == 7
    assert lines[0]["timestamp"].endswith("Z")
    assert "advis-taken" not in logged(capfd, level="warning")


def test_a_log_level_is_one_of_four() -> None:
    with pytest.raises((SettingsError, ValueError)):
        Settings(log={"level": "loud"})
