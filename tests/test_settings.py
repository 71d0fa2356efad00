import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from engine.errors import SettingsError
from engine.home import KEY_VARIABLE, Home
from engine.setting_types import duration_text, parse_duration
from engine.settings import PLACEHOLDERS, Settings, fields, new_file, refuse_placeholders, variable

UUID = "3f0c2f6e-8f5b-4f0e-9c55-0d4b7f3a1c2d"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def load(home: Home, text: str) -> Settings:
    home.settings_file.write_text(text, encoding="utf-8")
    return Settings.load(home)


def refusal(home: Home, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(home, text)
    return str(caught.value)


def test_a_new_homes_file_says_the_defaults_and_explains_every_key(home: Home) -> None:
    assert load(home, new_file()) == Settings()
    given = tomllib.loads(new_file())
    for key, field in fields():
        section, _, name = key.rpartition(".")
        assert name in (given[section] if section else given)
        assert field.description, key


def test_defaults() -> None:
    settings = Settings()
    assert settings.environment == "test"
    assert (settings.reject_invalid, settings.republish_after_transient) == (False, True)
    assert settings.vans.max_envelope_bytes == settings.kvittering.max_besked_bytes == 10_000_000
    assert settings.vans.receipt_after == timedelta(minutes=15)
    assert (settings.publish.batch, settings.engine.batch) == (200, 200)
    assert settings.publish.alarm_after == timedelta(minutes=10)
    assert settings.publish.late_after == timedelta(hours=24)
    assert settings.publish.longest_pause == timedelta(minutes=5)
    assert settings.kvittering.deadline == timedelta(minutes=45)
    assert settings.kvittering.sender_fields == (
        "kildesystem",
        "modtaget_fra_system",
        "besked_ansvarlig_aktoer",
    )
    assert settings.kuvert.include_cpr is True
    assert settings.engine.poll == timedelta(milliseconds=250)
    assert (settings.log.format, settings.log.level) == ("text", "info")


def test_placeholders_are_distinct_valid_uuids() -> None:
    assert len(set(PLACEHOLDERS.values())) == len(PLACEHOLDERS) == 3
    assert Settings().agent_system_uuid == PLACEHOLDERS["agent_system_uuid"]


def test_the_environment_wins_over_the_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNDHEDSAGENT_VANS__RECEIPT_AFTER", "30 s")
    monkeypatch.setenv("SUNDHEDSAGENT_REJECT_INVALID", "true")
    monkeypatch.setenv("SUNDHEDSAGENT_KVITTERING__SENDER_FIELDS", "modtaget_fra_system, kildesystem")
    settings = load(
        home, 'reject_invalid = false\n[vans]\nreceipt_after = "1 h"\nmax_envelope_bytes = 20_000\n'
    )
    assert settings.vans.receipt_after == timedelta(seconds=30)
    assert settings.vans.max_envelope_bytes == 20_000
    assert settings.reject_invalid is True
    assert settings.kvittering.sender_fields == ("modtaget_fra_system", "kildesystem")


def test_uuids_are_lower_cased(home: Home) -> None:
    assert load(home, f'agent_system_uuid = "{UUID.upper()}"').agent_system_uuid == UUID


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("15 min", timedelta(minutes=15)),
        ("30 s", timedelta(seconds=30)),
        ("250 ms", timedelta(milliseconds=250)),
        ("4 h", timedelta(hours=4)),
        ("2 d", timedelta(days=2)),
        ("24 h", timedelta(hours=24)),
        ("90 s", timedelta(seconds=90)),
    ],
)
def test_durations_are_read_and_printed_alike(text: str, value: timedelta) -> None:
    assert parse_duration(text) == value
    assert duration_text(value) == text


