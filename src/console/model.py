"""What all pages share: how the whole is, who looks, and how old the picture is. No Textual here."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING

from console.danish import ago, clock, in_words, number, one_line
from console.widgets.spans import Cell, clipped, width_of
from engine.domain.incident import IncidentState

if TYPE_CHECKING:  # the database's modules take longer to import than the first picture may
    from engine.desk.access import Caller
    from engine.desk.glance import Glance
    from engine.desk.incidents import IncidentLine
    from engine.desk.overview import Channel

OLD_S, VERY_OLD_S = 5.0, 30.0  # how old the picture may be before it says so loudly
_ENGINE_LATE = timedelta(minutes=3)  # it tells every ten seconds that it is at work


class Need(Enum):
    """What an action asks of the one who does it (behaviour, section 10)."""

    NOTHING = auto()
    READ_ALL = auto()
    SERVE = auto()
    ADMINISTER = auto()
    FILL_IN = auto()  # of the kommune in question
    READ_AUDIT = auto()


_CHANGES = (Need.SERVE, Need.ADMINISTER, Need.FILL_IN)
_REFUSALS = {
    Need.READ_ALL: "Det kræver rollen hotline, administrator eller auditor.",
    Need.SERVE: "Det kræver rollen hotline eller administrator.",
    Need.ADMINISTER: "Det kræver rollen administrator.",
    Need.FILL_IN: "Det kræver rollen administrator, eller rollen kommune for den kommune.",
    Need.READ_AUDIT: "Det kræver rollen administrator eller auditor.",
}


def why_not(need: Need, caller: "Caller | None", kommune: str | None = None) -> str | None:
    """Why the caller may not, in Danish; None where they may."""
    if need is Need.NOTHING:
        return None
    if caller is None:
        return "Vent, til data er hentet."
    if need in _CHANGES and caller.why_no_change is not None:
        return caller.why_no_change
    roles = {role.value for role in caller.roles}
    may = {
        Need.READ_ALL: caller.reads_all,
        Need.SERVE: bool(roles & {"hotline", "administrator"}),
        Need.ADMINISTER: "administrator" in roles,
        Need.FILL_IN: "administrator" in roles or (kommune in caller.kommuner),
        Need.READ_AUDIT: bool(roles & {"administrator", "auditor"}),
    }[need]
    if may:
        return None
    has = ", ".join(sorted(roles)) or "ingen"
    return f"{_REFUSALS[need]} Du har: {has}."


class Sign(Enum):
    """How something is: a shape and a tone, and always a word beside them."""

    GOOD = ("●", "ok")
    NOTE = ("◆", "warn")
    BAD = ("▲", "alarm")
    UNKNOWN = ("·", "dim")

    @property
    def shape(self) -> str:
        return self.value[0]

    @property
    def tone(self) -> str:
        return self.value[1]


@dataclass(slots=True)
class State:
    """The latest picture. `looked_at` is by a clock that nobody sets, in seconds."""

    caller: "Caller | None" = None
    glance: "Glance | None" = None
    engine_runs: bool | None = None  # None: nobody has looked yet
    away: str | None = None  # why the database cannot be read, Danish
    looked_at: float | None = None
    waiting: int = 0  # what requires a person

    def age_s(self, now: float) -> float | None:
        return None if self.looked_at is None else max(0.0, now - self.looked_at)

    @property
    def incident(self) -> "IncidentLine | None":
        """The one that the banner tells of: a declared one before a proposed one, the oldest first."""
        found = sorted(
            self.glance.incidents if self.glance else (),
            key=lambda line: (line.state is not IncidentState.DECLARED, line.id),
        )
        return found[0] if found else None


def engine_sign(state: State) -> tuple[Sign, str]:
    """How the engine is, in one word and its sign."""
    if state.engine_runs is None or state.glance is None:
        return Sign.UNKNOWN, "Motor"
    if not state.engine_runs:
        return Sign.BAD, "Motoren kører ikke"
    seen = state.glance.engine_seen_at
    if seen is not None and state.glance.at - seen > _ENGINE_LATE:
        return Sign.BAD, "Motoren svarer ikke"
    return (Sign.NOTE, "Motor: noget står stille") if state.glance.stalls else (Sign.GOOD, "Motor")


def channel_sign(channel: "Channel") -> Sign:
    if channel.up is None:
        return Sign.UNKNOWN
    return Sign.GOOD if channel.up else Sign.BAD


def channel_word(channel: "Channel", now: datetime) -> str:
    """How a channel is, in words."""
    if channel.up is None:
        return "ikke brugt endnu"
    if channel.up:
        return f"virker, senest {ago(channel.good_at, now)}"
    return f"nede siden {ago(channel.bad_since, now).removesuffix(' siden')}: {one_line(channel.error or '')}"


def status_spans(state: State, now: datetime, mono: float, width: int) -> list[Cell]:
    """The top line, the most important first: what is cut off on a narrow screen can be done without."""
    left, age = _left(state, mono), _age(state, now, mono)
    room = width - 2 - width_of(age)
    who = _who(state)
    if width_of(_joined(left)) + width_of(who) > room:
        who = _limits(state)
    room -= width_of(who)
    while width_of(_joined(left)) > room and len(left) > _NEVER_CUT:
        left.pop()
    spans = [(" ", ""), *clipped(_joined(left), room)]
    gap = max(1, width - width_of(spans) - width_of(who) - width_of(age))
    return [*spans, (" " * gap, ""), *who, *age]


_NEVER_CUT = 3
_ONLY_READS = "kun læsning"


def _left(state: State, mono: float) -> list[list[Cell]]:
    glance = state.glance
    if state.away is not None:
        return [[(f"▲ Ingen data: {one_line(state.away)}", "alarm")]]
    if glance is None:
        return [[("Henter …", "dim")]]
    parts: list[list[Cell]] = []
    age = state.age_s(mono) or 0.0
    if age >= VERY_OLD_S:
        parts.append([("▲ Gamle data", "alarm")])
    elif age >= OLD_S:
        parts.append([("◆ Gamle data", "warn")])
    engine, told = engine_sign(state)
    if engine is Sign.BAD:
        parts.append([(f"▲ {told}", "alarm")])
    parts += [[(f"▲ {_name(each)} nede", "alarm")] for each in glance.channels if each.up is False]
    parts.append(_count(glance.overdue, "overskredet", "▲", "alarm"))
    parts.append(_count(glance.soon, "snart", "◆", "warn"))
    parts.append([(f"{number(glance.pending)} afventer", "")])
    if engine is not Sign.BAD and glance.engine_seen_at is not None:
        parts.append([(f"{engine.shape} {told}", engine.tone)])
    parts += [
        [(f"{Sign.GOOD.shape} {_name(channel)}", Sign.GOOD.tone)] for channel in glance.channels if channel.up
    ]
    if state.waiting:
        parts.append([(f"{number(state.waiting)} kræver handling", "warn")])
    return parts


_SHORT = {
    "channel:vans-in": "VANS ind",
    "channel:vans-out": "VANS ud",
    "channel:beskedfordeler": "BF",
    "channel:mail": "Mail",
    "channel:driftstatus": "Driftstatus",
}


def _name(channel: "Channel") -> str:
    return _SHORT.get(channel.name, channel.what)


def _count(count: int, word: str, shape: str, tone: str) -> list[Cell]:
    return [(f"{shape} {number(count)} {word}", tone)] if count else [(f"0 {word}", "dim")]


def _who(state: State) -> list[Cell]:
    if state.caller is None:
        return []
    roles = ", ".join(sorted(role.value for role in state.caller.roles))
    limited = f", {_ONLY_READS}" if state.caller.only_reads else ""
    return [(f"{state.caller.identity} ({roles}{limited})  ", "dim")]


def _limits(state: State) -> list[Cell]:
    """That nothing can be changed here is worth its room also where nobody's name has any."""
    return [(f"{_ONLY_READS}  ", "dim")] if state.caller is not None and state.caller.only_reads else []


def _age(state: State, now: datetime, mono: float) -> list[Cell]:
    """How old the picture is; seen whatever else there is to tell."""
    age = state.age_s(mono)
    if age is None:
        return [(f"{clock(now)} ", "")]
    told = f"{age:.0f} s" if age < VERY_OLD_S else in_words(timedelta(seconds=age))
    return [(f"data {told}  ", "alarm" if age >= VERY_OLD_S else ""), (f"{clock(now)} ", "")]


def _joined(parts: list[list[Cell]]) -> list[Cell]:
    spans: list[Cell] = []
    for part in parts:
        if spans:
            spans.append(("  ", ""))
        spans += part
    return spans


def banner(state: State) -> str | None:
    """The line of an open incident, Danish; None where there is none."""
    line = state.incident
    if line is None or state.glance is None:
        return None
    others = len(state.glance.incidents) - 1
    more = f" (og {others} mere)" if others else ""
    kind = "MAJOR INCIDENT" if line.state is IncidentState.DECLARED else "FORESLÅET MAJOR INCIDENT"
    return f"■ {kind}: {one_line(line.title)} · {line.stands}{more} · 6 åbner"
