"""A home at one instant, as the engine itself has made it among simulated hospitals and receivers: the same each time.

Empty: nothing is connected. Busy: everything goes well. Overdue: two receivers have fallen silent. Incident: the
Beskedfordeler has stopped accepting. Time, seed and ids are fixed, so that the same program draws the same picture.
"""

import asyncio
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from unittest.mock import patch
from uuid import UUID

from sqlalchemy import event

from engine.clock import SimulatedClock
from engine.desk.act import Act
from engine.desk.cases import list_cases, take_case
from engine.desk.incidents import declare_incident, incident_texts, list_incidents
from engine.desk.office import Office
from engine.desk.requests import hand_in
from engine.desk.template import set_field
from engine.desk.typed import TypedField
from engine.domain.incident import IncidentState
from engine.flow.mail_texts import MailTexts
from engine.home import Home, payload_key
from engine.ports import OutgoingBesked, SendResult
from engine.service import Engine, Links
from engine.settings import Settings
from engine.simulation import FLAWLESS, Habits, Script, SimKommune, Simulation, demo_roster
from engine.simulation.folders import HomeMailboxes
from engine.simulation.history import seed_traffic
from engine.simulation.registered import connect_roster
from engine.store.payloads import PayloadBox

BEGINS = datetime(2026, 11, 24, 7, 15, tzinfo=UTC)  # a Tuesday, a quarter past eight in Denmark
PERSON = "mette"
SEED = 7
_KOMMUNER = 16
_STEP, _LAST_STEP, _LAST = timedelta(minutes=1), timedelta(seconds=10), timedelta(minutes=3)
_LENGTH = timedelta(minutes=85)
_PEOPLE_ACT = timedelta(minutes=6)  # so long before the end
_SILENT = ("Sensum Bosted", "Modulus Social")
_IDS = ("engine.flow.accept", "engine.flow.copies", "engine.flow.outgoing", "engine.flow.mailing")


class Scene(StrEnum):
    """What there is to see."""

    EMPTY = "tom"
    BUSY = "travl"
    OVERDUE = "overskredet"
    INCIDENT = "haendelse"


class _Beskedfordeler:
    """The folders' own, until it accepts nothing any more."""

    def __init__(self, folders: object) -> None:
        self._folders = folders
        self.is_down = False

    async def publish(self, beskeder: Sequence[OutgoingBesked]) -> Sequence[SendResult]:
        if self.is_down:
            return [SendResult("Beskedfordeleren svarer ikke (tidsgrænsen er nået)") for _ in beskeder]
        results: Sequence[SendResult] = await self._folders.publish(beskeder)  # type: ignore[attr-defined]
        return results


def clock_of(scene: Scene) -> SimulatedClock:
    """A clock that stands at the instant that is shown, as the home's own timekeeping has it."""
    clock = SimulatedClock(BEGINS)
    if scene is not Scene.EMPTY:
        clock.advance(_LENGTH)
    return clock


def make_scene(scene: Scene, path: Path) -> tuple[Home, SimulatedClock]:
    """Make it in a new folder; the home, and the clock at the instant that is shown."""
    clock = SimulatedClock(BEGINS)
    with _same_ids():
        home = Home.create(path, clock, PERSON)
        if scene is Scene.EMPTY:
            return home, clock
        asyncio.run(_play(scene, home, clock))
    return home, clock