@pytest.mark.parametrize("text", ["", "15", "min", "15 minutter", "-3 s", "1.5 h", "1 h 5 min", "15 MIN"])
def test_other_texts_are_no_durations(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('environment = "prod"', ("environment", "'test' eller 'production'", '"prod"')),
        ('agent_system_uuid = "x"', ("agent_system_uuid", "skal være et UUID", '"x"')),
        ('reject_invalid = "måske"', ("reject_invalid", "skal være true eller false", '"måske"')),
        ('[vans]\nreceipt_after = "15 minutter"', ("vans.receipt_after", '"15 min"', '"15 minutter"')),
        ("[vans]\nreceipt_after = 15", ("vans.receipt_after", "varighed", "men er 15")),
        ('[vans]\nreceipt_after = "0 s"', ("vans.receipt_after", "fra 1 s til 7 d")),
        ('[engine]\npoll = "2 min"', ("engine.poll", "fra 10 ms til 1 min")),
        ("[engine]\nbatch = 0", ("engine.batch", "helt tal fra 1 til 2000", "men er 0")),
        ("[engine]\nbatch = true", ("engine.batch", "helt tal", "men er true")),
        ("[engine]\nbatch = 1.5", ("engine.batch", "helt tal")),
        ('[kvittering]\nsender_fields = ["sender"]', ("kvittering.sender_fields", "modtaget_fra_system")),
        ("[kvittering]\nsender_fields = []", ("kvittering.sender_fields", "et eller flere")),
        ('[kvittering]\nsender_fields = ["kildesystem", "kildesystem"]', ("højst én gang",)),
        ('[log]\nformat = "xml"', ("log.format", "'text' eller 'json'")),
        ("vans = 3", ("vans skal være et afsnit",)),
        (
            f'beskedtype_sygehusophold = "{UUID}"\nbeskedtype_medcomkvittering = "{UUID}"',
            ("må ikke være samme UUID",),
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(
    home: Home, text: str, expected: tuple[str, ...]
) -> None:
    message = refusal(home, text)
    assert str(home.settings_file) in message
    for part in expected:
        assert part in message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('enviroment = "test"', "enviroment er ukendt; mente du environment?"),
        ('[vans]\nrecipt_after = "1 s"', "vans.recipt_after er ukendt; mente du vans.receipt_after?"),
        ('receipt_after = "1 s"', "receipt_after er ukendt; mente du vans.receipt_after?"),
        ("[qqqqqq]\nx = 1", "qqqqqq er ukendt"),
        ('_env_file = "x"', "_env_file er ukendt"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_one(home: Home, text: str, hint: str) -> None:
    assert hint in refusal(home, text)


def test_all_faults_stand_in_one_message(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNDHEDSAGENT_LOG__LEVEL", "loud")
    message = refusal(home, 'enviroment = "x"\nagent_system_uuid = "x"\n[engine]\nbatch = 0\n')
    assert len(message.splitlines()) == 5
    for part in ("enviroment", "agent_system_uuid", "engine.batch", "SUNDHEDSAGENT_LOG__LEVEL"):
        assert part in message


def test_a_wrong_variable_is_named_as_such(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNDHEDSAGENT_ENGINE__BATCH", "mange")
    message = refusal(home, "[engine]\nbatch = 5\n")
    assert "Miljøvariablen SUNDHEDSAGENT_ENGINE__BATCH skal være et helt tal" in message
    assert str(home.settings_file) not in message


def test_an_unknown_variable_is_named_with_the_nearest_one(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUNDHEDSAGENT_VANS__RECIPT_AFTER", "1 s")
    monkeypatch.setenv("SUNDHEDSAGENT_HOME", "/somewhere")
    message = refusal(home, "")
    assert (
        "SUNDHEDSAGENT_VANS__RECIPT_AFTER er ukendt; mente du SUNDHEDSAGENT_VANS__RECEIPT_AFTER?" in message
    )
    assert "SUNDHEDSAGENT_HOME" not in message


def test_a_syntax_error_is_shown_by_line_and_column(home: Home) -> None:
    assert "linje 2, kolonne 5" in refusal(home, "a = 1\nb = = 2\n")
    assert "filens slutning" in refusal(home, "a = [")


def test_a_file_that_is_no_utf8_or_is_missing_is_told(home: Home) -> None:
    with pytest.raises(SettingsError, match="findes ikke"):
        Settings.load(home)
    home.settings_file.write_bytes("log = 'æ'".encode("latin-1"))
    with pytest.raises(SettingsError, match="UTF-8"):
        Settings.load(home)


def test_in_force_says_where_each_value_comes_from(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUNDHEDSAGENT_ENGINE__BATCH", "7")
    monkeypatch.setenv(KEY_VARIABLE, "c2VjcmV0")
    home.settings_file.write_text('[vans]\nreceipt_after = "20 min"\n')
    found = {item.key: (item.value, item.origin) for item in Settings.in_force(home)}
    assert found["engine.batch"] == ("7", "miljø")
    assert found["vans.receipt_after"] == ('"20 min"', "fil")
    assert found["publish.late_after"] == ('"24 h"', "standard")
    assert found["payload_key"] == ("********", "miljø")
    assert set(found) == {key for key, _ in fields()} | {"payload_key"}


def test_production_refuses_placeholders() -> None:
    refuse_placeholders(Settings(environment="test"))
    with pytest.raises(SettingsError) as caught:
        refuse_placeholders(Settings(environment="production", agent_system_uuid=UUID))
    assert "beskedtype_sygehusophold, beskedtype_medcomkvittering" in str(caught.value)
    assert variable("beskedtype_sygehusophold") in str(caught.value)
    assert "agent_system_uuid" not in str(caught.value)
    real = {key: f"{UUID[:-1]}{number}" for number, key in enumerate(PLACEHOLDERS)}
    refuse_placeholders(Settings(environment="production", **real))


def test_a_placeholder_under_another_key_is_refused_too() -> None:
    real = {key: f"{UUID[:-1]}{number}" for number, key in enumerate(PLACEHOLDERS)}
    real["agent_system_uuid"] = PLACEHOLDERS["beskedtype_sygehusophold"]
    with pytest.raises(SettingsError, match="agent_system_uuid"):
        refuse_placeholders(Settings(environment="production", **real))
