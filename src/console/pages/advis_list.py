"""2 Adviser: the live flow, of any length. Held are the numbers of all that pass; read is what is seen of them."""

import asyncio
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from console.danish import day_and_clock, folded, number, one_line, short_name
from console.filters import FilterError, Term
from console.pages.list_page import ListPage
from console.widgets.live_table import Column, Key
from console.widgets.spans import BLANK, Cell, Line, fact, heading, line
from engine.domain.advis import AdvisCode
from engine.domain.ids import is_uuid
from engine.errors import SundhedsagentError
from engine.local_time import local

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.look_up import AdvisFilter
    from engine.desk.office import Visit
    from engine.desk.stream import AdvisLine

_FIRST, _CHUNK = 500, 20_000  # numbers read at once: a screenful soon, then the rest behind it
_AROUND = 80  # lines read on either side of what is seen, so that a page key finds them
_SOON = 40  # fewer at hand, and more are read
_READ_AT_ONCE = 2_000  # lines, for a file
_DRAWN_S = 0.03  # a screenful has been drawn after so long
_STATES = {
    "modtaget": "received",
    "fordelt": "published",
    "kvitteret": "acknowledged",
    "besvaret": "answered",
    "afvist": "refused",
}
_MISSED = "overskredet"
_WIDE = 80  # cells that the whole way needs beside what it is about


