from pathlib import Path

import pytest

from tests.commands.conftest import Command


@pytest.mark.parametrize("words", [("simulate",), ("simulate-beskedfordeler", "mappe")])
def test_nothing_is_simulated_in_production(
    at_home: Command, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUNDHEDSAGENT_ENVIRONMENT", "production")
    found = at_home(*words)
    assert found.status == 1
    assert "i produktion" in found.err
    assert not Path("mappe").exists()


def test_simulate_is_for_folders(at_home: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNDHEDSAGENT_LISTEN__PORT", "9443")
    monkeypatch.setenv("SUNDHEDSAGENT_VANS__RECEIVE_BY", "https")
    found = at_home("simulate")
    assert found.status == 1
    assert "simulate-beskedfordeler" in found.err


def test_an_engine_is_reached_by_https(at_home: Command, tmp_path: Path) -> None:
    found = at_home("simulate-beskedfordeler", tmp_path / "files", "--vans", "http://127.0.0.1/vans")
    assert found.status == 2
    assert "--vans: skal være som https://" in found.err