async def _play(scene: Scene, home: Home, clock: SimulatedClock) -> None:
    roster = demo_roster(_KOMMUNER, SEED)
    settings = Settings.load(home)
    db = home.open_database()
    # Nothing here has to survive a power cut.
    event.listen(db.engine, "connect", lambda conn, _: conn.execute("PRAGMA synchronous=OFF"))
    links = Links.chosen(home, settings)
    beskedfordeler = _Beskedfordeler(links.beskedfordeler)
    links = replace(links, beskedfordeler=beskedfordeler)
    engine = Engine(db, PayloadBox(payload_key(home)), clock, settings, links, MailTexts(home.mail_templates))
    with Office(home, PERSON, clock) as office:
        with office.administering() as act:
            connect_roster(act, roster)
            seed_traffic(act.tx, clock.now(), SEED)
            _fill_in(act, roster)
        # The rates are those of a forenoon; the stays are shortened, so that all codes are seen within an hour.
        script = Script(
            roster=_answering(roster, scene),
            seed=SEED,
            start=BEGINS,
            stay_every=timedelta(seconds=45),
            compression=400.0,
            habits=FLAWLESS if scene is Scene.BUSY else Habits(prompt=0.97, negative=0.015, transient=0.015),
            beskedtype_kvittering=settings.beskedtype_medcomkvittering,
        )
        simulation = Simulation(HomeMailboxes(home), script)
        ends = BEGINS + _LENGTH
        while clock.now() < ends:
            left = ends - clock.now()
            beskedfordeler.is_down = scene is Scene.INCIDENT and left < timedelta(minutes=14)
            _as_old(home, clock)
            simulation.step(clock.now())
            _as_old(home, clock)
            await engine.drain()
            if left == _PEOPLE_ACT:
                _at_work(office, settings, scene)
            clock.advance(_LAST_STEP if left <= _LAST else _STEP)
        await engine.drain()
    db.close()


def _answering(roster: Sequence[SimKommune], scene: Scene) -> tuple[SimKommune, ...]:
    """The kommuner as the simulation acts for them: in two of them a system has fallen silent."""
    if scene is not Scene.OVERDUE:
        return tuple(roster)
    silent = [kommune for kommune in roster if any(each.name in _SILENT for each in kommune.receivers)][:3]
    return tuple(
        replace(kommune, receivers=tuple(each for each in kommune.receivers if each.name not in _SILENT))
        if kommune in silent
        else kommune
        for kommune in roster
    )


def _fill_in(act: Act, roster: Sequence[SimKommune]) -> None:
    """Some of what people type in."""
    for number, kommune in enumerate(roster[:8]):
        set_field(
            act,
            kommune.code,
            TypedField.ADMINISTRATOR,
            f"Administrator {number + 1}, tlf. 70 00 00 {number:02}",
        )
    first = roster[0]
    set_field(
        act, first.code, TypedField.VENDOR_CONTACT, "Vagten, tlf. 70 00 01 00", receiver=first.primary.uuid
    )
    other = next(each for each in roster[1].receivers if not each.is_primary)
    fields = {
        "old_name": roster[1].primary.name,
        "old_uuid": roster[1].primary.uuid,
        "new_name": other.name,
        "new_uuid": other.uuid,
        "at": "2026-12-01 10:00",
    }
    hand_in(act, roster[1].code, "3.3", fields)


def _at_work(office: Office, settings: Settings, scene: Scene) -> None:
    """What people have done by then: one case is taken, the incident is declared."""
    with office.administering() as act:
        cases = list_cases(act.conn)
        if scene is Scene.OVERDUE and cases:
            take_case(act, settings, cases[0].id, "Leverandøren er ringet op og undersøger det")
        for line in list_incidents(act.conn, open_only=True):
            if scene is Scene.INCIDENT and line.state is IncidentState.PROPOSED:
                declare_incident(act, settings, incident_texts(office.home), line.id)


def _as_old(home: Home, clock: SimulatedClock) -> None:
    """Every file is as old as the scene says, so that all are taken in the order of their names."""
    at = clock.now().timestamp()
    for folder in (home.vans_in, home.afsend, home.vans_out, *home.dueslag.iterdir()):
        for path in folder.iterdir():
            if path.is_file():
                os.utime(path, (at, at))


@contextmanager
def _same_ids() -> Iterator[None]:
    """The ids that the engine draws by chance, the same each time."""
    rng = random.Random(SEED)  # noqa: S311 - repeatable on purpose

    def drawn() -> UUID:
        return UUID(int=rng.getrandbits(128), version=4)

    patches = [patch(f"{module}.uuid4", drawn) for module in _IDS]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()