class _Runs:
    """Numbers that grow (step 1) or fall (step -1), held as unbroken runs: a whole history is a few of them."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._starts = array("q")  # of each run its first number, times the step: so they always grow
        self._before = array("q")  # and how many numbers come before it
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: int) -> int:
        run = bisect_right(self._before, place) - 1
        return self._step * (self._starts[run] + place - self._before[run])

    @property
    def last(self) -> int | None:
        return self[self._count - 1] if self._count else None

    def place_of(self, number_: int) -> int | None:
        signed = self._step * number_
        run = bisect_right(self._starts, signed) - 1
        if run < 0:
            return None
        ends = self._before[run + 1] if run + 1 < len(self._before) else self._count
        place = self._before[run] + signed - self._starts[run]
        return place if place < ends else None

    def extend(self, found: Sequence[int]) -> None:
        """`found` goes on in the same direction."""
        if not found:
            return
        if self._step * (found[-1] - found[0]) == len(found) - 1:
            self._add_run(found[0], len(found))
            return
        for each in found:
            self._add_run(each, 1)

    def _add_run(self, first: int, length: int) -> None:
        if self.last != first - self._step:
            self._starts.append(self._step * first)
            self._before.append(self._count)
        self._count += length


class Numbers:
    """The numbers of adviser, the newest first; and the lines of those that were seen lately."""

    def __init__(self) -> None:
        self._newer, self._older = _Runs(1), _Runs(-1)  # than when the list was begun
        self._lines: dict[int, AdvisLine] = {}
        self._gone: set[int] = set()  # no longer there: not to be asked for again

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)

    def __getitem__(self, index: int) -> "AdvisLine | None":
        return self._lines.get(self.number_at(index))

    def number_at(self, index: int) -> int:
        newer = len(self._newer)
        return self._newer[newer - 1 - index] if index < newer else self._older[index - newer]

    def key_at(self, index: int) -> Key:
        return self.number_at(index)

    def index_of(self, key: Key) -> int | None:
        assert isinstance(key, int)
        newer = len(self._newer)
        place = self._newer.place_of(key)
        if place is not None:
            return newer - 1 - place
        place = self._older.place_of(key)
        return None if place is None else newer + place

    @property
    def newest(self) -> int:
        return self.number_at(0) if len(self) else 0

    @property
    def oldest(self) -> int | None:
        return self.number_at(len(self) - 1) if len(self) else None

    def missing(self, places: range) -> list[int]:
        """The numbers at these places whose lines are not at hand."""
        found = (self.number_at(place) for place in places if place < len(self))
        return [each for each in found if each not in self._lines and each not in self._gone]

    def show(self, lines: "Mapping[int, AdvisLine]") -> None:
        """These lines are what is at hand."""
        self._lines = dict(lines)

    def add_lines(self, asked: Sequence[int], lines: "Mapping[int, AdvisLine]") -> None:
        """These are at hand too. What was asked for and is not among them is gone."""
        self._lines.update(lines)
        self._gone.update(each for each in asked if each not in lines)

    def add_newer(self, found: Sequence[int]) -> None:
        """`found` is the newest first, as it was read."""
        if len(self):
            self._newer.extend(found[::-1])
        else:
            self._older.extend(found)

    def add_older(self, found: Sequence[int]) -> None:
        self._older.extend(found)


@dataclass(frozen=True, slots=True)
class AdvisLook:
    """What one look brought."""

    wanted: object  # the filter it was read for
    newer: Sequence[int]
    older: Sequence[int]
    is_whole: bool
    lines: "Mapping[int, AdvisLine]"
    waiting: int  # newer ones that are held back while it is paused


class AdvisList(ListPage[AdvisLook, "AdvisLine"]):
    """Newest on top. New ones never move what is being read: the cursor belongs to its advis."""

    view = "adviser"
    ABOUT = (
        "Adviserne, de nyeste øverst, mens de kommer. Hver række viser, hvor langt adviset er: Modtaget → Fordelt → "
        "Kvitteret 2/3 → Besvaret. Står markøren øverst, følger listen med; ellers bliver den ved det advis, du læser. "
        "Skriv / for at finde: kommune:aarhus, kode:STIN, status:overskredet, sygehus:odense, system:nexus, et "
        "MessageHeader.id eller et BeskedId. ! foran betyder: ikke."
    )
    HAS = ("aabn", "filter", "pause", "foelg", "overskredne", "advis.send-igen", "kopier", "eksporter")
    FILTERS = ("kommune", "status", "kode", "sygehus", "system", "konvolut", "fra", "til")
    EMPTY = "Ingen adviser passer."

    def __init__(self) -> None:
        super().__init__()
        self._numbers = Numbers()
        self._is_whole = False
        self._wanted: object = ()
        self._paused = False
        self._held_back = 0
        self._fills = False

    # --- what a row says ----------------------------------------------------------------------------------------------

    def columns(self) -> Sequence[Column["AdvisLine"]]:
        def now() -> datetime:
            return self.console_app.clock.now()

        return (
            Column("Modtaget", lambda row: (day_and_clock(row.received_at, now()), "dim"), 11),
            Column("Kommune", lambda row: (short_name(row.kommune_name or row.addressee), ""), 12, share=2),
            Column("Kode", lambda row: (row.code or "–", ""), 7),
            Column("Vej", way, 46, share=1) if self._is_wide else Column("Nået til", short_way, 20, share=1),
            Column("Sygehus", lambda row: (row.hospital or "–", "dim"), 20, share=2, yields=2),
            Column("Nr.", lambda row: (str(row.id), "dim"), 9, yields=1, right=True),
        )

    @property
    def _is_wide(self) -> bool:
        return self.size.width >= _WIDE or not self.size.width

    def beside(self, row: "AdvisLine") -> Sequence[Line]:
        code = AdvisCode(row.code).danish if row.code else "ukendt kode"
        text, tone = way(row)
        return [
            heading(f"Advis {row.id}"),
            line((code, "")),
            BLANK,
            line((text, tone)),
            BLANK,
            fact("Modtaget", day_and_clock(row.received_at, self.console_app.clock.now()), width=12),
            fact("Kommune", row.kommune_name or f"ingen ({row.addressee})", width=12),
            fact("Sygehus", row.hospital, width=12),
            fact("Kvitteret", f"{row.settled} af {row.expected}", width=12),
            fact("Negative", number(row.negative), "alarm" if row.negative else "", width=12),
            fact("Overskredet", number(row.missed), "alarm" if row.missed else "", width=12),
            fact("Kopier", number(row.copies), width=12),
            fact("Svar", row.verdict or "intet endnu", width=12),
            BLANK,
            line(("enter viser alt, hvad der er sket", "dim")),
        ]

    def crumbs(self) -> str:
        return "Adviser"

    def chips(self) -> Any:
        if self._paused:
            yield f" ▌▌ pause, {number(self._held_back)} nye ", "warn"
        yield from super().chips()
        if not self._is_whole:
            yield " henter flere …", "dim"

    # --- data ---------------------------------------------------------------------------------------------------------

    def fetch(self, visit: "Visit", desk: "Desk") -> AdvisLook:
        from engine.desk.stream import lines, newest_number, numbers

        wanted, held = self.terms, self._numbers
        begins_anew = wanted != self._wanted
        if begins_anew:
            held = Numbers()
        query, missed = filter_of(wanted, visit)
        whole = self._is_whole and not begins_anew
        newer: Sequence[int] = ()
        older: Sequence[int] = ()
        waiting = 0
        if not len(held):
            newer = numbers(visit.conn, query, missed=missed, limit=_FIRST)
            whole = len(newer) < _FIRST
        elif self._paused:
            waiting = max(0, newest_number(visit.conn) - held.newest)
        else:
            newer = numbers(visit.conn, query, missed=missed, above=held.newest, limit=_CHUNK)
        if len(held) and not whole:
            older = numbers(visit.conn, query, missed=missed, below=held.oldest, limit=_CHUNK)
            whole = len(older) < _CHUNK
        ids = list(newer[:_AROUND]) if begins_anew or not len(held) else self._seen_ids(len(newer))
        if not begins_anew and self.table.is_at_top:
            ids += newer[:_AROUND]
        return AdvisLook(wanted, newer, older, whole, lines(visit.conn, ids), waiting)

    def _seen_ids(self, newer: int) -> list[int]:
        held = self._numbers
        return [held.number_at(index) for index in self.table.places_seen(_AROUND) if index < len(held)]

    def show(self, data: AdvisLook) -> None:
        if data.wanted != self.terms:
            return  # another filter was set meanwhile; its own look is on the way
        if data.wanted != self._wanted:
            self._numbers, self._wanted = Numbers(), data.wanted
            self.table.start_over()
        self._numbers.add_newer(data.newer)
        self._numbers.add_older(data.older)
        self._numbers.show(data.lines)
        self._is_whole, self._held_back, self.total = data.is_whole, data.waiting, len(self._numbers)
        self.table.show(self._numbers)
        if not data.is_whole:
            self.console_app.look_now()

    def moved(self) -> None:
        super().moved()
        if not self._fills and self._numbers.missing(self.table.places_seen(_SOON)):
            self._fills = True
            self.console_app.work(self._fill(), group="fill")

    async def _fill(self) -> None:
        """Read the lines that came into sight, and nothing else: a person waits for them. Those that will come into
        sight next are read when the present ones have been drawn.
        """
        try:
            if not self._numbers.missing(self.table.places_seen()):
                await asyncio.sleep(_DRAWN_S)
            while self._numbers.missing(self.table.places_seen(_SOON)):
                held = self._numbers
                ids = held.missing(self.table.places_seen(_AROUND))
                found = await self.console_app.link.read(partial(_lines, ids=ids))
                waited_for = held.missing(self.table.places_seen())
                held.add_lines(ids, found)
                if waited_for:
                    self.table.tick()
                    super().moved()
        except SundhedsagentError:
            pass  # the feed tells what is wrong, and its next look brings the lines
        finally:
            self._fills = False

    def on_resize(self) -> None:
        super().on_resize()
        self.table.set_columns(self.columns())
        self.console_app.look_now()

    async def rows_to_export(self, most: int) -> "Sequence[AdvisLine]":
        held = self._numbers
        ids = [held.number_at(place) for place in range(min(len(held), most))]
        found: dict[int, AdvisLine] = {}
        for start in range(0, len(ids), _READ_AT_ONCE):
            part = ids[start : start + _READ_AT_ONCE]
            found.update(await self.console_app.link.read(partial(_lines, ids=part)))
        return [found[each] for each in ids if each in found]

    # --- doing --------------------------------------------------------------------------------------------------------

    def opened(self, row: "AdvisLine") -> None:
        from console.pages.advis import AdvisPage

        self.console_app.open(AdvisPage(row.id, view="adviser"))

    def check_terms(self, found: Sequence[Term]) -> None:
        for term in found:
            if term.name == "status" and _state(term.value) is None:
                raise FilterError(f"status: er {', '.join((*_STATES, _MISSED))}.")
            if term.name == "kode" and _code(term.value) is None:
                raise FilterError(f"Koden {term.value!r} findes ikke. Brug fx kode:STIN eller kode:SLHJ.")
            if term.name in {"fra", "til"}:
                _instant(term)
            if term.negated and term.name != "kommune":
                raise FilterError("Her kan ! kun stå foran kommune:")

    def preset(self, what: str) -> None:
        """Set the filter that a number of the overview stands for."""
        from console.filters import terms

        today = f"fra:{local(self.console_app.clock.now()):%Y-%m-%d}"
        self.narrow(() if what == "alle" else terms(today if what == "i-dag" else what, self.FILTERS))

    def do_pause(self) -> None:
        self._paused = not self._paused
        self.console_app.look_now()
        self.refresh_where()

    def do_foelg(self) -> None:
        self._paused = False
        self.table.action_to_end(last=False)
        self.console_app.look_now()

    def do_overskredne(self) -> None:
        on = Term(_MISSED, "status")
        self.narrow(() if self.terms == (on,) else (on,))

    def do_send_igen(self) -> None:
        from console.pages.resend import resend_form

        ids = None
        if not self.terms:
            row = self.table.row
            if row is None:
                return
            ids = [row.id]
        resend_form(self.console_app, self.terms, ids)


def way(row: "AdvisLine") -> Cell:
    """How far it has come, in words: Modtaget → Fordelt → Kvitteret 2/3 → Besvaret."""
    if row.refused:
        return "▲ Afvist af Sundhedsagenten", "warn"
    settled = f"Kvitteret {row.settled}/{row.expected}"
    if row.missed:
        settled = f"{row.missed} af {row.expected} mangler"
    elif row.negative:
        settled = f"{row.negative} af {row.expected} negativ"
    steps = ["Modtaget"]
    if row.published:
        steps.append("Fordelt")
    if row.published or row.settled:
        steps.append(settled)
    if row.verdict:
        steps.append("Besvaret")
    text = " → ".join(steps)
    if row.missed:
        return f"▲ {text}", "alarm"
    if row.negative:
        return f"◆ {text}", "warn"
    is_done = bool(row.verdict) and row.settled == row.expected
    return f"{'●' if row.verdict else '·'} {text}", "ok" if is_done else ""


def short_way(row: "AdvisLine") -> Cell:
    """The last step alone, for a narrow screen."""
    sign, tone = way(row)
    state = row.state.danish.capitalize()
    return (
        f"{sign[:1]} {state}, {row.settled}/{row.expected}" if row.published else f"{sign[:1]} {state}",
        tone,
    )


def _lines(visit: "Visit", _: "Desk", ids: Sequence[int]) -> "Mapping[int, AdvisLine]":
    from engine.desk.stream import lines

    return lines(visit.conn, ids)


def filter_of(found: Sequence[Term], visit: "Visit") -> "tuple[AdvisFilter, bool]":
    """The filter that the terms mean; whether only missed ones are wanted."""
    from engine.desk.look_up import AdvisFilter, AdvisState

    wanted, missed = AdvisFilter(kommuner=visit.only), False
    for term in found:
        match term.name:
            case "kommune":
                codes = kommuner_of(visit, term)
                known = None if wanted.kommuner is None else set(wanted.kommuner)
                wanted = replace(wanted, kommuner=codes if known is None else codes & known)
            case "status":
                state = _state(term.value)
                missed = missed or state == _MISSED
                if state is not None and state != _MISSED:
                    wanted = replace(wanted, state=AdvisState(state))
            case "kode":
                wanted = replace(wanted, code=_code(term.value))
            case "sygehus":
                wanted = replace(wanted, hospital=term.value)
            case "system":
                wanted = replace(wanted, receiver=_system(visit, term.value))
            case "konvolut":
                wanted = replace(wanted, envelope_id=term.value)
            case "fra":
                wanted = replace(wanted, since=_instant(term))
            case "til":
                wanted = replace(wanted, until=_instant(term))
            case _:
                wanted = _word(wanted, visit, term)
    return wanted, missed


def _word(wanted: "AdvisFilter", visit: "Visit", term: Term) -> "AdvisFilter":
    """A word without a name: an id, a number, a code, a kommune, and else a hospital."""
    from engine.desk.look_up import AdvisFilter, show_advis
    from engine.errors import NotFoundError

    value = term.value
    if value.isdecimal() and len(value) <= _LONGEST_NUMBER and len(value) != _KOMMUNE_CODE:
        return replace(wanted, ids=[int(value)])
    if is_uuid(value):
        try:
            return replace(wanted, ids=[show_advis(visit.conn, value, only=visit.only).id])
        except NotFoundError:
            return AdvisFilter(kommuner=wanted.kommuner, message_id=value)
    code = _code(value)
    if code is not None and not term.negated:
        return replace(wanted, code=code)
    kommuner = kommuner_of(visit, term)
    if kommuner:
        return replace(
            wanted, kommuner=kommuner if wanted.kommuner is None else kommuner & set(wanted.kommuner)
        )
    return replace(wanted, hospital=value)


_LONGEST_NUMBER, _KOMMUNE_CODE = 12, 4


def kommuner_of(visit: "Visit", term: Term) -> set[str]:
    """The codes of kommuner whose name or code begins so; of all others where it is negated."""
    from engine.desk.stream import kommune_names

    names, wish = kommune_names(visit.conn), folded(term.value)
    found = {code for code, name in names.items() if code == term.value or folded(name).startswith(wish)}
    found = found or {code for code, name in names.items() if wish in folded(name)}
    return set(names) - found if term.negated else found


def _system(visit: "Visit", text: str) -> str:
    """The name or UUID of a system as the registry has it, where one begins so."""
    from engine.desk.stream import receiver_names

    wish = folded(text)
    return next((name for name in receiver_names(visit.conn) if folded(name).startswith(wish)), text)


def _state(text: str) -> str | None:
    found = [state for word, state in {**_STATES, _MISSED: _MISSED}.items() if word.startswith(folded(text))]
    return found[0] if found else None


def _code(text: str) -> AdvisCode | None:
    return next((code for code in AdvisCode if code.value.casefold() == text.casefold()), None)


def _instant(term: Term) -> datetime:
    from engine.errors import RuleError
    from engine.local_time import exact_instant

    try:
        return exact_instant(term.value, f"{term.name}:")
    except RuleError as error:
        raise FilterError(str(error)) from error


__all__ = ["AdvisList", "Numbers", "filter_of", "one_line", "way"]
