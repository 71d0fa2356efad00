"""The demo without a terminal: the whole path on a fresh home, among hospitals and receivers in software; what came of
it, in numbers. With a terminal it is the console on console/demo_world.py.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from rich.console import Console

from console.danish import number
from engine.home import Home
from engine.simulation import DEMO, Lack, Missing, SimKommune, Simulation, Totals, demo_roster, simulate
from engine.simulation.simulation import utc_now

SIMULATED_MINUTES = 120  # pass in the demo, however long it lasts: room for two copies and the late answers
SENDING_SHARE = 2 / 3  # of the time; the rest is for the late ones
ADVISER_PER_SECOND = 12.0
COMPRESSION = 150.0  # a stay of two days in 20 simulated minutes
GRACE_SECONDS = 15.0  # for what is on its way when the time is over
MOST_MISSING_SHOWN = 10
INTERRUPTED = 130  # as a shell tells of Ctrl+C

_LACKS = {
    Lack.RECEIPT: "mangler bekræftelse af VANS-konvolut",
    Lack.PUBLICATION: "er ikke nået frem til dueslag",
    Lack.ANSWER: "mangler svar til sygehuset; primært system",
}


@dataclass(frozen=True, slots=True)
class DemoFigures:
    """What the engine has done so far."""

    received: int = 0  # adviser
    published: int = 0  # adviser
    acknowledged: int = 0  # kvitteringer that have come
    expected: int = 0  # kvitteringer that are or were waited for
    answered: int = 0  # adviser of which the hospital has got the verdict
    pending: int = 0  # kvitteringer that are waited for now
    copies: int = 0
    fatal_errors: int = 0
    transient_errors: int = 0


class DemoEngine(Protocol):
    """What the demo needs of the engine; figures can be asked for at any time."""

    @property
    def beskedtype_kvittering(self) -> str:
        """The UUID of MedComKvittering 1.0 in the home's settings."""
        ...

    def connect(self, roster: Sequence[SimKommune]) -> None:
        """Connect the kommuner and add their receivers."""
        ...

    def start(self) -> None:
        """Begin to work, beside the caller."""
        ...

    def stop(self) -> None:
        """Finish what is in hand and stop; figures can still be asked for."""
        ...

    def figures(self) -> DemoFigures: ...


@dataclass(slots=True)
class _Outcome:
    totals: Totals | None = None
    missing: tuple[Missing, ...] = ()
    interrupted: bool = False


def run_demo(
    home_dir: Path | None,
    seconds: float,
    seed: int,
    kommuner: int,
    *,
    make_engine: Callable[[Home], DemoEngine],
    console: Console | None = None,
    now: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Run the demo in `home_dir`, or in a new temporary folder, and print what happened.

    `make_engine` makes the home and its engine. Gives 0 where nothing was lost, 1 with what is missing, 130
    after Ctrl+C.
    """
    console = console or Console()
    home = Home(home_dir or Path(tempfile.mkdtemp(prefix="sundhedsagent-demo-")))
    roster = demo_roster(kommuner, seed)
    engine = make_engine(home)
    engine.connect(roster)
    outcome = _Outcome()

    def observe(simulation: Simulation) -> None:
        outcome.totals = simulation.totals

    engine.start()
    try:
        outcome.totals, outcome.missing = simulate(
            home,
            roster,
            seed=seed,
            seconds=seconds,
            rate=ADVISER_PER_SECOND,
            speed=SIMULATED_MINUTES * 60 / seconds,
            beskedtype_kvittering=engine.beskedtype_kvittering,
            compression=COMPRESSION,
            habits=DEMO,
            sending_share=SENDING_SHARE,
            grace_seconds=GRACE_SECONDS,
            now=now,
            sleep=sleep,
            observe=observe,
        )
    except KeyboardInterrupt:
        outcome.interrupted = True
    finally:
        engine.stop()
    systems = sum(len(kommune.receivers) for kommune in roster)
    _say(console, f"Demo: {number(len(roster))} kommuner med {number(systems)} modtagersystemer", "")
    _say(console, *summary(engine.figures(), outcome.totals), "")
    return _conclude(console, home, outcome)


def _conclude(console: Console, home: Home, outcome: _Outcome) -> int:
    """Say whether it went well, and where to look; gives the exit status."""
    faults = faults_of(outcome.totals, outcome.missing) if outcome.totals else ["Intet er sendt"]
    if outcome.interrupted:
        status = INTERRUPTED
        _say(console, "Afbrudt, før alt var nået frem.")
    elif faults:
        status = 1
        _say(console, "Noget mangler eller er forkert:", *(f"  {fault}" for fault in faults))
    else:
        status = 0
        _say(console, "Intet er gået tabt: hvert advis er bekræftet og fordelt til alle modtagere.")
    _say(console, f"Hjemmemappe: {home.path}", f"Se mere med: sundhedsagent --home {home.path} status")
    return status


def summary(figures: DemoFigures, totals: Totals | None) -> list[str]:
    """What happened, as lines of text: the engine's own figures, and those of the hospitals beside them."""
    rows = [
        ("Modtaget", number(figures.received), "adviser"),
        ("Fordelt", number(figures.published), "adviser"),
        ("Kvitteret", number(figures.acknowledged), f"af {number(figures.expected)} ventede kvitteringer"),
        ("Besvaret", number(figures.answered), "adviser, svar sendt til sygehuset"),
        ("Afventer", number(figures.pending), "kvitteringer"),
        ("Genfremsendelser", number(figures.copies), "fra sygehusene"),
        ("Afvist", number(figures.fatal_errors), "kvitteringer (fatal-error)"),
        ("Midlertidig fejl", number(figures.transient_errors), "kvitteringer (transient-error)"),
    ]
    if totals is not None:
        rows += [
            ("Set udefra", number(totals.sent), "adviser sendt af sygehusene"),
            ("", number(totals.receipts), "VANS-konvolutter bekræftet"),
            ("", number(totals.published), "adviser nået frem til alle deres modtagere"),
            ("", number(totals.answered), "adviser besvaret hos sygehuset"),
            ("", number(totals.repeated_answers), "svar gentaget"),
        ]
    return [f"  {name:<18}{value:>8}  {what}" for name, value, what in rows]


def faults_of(totals: Totals, missing: Sequence[Missing]) -> list[str]:
    """What a demo that went well has none of, in words."""
    counted = [
        (totals.altered, "adviser er ændret undervejs"),
        (totals.altered_answers, "svar er ændret på vej til sygehuset"),
        (totals.contradictions, "svar modsiger et tidligere svar"),
        (totals.unreadable, "filer kan ikke læses"),
        (totals.unknown, "beskeder hører ikke til en advis, der er sendt"),
        (totals.negative_receipts, "VANS-konvolutter er afvist"),
    ]
    faults = [f"{number(count)} {what}" for count, what in counted if count]
    faults += [f"Advis {m.message_id} {_LACKS[m.lack]} {m.where}" for m in missing[:MOST_MISSING_SHOWN]]
    if len(missing) > MOST_MISSING_SHOWN:
        faults.append(f"… og {number(len(missing) - MOST_MISSING_SHOWN)} mere")
    return faults


def _say(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
