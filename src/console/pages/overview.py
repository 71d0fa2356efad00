"""1 Overblik: are we fine? And below it all that waits for a person."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from textual import on
from textual.containers import Horizontal
from textual.widget import Widget

from console.danish import ago, counted, number, one_line, short_name
from console.model import Sign, channel_sign, channel_word, engine_sign
from console.pages.page import Page
from console.widgets.live_table import Column, LiveTable
from console.widgets.sheet import Figure, Sheet
from console.widgets.spans import BLANK, Cell, Line, heading, line
from engine.local_time import local

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.curve import Curve, Usual
    from engine.desk.glance import Glance
    from engine.desk.office import Visit
    from engine.desk.todo import Todo, TodoItem

_BLOCKS = " ▁▂▃▄▅▆▇█"
_TALL = 24  # lines of a screen that has room for more than numbers
_VERY_TALL = 38
_CHART_LINES = 5


@dataclass(frozen=True, slots=True)
class OverviewData:
    todo: "Todo"
    curves: "tuple[Curve, ...]"
    today: int  # adviser


class Overview(Page[OverviewData]):
    """The numbers open the lists that they count."""

    view = "overblik"
    ABOUT = (
        "Øverst står, om alt går, som det skal: hver forbindelse med tegn og ord, hvad der afventer, og dagens trafik "
        "mod det sædvanlige, hvor genfremsendelser tæller med. Gå op i tallene med tab, og tryk enter: så åbner listen "
        "bag tallet. Nederst står alt, hvad der venter på et menneske, det ældste først, med hvem der skal ringes til "
        "og hvad der skal siges."
    )
    HAS = ("aabn", "sag.tag", "behandlet", "overskredne", "kopier")

    def __init__(self) -> None:
        super().__init__()
        self._usual: Usual | None = None
        self._counted: tuple[datetime | None, int, int] = (
            None,
            0,
            0,
        )  # the day, its adviser, the newest of them
        self._data: OverviewData | None = None

    def content(self) -> Iterable[Widget]:
        yield Figure(id="truth")
        with Horizontal(id="top"):
            yield Sheet(id="state")
            yield Figure(id="traffic")
        with Horizontal(id="waits"):
            yield LiveTable(self._columns(), empty="Intet kræver handling.", id="todo")
            yield Sheet(id="beside")

    DEFAULT_CSS = """
    Overview #truth { height: auto; max-height: 2; }
    Overview #top { height: auto; max-height: 4; }
    Overview.-hoej #top { max-height: 70%; }
    Overview #state { height: auto; max-height: 100%; }
    Overview #traffic { display: none; width: 54; height: auto; }
    Overview.-hoej.-bred #traffic, Overview.-hoej.-meget-bred #traffic { display: block; }
    Overview #waits { height: 1fr; min-height: 4; }
    """

    def on_mount(self) -> None:
        self.query_one("#todo").focus()

    def _columns(self) -> Sequence[Column["TodoItem"]]:
        now = self._now
        return (
            Column("Kræver handling", _what, 24, share=3),
            Column("Ventet", lambda item: (ago(item.since, now()).removesuffix(" siden"), "warn"), 10),
            Column("Ring til", lambda item: (_call(item), "dim"), 20, share=1, yields=1),
        )

    def _now(self) -> datetime:
        return self.console_app.clock.now()

    # --- data ---------------------------------------------------------------------------------------------------------

    def fetch(self, visit: "Visit", desk: "Desk") -> OverviewData:
        from engine.desk.curve import curves, learn_usual
        from engine.desk.stream import count_since
        from engine.desk.todo import todo

        now = desk.clock.now()
        found: tuple[Curve, ...] = ()
        if visit.only is None:
            if self._usual is None or not self._usual.holds(now):
                self._usual = learn_usual(visit.conn, now)
            found = curves(visit.conn, now, self._usual)
            day, count, newest = self._counted
            midnight = local(now).replace(hour=0, minute=0, second=0, microsecond=0)
            if day != midnight:
                count = newest = 0
            more, newest = count_since(visit.conn, midnight, newest)
            self._counted = (midnight, count + more, newest)
        waiting = todo(visit.conn, desk.settings, now, only=visit.only)
        return OverviewData(waiting, found, self._counted[1])

    def show(self, data: OverviewData) -> None:
        self._data = data
        self.console_app.state.waiting = sum(data.todo.counts.values())
        self.query_one("#todo", LiveTable).show_list(data.todo.items, lambda item: item.key)
        self._draw()

    def tick(self) -> None:
        self.query_one("#todo", LiveTable).tick()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        glance = self.console_app.state.glance
        if glance is None or self._data is None:
            return
        beside = self.query_one("#traffic", Figure)
        self.query_one("#truth", Figure).show([_truth(self, glance, self._data)])
        self.query_one("#state", Sheet).show(self._lines(glance, self._data, with_curve=not beside.display))
        if beside.display:
            beside.show(_chart(self._data.curves) if self._data.curves else ())
        self._moved()

    def _lines(self, glance: "Glance", data: OverviewData, *, with_curve: bool) -> list[Line]:
        numbers = _numbers(glance, data)
        if self.size.height < _TALL:
            return numbers[:3]
        lines = [*_channels(self, glance), BLANK, *numbers]
        if with_curve and data.curves:
            lines += [BLANK, *_small_chart(data.curves[0])]
            lines += _regions(data.curves[1:]) if self.size.height >= _VERY_TALL else []
        return lines

    # --- doing --------------------------------------------------------------------------------------------------------

    @on(LiveTable.Moved)
    def _moved(self) -> None:
        item = self._item
        pane = self.query_one("#beside", Sheet)
        if pane.display:
            pane.show(() if item is None else todo_lines(item, self._now()))
        self.refresh_where()

    @on(LiveTable.Opened)
    def _opened_item(self, event: "LiveTable.Opened") -> None:
        open_item(self, event.row)

    @on(Sheet.Opened, "#state")
    def _opened_number(self, event: Sheet.Opened) -> None:
        view, _, what = event.link.partition(" ")
        self.console_app.go_and_show(view, what)

    @property
    def _item(self) -> "TodoItem | None":
        row: TodoItem | None = self.query_one("#todo", LiveTable).row
        return row

    def do_overskredne(self) -> None:
        self.console_app.go_and_show("kvitteringer", "overskredne")

    def do_kopier(self) -> None:
        item = self._item
        if item is not None:
            text = "\n".join((item.what, *(contact.shown for contact in item.call), item.say))
            self.console_app.copy(text, "hvem der skal ringes til og hvad der skal siges")

    def do_tag(self) -> None:
        item = self._item
        kind, _, number_ = item.key.partition(":") if item else ("", "", "")
        if kind != "sag":
            self.console_app.say("Kun sager kan tages. Punktet åbnes med enter.", "warn")
            return
        from console.pages.case import take_form

        self.console_app.open(take_form(self.console_app, int(number_), None))

    def do_behandlet(self) -> None:
        item = self._item
        if item is None:
            return
        from console.pages.todo_forms import handled_form

        self.console_app.open(handled_form(self.console_app, item))


def open_item(page: "Page[Any]", item: "TodoItem") -> None:
    """Open what a point of Kræver handling is about."""
    from console.pages.opening import page_of

    found = page_of(item, page.console_app)
    if found is not None:
        page.console_app.open(found)


def todo_lines(item: "TodoItem", now: datetime) -> list[Line]:
    """What it is, whom to call and what to say."""
    return [
        line((one_line(item.what), "strong")),
        line((f"Ventet {ago(item.since, now).removesuffix(' siden')}", "warn")),
        BLANK,
        heading("Ring til"),
        *(
            [line(f"{contact.shown}", indent=2) for contact in item.call]
            or [line(("Ingen udenfor huset", "dim"))]
        ),
        BLANK,
        heading("Sig"),
        *(line(part) for part in item.say.split("\n")),
    ]


def _what(item: "TodoItem") -> Cell:
    """What waits; what stops adviser first."""
    stops = item.key.partition(":")[0] in {"sag", "hændelse", "stilstand"}
    return f"{'▲' if stops else '◆'} {item.what}", "alarm" if stops else ""


def _call(item: "TodoItem") -> str:
    return "; ".join(contact.name for contact in item.call) or "–"


def _truth(page: Overview, glance: "Glance", data: OverviewData) -> Line:
    """The one line: fine or not, and why."""
    worst, told = Sign.GOOD, ["Alt går, som det skal"]
    sign, engine = engine_sign(page.console_app.state)
    faults: list[tuple[Sign, str]] = []
    if sign is Sign.BAD:
        faults.append((Sign.BAD, engine))
    faults += ((Sign.BAD, f"{channel.what} er nede") for channel in glance.channels if channel.up is False)
    if glance.incidents:
        faults.append((Sign.BAD, counted(len(glance.incidents), "åben hændelse", "åbne hændelser")))
    if glance.overdue:
        faults.append(
            (Sign.BAD, counted(glance.overdue, "kvittering er overskredet", "kvitteringer er overskredet"))
        )
    if glance.delayed:
        faults.append(
            (Sign.BAD, counted(glance.delayed, "kommune får ikke fordelt", "kommuner får ikke fordelt"))
        )
    if glance.stalls:
        faults.append((Sign.NOTE, counted(glance.stalls, "ting står stille", "ting står stille")))
    if not faults and data.todo.items:
        faults.append(
            (Sign.NOTE, counted(len(data.todo.items), "punkt kræver handling", "punkter kræver handling"))
        )
    if faults:
        worst = Sign.BAD if any(sign is Sign.BAD for sign, _ in faults) else Sign.NOTE
        told = [text for _, text in faults]
    return line((f"{worst.shape} ", worst.tone), (", ".join(told) + ".", worst.tone if faults else "strong"))


def _channels(page: Overview, glance: "Glance") -> list[Line]:
    """VANS, Beskedfordeler, mail and engine, each with its sign and word."""
    sign, engine = engine_sign(page.console_app.state)
    at = glance.engine_seen_at
    told = "kører" if sign in {Sign.GOOD, Sign.NOTE} else engine.removeprefix("Motoren ")
    cells: list[Cell] = [(f"{sign.shape} Motor: {told}, set {ago(at, glance.at)}", sign.tone)] if at else []
    if not at and glance.channels:
        told = "starter" if page.console_app.state.engine_runs else "har aldrig kørt her"
        cells = [(f"{sign.shape} Motor: {told}", sign.tone)]
    for channel in glance.channels:
        sign = channel_sign(channel)
        if channel.up is not None or channel.name != "channel:driftstatus":
            cells.append((f"{sign.shape} {channel.what}: {channel_word(channel, glance.at)}", sign.tone))
    return [line(cell, indent=2) for cell in cells]


def _numbers(glance: "Glance", data: OverviewData) -> list[Line]:
    """Each opens the list it counts."""
    free = glance.cases - glance.taken
    return [
        _number("Overskredne kvitteringer", glance.overdue, "kvitteringer overskredne", bad="alarm"),
        _number(
            "Afventende kvitteringer",
            glance.pending,
            "kvitteringer alle",
            f"{number(glance.soon)} inden for 10 min",
        ),
        _number(
            "Åbne sager",
            glance.cases,
            "kvitteringer sager",
            f"{glance.taken} taget, {free} ledige",
            bad="warn",
        ),
        _number("Afventer fordeling", glance.waiting_publications, "adviser status:modtaget", bad="warn"),
        *([_number("Adviser i dag", data.today, "adviser i-dag")] if data.curves else []),
        *(
            [_number("Åbne hændelser", len(glance.incidents), "haendelser", bad="alarm")]
            if glance.channels
            else []
        ),
    ]


def _number(name: str, count: int, link: str, told: str = "", *, bad: str = "") -> Line:
    tone = bad if count and bad else ""
    shape = {"alarm": "▲", "warn": "◆"}.get(tone, " ")
    return line(
        (f"{name:<26}", ""),
        (f"{shape}{number(count):>7}", tone or "strong"),
        (f"   {told}", "dim"),
        link=link,
    )


def _small_chart(total: "Curve") -> list[Line]:
    """Today, hour by hour, above what such hours usually bring; the same scale for both."""
    most = _most(total)
    return [
        _told_so_far(total),
        line(("i dag   ", "dim"), (_bars(total.today, most), "accent")),
        line(("plejer  ", "dim"), (_bars(total.usual, most), "dim")),
        line(("        00    06    12    18    ", "dim")),
    ]


def _chart(curves: "Sequence[Curve]") -> list[Line]:
    """Each hour of today beside what such an hour usually brings; below it the regions, on scales of their own."""
    total = curves[0]
    most = _most(total)
    lines = [_told_so_far(total)]
    for level in range(_CHART_LINES - 1, -1, -1):
        cells = []
        for today, usual in zip(total.today, total.usual, strict=True):
            cells.append((_block(today, most, level), "accent"))
            cells.append((_block(usual, most, level), "dim"))
        lines.append(Line(tuple(cells)))
    lines.append(line(("00          06          12          18      ", "dim")))
    return lines + _regions(curves[1:])


def _regions(curves: "Sequence[Curve]") -> list[Line]:
    lines = []
    for curve in curves:
        usually = "" if curve.usual_so_far is None else f"{number(round(curve.usual_so_far)):>6}"
        tone = "" if _is_usual(curve) else "warn"
        lines.append(
            line(
                (f"{short_name(curve.name):<12}", "dim"),
                (_bars(curve.today, _most(curve)), "accent"),
                (f"{'  ' if _is_usual(curve) else ' ◆'}{number(curve.so_far):>6}", tone),
                (usually, "dim"),
            )
        )
    return lines


def _told_so_far(total: "Curve") -> Line:
    usual = "" if total.usual_so_far is None else f"  █ plejer {number(round(total.usual_so_far))}"
    return line(
        ("Trafik  ", "strong"),
        (f"█ i dag {number(total.so_far)}", "accent"),
        (usual, "dim"),
        ("  til nu", "dim"),
    )


def _most(curve: "Curve") -> float:
    return max([*filter(None, curve.today), *filter(None, curve.usual), 1])


def _is_usual(curve: "Curve") -> bool:
    """A region that brings less than half of what it usually does is worth a look."""
    return (
        curve.usual_so_far is None or curve.usual_so_far < _TOO_FEW or curve.so_far * 2 >= curve.usual_so_far
    )


_TOO_FEW = 10.0


def _bars(series: "Sequence[float | None]", most: float) -> str:
    return "".join(" " if value is None else _BLOCKS[_eighths(value, most)] for value in series)


def _block(value: float | None, most: float, level: int) -> str:
    """What of a bar stands on one line of the chart; the lowest is 0."""
    return _BLOCKS[max(0, min(8, _eighths(value or 0, most, _CHART_LINES) - 8 * level))]


def _eighths(value: float, most: float, lines: int = 1) -> int:
    """The height of a bar in eighths of a line; what is there at all is seen."""
    return min(8 * lines, -(-int(value * 8 * lines) // max(1, int(most)))) if value else 0
