import io
import re

import pytest
from rich.console import Console

from console.demo import faults_of, summary
from console.live import RECENT_SHOWN, DemoFigures, DemoView, RecentAdvis, can_be_live, number, rate, way
from engine.domain.acknowledgement import ResponseCode
from engine.simulation import Lack, Missing, Totals

ENGLISH = re.compile(
    r"\b(received|published|acknowledged|answered|pending|elapsed|remaining|total|time|left|copies|recent|"
    r"notification|municipality|loading|progress|missing|receipt|error)\b",
    re.IGNORECASE,
)


def advis(code="STIN", kommune="Lyngby-Taarbæk Kommune", *, counts=(0, 0), **done):
    acknowledged, expected = counts
    return RecentAdvis(code, "Start", kommune, acknowledged=acknowledged, expected=expected, **done)


RECENT = (advis("RE_STIN", counts=(2, 3), published=True, answered=True),) * 30
FIGURES = DemoFigures(
    received=12_345,
    published=12_340,
    acknowledged=36_001,
    expected=37_020,
    answered=12_001,
    pending=1019,
    copies=37,
    fatal_errors=5,
    transient_errors=4,
    recent=RECENT,
)


def totals(**changes):
    none = dict.fromkeys(Totals.__dataclass_fields__, 0)
    return Totals(**(none | {"kvitteringer": {ResponseCode.OK: 3}, "answers": {}} | changes))


def view(console, *, figures=lambda: FIGURES, elapsed=lambda: 12.0, **options):
    return DemoView(
        console, figures=figures, elapsed=elapsed, seconds=30.0, title="Sundhedsagenten · demo", **options
    )


def shown(figures=FIGURES, elapsed=12.0, *, width=80):
    console = Console(file=io.StringIO(), width=width, height=24, record=True, force_terminal=True)
    console.print(view(console, live=False).render(figures, elapsed))
    return console.export_text().splitlines()


@pytest.mark.parametrize("figures", [FIGURES, DemoFigures()])
def test_it_fits_into_80_by_24(figures):
    lines = shown(figures)
    assert len(lines) < 24  # the last line stays free, or the terminal scrolls
    assert max(map(len, lines)) <= 80
    assert len(shown(DemoFigures())) == len(lines)  # and keeps its height


def test_everything_is_there_in_danish():
    text = "\n".join(shown())
    for word in ("Modtaget", "Fordelt", "Kvitteret", "Besvaret", "Afventer", "Advis", "Kommune", "tilbage"):
        assert word in text
    for figure in ("12.345", "12.340", "36.001", "12.001", "1.019"):
        assert figure in text
    assert "Modtaget → Fordelt → Kvitteret 2/3 → Besvaret" in text
    assert "18 s tilbage" in text
    assert text.count("RE_STIN") == RECENT_SHOWN
    assert ENGLISH.search(text) is None


def test_a_narrow_terminal_still_shows_the_numbers():
    lines = shown(width=60)
    assert max(map(len, lines)) <= 60
    assert "12.345" in "\n".join(lines)


def test_rates_are_of_the_time_since_the_last_picture():
    console = Console(file=io.StringIO(), width=80, record=True)
    picture = view(console, live=False)
    picture.render(DemoFigures(received=10), 10.0)
    console.print(picture.render(DemoFigures(received=25), 12.0))
    assert "7,5/s" in console.export_text()


def test_after_the_time_it_waits_for_the_last():
    assert "afventer det sidste" in "\n".join(shown(elapsed=31.0))


@pytest.mark.parametrize(
    ("recent", "expected"),
    [
        (advis(), "Modtaget"),
        (advis(published=True, counts=(0, 3)), "Modtaget → Fordelt → Kvitteret 0/3"),
        (advis(answered=True), "Modtaget → Besvaret"),  # refused by the engine itself
        (
            advis(published=True, counts=(2, 3), answered=True),
            "Modtaget → Fordelt → Kvitteret 2/3 → Besvaret",
        ),
        (
            advis(published=True, counts=(3, 3), answered=True, negative=True),
            "Modtaget → Fordelt → Kvitteret 3/3 ! → Besvaret",
        ),
    ],
)
def test_the_way_of_an_advis_reads_without_colours(recent, expected):
    assert way(recent).plain == expected


def test_numbers_are_danish():
    assert number(1_234_567) == "1.234.567"
    assert rate(3.25) == "3,2"


def terminal(**environment):
    output = io.StringIO()
    console = Console(
        file=output,
        width=80,
        height=24,
        force_terminal=True,
        color_system="truecolor",
        _environ={"TERM": "xterm-256color", **environment},
    )
    return console, output


def test_no_color_is_honoured():
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        console, output = terminal(**environment)
        with view(console, live=True) as picture:
            picture.update()
        written = output.getvalue()
        assert "Modtaget" in written
        assert bool(re.search(r"\x1b\[(?:\d+;)*(?:3[0-7]|38;[25])", written)) is coloured


def test_the_picture_is_drawn_once_a_second_at_most():
    console, _ = terminal()
    asked, time = [], [0.0]

    def figures():
        asked.append(time[0])
        return FIGURES

    with view(console, figures=figures, elapsed=lambda: time[0], live=True) as picture:
        for step in range(41):
            time[0] = step * 0.05
            picture.update()
    assert asked == pytest.approx([0.0, 1.0, 2.0], abs=0.051)


def test_without_a_terminal_nothing_is_drawn():
    output = io.StringIO()
    console = Console(
        file=output, width=80, force_terminal=True
    )  # a build log may force colours: still no terminal
    assert not can_be_live(console)
    with view(console) as picture:
        picture.update()
    assert output.getvalue() == ""


def test_the_summary_is_danish_and_names_everything():
    lines = summary(FIGURES, totals(sent=12_345, receipts=12_382, published=12_345, answered=12_001))
    text = "\n".join(lines)
    for word in ("Modtaget", "Fordelt", "Kvitteret", "Besvaret", "Afventer", "Genfremsendelser", "Afvist"):
        assert word in text
    assert "12.382" in text
    assert max(map(len, lines)) <= 80
    assert ENGLISH.search(text.replace("fatal-error", "").replace("transient-error", "")) is None


def test_faults_are_named_in_danish_and_cut_to_a_screen():
    missing = [Missing(Lack.RECEIPT, f"m{number}", "e") for number in range(12)]
    lines = faults_of(
        totals(altered=1, altered_answers=6, contradictions=2, unreadable=3, unknown=4, negative_receipts=5),
        missing,
    )
    assert len(lines) == 6 + 10 + 1
    assert lines[-1] == "… og 2 mere"
    assert ENGLISH.search("\n".join(lines)) is None
    assert faults_of(totals(), []) == []
