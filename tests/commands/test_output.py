import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from engine.commands import output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Terminal]:
    def make(columns: int = 80) -> Terminal:
        stream = Terminal()
        monkeypatch.setattr("sys.stdout", stream)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        return stream

    return make


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("Ærø Kommune – æøå", "Ærø Kommune – æøå"),
        ("a\x1b[31mb", "a\ufffd[31mb"),
        ("a\x9bb", "a\ufffdb"),
        ("a\u202eb\u2066c\u200fd", "a\ufffdb\ufffdc\ufffdd"),
        ("a\tb\nc\rd\u00a0e", "a b c d e"),
        ("a\u2028b", "a b"),
        ("a\x00b\x07c\ud800d\ufeff", "a\ufffdb\ufffdc\ufffdd\ufffd"),
    ],
)
def test_nothing_unprintable_reaches_a_terminal(given: str, shown: str) -> None:
    assert output.printable(given) == shown


def test_a_table_in_a_pipe_is_aligned_whole_and_without_colours(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("Nr.", "Navn"), [("7", "Læsø"), ("10", "x" * 100)], right=(0,))
    assert capsys.readouterr().out == "Nr.  Navn\n  7  Læsø\n 10  " + "x" * 100 + "\n"


def test_a_table_fits_a_terminal(terminal: Callable[..., Terminal]) -> None:
    stream = terminal(40)
    output.table(("Nr.", "Navn", "By"), [("7", "x" * 60, "Aarhus")])
    heading, row = stream.getvalue().splitlines()
    assert heading.startswith("\x1b[1mNr.")
    assert len(row) == 40
    assert "…" in row
    assert row.endswith("Aarhus")


def test_a_table_can_be_shown_whole(terminal: Callable[..., Terminal]) -> None:
    stream = terminal(40)
    output.table(("Navn",), [("x" * 60,)], whole=True)
    assert "x" * 60 in stream.getvalue()


def test_escapes_in_a_table_and_in_facts_are_shown_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("Navn",), [("a\x1b[2Jb",)])
    output.facts([("Navn", "a\x1b[2Jb"), ("Uden", None)])
    output.dated("12:00", "a\x1b[2Jb", "red")
    output.heading("a\x1b[2Jb")
    output.say("a\x1b[2Jb")
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert shown.count("a\ufffd[2Jb") == 5
    assert "Uden" not in shown


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_are_left_out_where_nobody_wants_them(
    terminal: Callable[..., Terminal], monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    terminal()
    assert output.paint("x", "red") == "\x1b[31mx\x1b[0m"
    monkeypatch.setenv(variable, value)
    assert output.paint("x", "red") == "x"


def test_a_dated_text_keeps_its_column_on_a_terminal(terminal: Callable[..., Terminal]) -> None:
    stream = terminal(20)
    output.dated("12:00", "et to tre fire fem")
    assert stream.getvalue() == "12:00  et to tre\n       fire fem\n"


def test_json_is_utf8_whatever_the_terminal_says(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    output.print_json([{"by": "Ærø", "odd": "\ud800"}])
    assert "Ærø".encode() in raw.getvalue()
    assert json.loads(raw.getvalue()) == [{"by": "Ærø", "odd": "\ud800"}]


def test_instants_are_utc_with_z() -> None:
    at = datetime(2026, 7, 1, 14, 0, 0, 500_000, tzinfo=timezone(timedelta(hours=2)))
    assert output.plain({"at": (at,)}) == {"at": ["2026-07-01T12:00:00.500Z"]}


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3_900, "1 t 5 min"),
        (90_061, "1 d 1 t"),
        (-90, "1 min 30 s"),
    ],
)
def test_periods(seconds: int, shown: str) -> None:
    assert output.period(seconds) == shown


def test_numbers_and_ages() -> None:
    now = datetime(2026, 7, 1, tzinfo=UTC)
    assert output.number(1_234_567) == "1.234.567"
    assert output.ago(now - timedelta(minutes=5), now) == "5 min siden"


def test_a_terminal_gets_no_word_cut_in_two(terminal: Callable[..., Terminal]) -> None:
    stream = terminal(20)
    output.say("Sig det til kommunen; den spørger", "", "  Ring: Leverandør A, drift@a.example", "x" * 30)
    assert stream.getvalue().split("\n") == [
        "Sig det til",
        "kommunen; den",
        "spørger",
        "",
        "  Ring: Leverandør",
        "  A, drift@a.example",
        "x" * 30,
        "",
    ]


def test_a_pipe_gets_each_line_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    output.say("ord " * 60)
    assert capsys.readouterr().out == "ord " * 60 + "\n"
