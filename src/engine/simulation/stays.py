"""Hospital stays by chance: a seeded walk over the 18 codes, as the clinical rules let them follow."""

import heapq
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from engine.domain.advis import AdvisCode, EncounterClass, Unit
from engine.simulation.made_up import BRUNO, TestPerson, choose, dice, made_up_id, made_up_person
from engine.simulation.messages import DEATHS, HnSpec, base_of, is_cancellation
from engine.simulation.resources import ProvenanceSpec
from engine.simulation.roster import Hospital, SimKommune, hospitals, regions
from engine.wire import fhir

MEAN_MESSAGES_PER_STAY = 2.8  # measured over 14 000 stays; held by a test

JSON_SHARE = 0.3  # of the adviser, the rest are XML
LATIN1_SHARE = 0.1  # of the XML ones: older systems declare ISO-8859-1
BRUNO_SHARE = 0.02  # MedCom's own test person; the rest are made up
TRANSFER_SHARE = 0.08  # of the steps from an STIN: to another hospital, as a new STIN and without an SLHJ
OTHER_REGION_SHARE = 0.25  # of the transfers
OTHER_REGION_HOSPITAL_SHARE = 0.05  # of the stays: admitted while travelling
DEPARTMENT_SHARE = 0.5  # of the stays name a department below the hospital as serviceProvider
LPR3_SHARE = 0.5  # of the stays carry the national episode id besides the hospital's own

_SLOWEST_SENDING_SECONDS = 20  # from the event to the message

_C = AdvisCode
_OVER = None

START: dict[AdvisCode | None, float] = {_C.STAA: 0.38, _C.STIN: 0.60, _C.MORS: 0.02}

NEXT: dict[AdvisCode, dict[AdvisCode | None, float]] = {
    _C.STAA: {_C.STIN: 0.38, _C.SLHJ: 0.51, _C.MORS: 0.02, _C.RE_STAA: 0.05, _C.AN_STAA: 0.04},
    _C.STIN: {_C.SLHJ: 0.69, _C.STOR: 0.15, _C.MORS: 0.05, _C.STAA: 0.01, _C.RE_STIN: 0.06, _C.AN_STIN: 0.04},
    _C.STOR: {_C.SLOR: 0.76, _C.SLHJ: 0.06, _C.MORS: 0.04, _C.RE_STOR: 0.08, _C.AN_STOR: 0.06},
    _C.SLOR: {_C.SLHJ: 0.68, _C.STOR: 0.11, _C.MORS: 0.05, _C.RE_SLOR: 0.08, _C.AN_SLOR: 0.08},
    _C.SLHJ: {_OVER: 0.88, _C.RE_SLHJ: 0.07, _C.AN_SLHJ: 0.05},
    _C.MORS: {_OVER: 0.76, _C.RE_MORS: 0.14, _C.AN_MORS: 0.10},
}
"""What may follow what stands now, and how often. A correction leaves it standing, a cancellation gives back
what stood before; either concerns only the message sent last."""

HOURS: dict[AdvisCode, tuple[float, float]] = {
    _C.STAA: (1, 6),
    _C.STIN: (1, 8),
    _C.STOR: (18, 60),
    _C.SLOR: (20, 60),
    _C.SLHJ: (4, 96),
    _C.MORS: (2, 120),
}
"""How long after the message before it, fewest and most."""

_CORRECTION_HOURS = (0.1, 3.0)  # until a correction or a cancellation is sent
_CORRECTED_HOURS = (0.1, 0.7)  # how far a correction moves the time of the event
_FIRST_IN_A_STAY = frozenset({_C.STAA, _C.STIN})


def stays(
    roster: Sequence[SimKommune], *, seed: int, start: datetime, every: timedelta, compression: float = 1.0
) -> Iterator[HnSpec]:
    """Adviser without end, in the order of `sent_at`.

    A stay begins once in `every` on average; `compression` divides how long each takes, so that a demo of
    minutes sees whole stays.
    """
    if not roster:
        raise ValueError("the roster is empty")
    begins = dice(seed, "begins")
    moment = start
    waiting: list[tuple[datetime, int, HnSpec, Iterator[HnSpec]]] = []
    for number in itertools.count():
        while waiting and waiting[0][0] <= moment:
            _, order, spec, course = heapq.heappop(waiting)
            yield spec
            _push(waiting, order, course)
        rng = dice(seed, "stay", number)
        _push(
            waiting,
            number,
            _Stay.begin(rng, choose(rng, roster), f"{seed}/{number}", moment, compression).course(),
        )
        moment += timedelta(seconds=begins.expovariate(1.0) * every.total_seconds())


def _push(
    waiting: list[tuple[datetime, int, HnSpec, Iterator[HnSpec]]], number: int, course: Iterator[HnSpec]
) -> None:
    spec = next(course, None)
    if spec is not None:
        heapq.heappush(waiting, (spec.sent_at, number, spec, course))


def form_of(spec: HnSpec) -> tuple[str, str]:
    """Media type and encoding of an advis: a function of its id, so that copies come as the first one did."""
    rng = dice("form", spec.message_id)
    if rng.random() < JSON_SHARE:
        return fhir.JSON, "UTF-8"
    return fhir.XML, "ISO-8859-1" if rng.random() < LATIN1_SHARE else "UTF-8"


@dataclass(slots=True)
class _Stay:
    """One person's way through the hospitals; `standing` are the codes in force, the latest last."""

    rng: random.Random
    kommune: SimKommune
    name: str
    moment: datetime
    compression: float
    patient: TestPerson
    hospital: Hospital
    department: Unit | None
    episodes: tuple[str, str | None]
    standing: list[AdvisCode] = field(default_factory=list)
    history: tuple[ProvenanceSpec, ...] = ()
    encounter_class: EncounterClass = EncounterClass.IMP
    encounter: int = 0
    messages: int = 0
    started_at: datetime = field(init=False)
    event_at: dict[AdvisCode, datetime] = field(default_factory=dict)
    wants_report: bool = True  # asked for at every start but a transfer within the region

    def __post_init__(self) -> None:
        self.started_at = self.moment

    @classmethod
    def begin(
        cls, rng: random.Random, kommune: SimKommune, name: str, moment: datetime, compression: float
    ) -> "_Stay":
        away = rng.random() < OTHER_REGION_HOSPITAL_SHARE
        hospital = choose(rng, hospitals(choose(rng, regions()) if away else kommune.region))
        return cls(
            rng=rng,
            kommune=kommune,
            name=name,
            moment=moment,
            compression=compression,
            patient=BRUNO if rng.random() < BRUNO_SHARE else made_up_person(rng),
            hospital=hospital,
            department=_department(rng, hospital),
            episodes=_episodes(rng, name, 0),
        )

    def course(self) -> Iterator[HnSpec]:
        """Every message of the stay, to its end."""
        code = _draw(self.rng, START)
        while code is not None:
            yield self._say(code)
            if not self.standing:  # the start itself was cancelled
                return
            if self.standing[-1] is AdvisCode.STIN and self.rng.random() < TRANSFER_SHARE:
                self._transfer()
                code = AdvisCode.STIN
            else:
                code = self._following(code)
            self._wait(code)

    def _following(self, said: AdvisCode) -> AdvisCode | None:
        """A correction is not corrected again, though it may be cancelled; a cancellation stands."""
        barred = {"RE_", "AN_"} if is_cancellation(said) else {"RE_"} if said is not base_of(said) else set()
        choices = NEXT[self.standing[-1]].items()
        return _draw(
            self.rng, {code: share for code, share in choices if code is None or code[:3] not in barred}
        )

    def _say(self, code: AdvisCode) -> HnSpec:
        base = base_of(code)
        before = self.standing[-1] if self.standing else None
        if code in _FIRST_IN_A_STAY:
            self._start_encounter(code)
        elif before is None:  # dead on arrival
            self.encounter_class, before = EncounterClass.EMER, AdvisCode.STAA
        if base in DEATHS:
            alive = [standing for standing in self.standing if standing is not AdvisCode.MORS]
            before = alive[-1] if alive else AdvisCode.STAA
        if base is code:
            self.event_at[code] = self.moment
        elif not is_cancellation(code):
            self._correct(base)
        sent_at = self.moment + timedelta(seconds=self.rng.uniform(1, _SLOWEST_SENDING_SECONDS))
        self.messages += 1
        spec = HnSpec(
            code=code,
            kommune=self.kommune.unit,
            hospital=self.hospital.unit,
            department=self.department,
            patient=self.patient,
            message_id=made_up_id("advis", self.name, self.messages),
            bundle_id=made_up_id("bundle", self.name, self.messages),
            encounter_id=made_up_id("encounter", self.name, self.encounter),
            encounter_class=self.encounter_class,
            standing=before or AdvisCode.STIN,
            started_at=self.started_at,
            ended_at=self.event_at.get(base),
            leave_start=self.event_at.get(AdvisCode.STOR),
            leave_end=self.event_at.get(AdvisCode.SLOR),
            sent_at=sent_at,
            episode_local=self.episodes[0],
            episode_lpr3=self.episodes[1],
            history=self.history,
            report_of_admission=code in _FIRST_IN_A_STAY and self.wants_report,
        )
        self.moment = sent_at
        self.history = (*self.history, spec.provenance)
        if is_cancellation(code):
            self.standing.pop()
        elif base is code:
            self.standing.append(code)
        return spec

    def _start_encounter(self, code: AdvisCode) -> None:
        """A start, also from acute to admitted, is a new Encounter with a new time and no history."""
        self.encounter += 1
        self.encounter_class = EncounterClass.EMER if code is AdvisCode.STAA else EncounterClass.IMP
        self.started_at = self.moment
        self.standing, self.history, self.event_at = [], (), {}

    def _correct(self, base: AdvisCode) -> None:
        """It happened somewhat earlier than was said."""
        earlier = timedelta(hours=self.rng.uniform(*_CORRECTED_HOURS) / self.compression)
        self.event_at[base] -= earlier
        if base in _FIRST_IN_A_STAY:
            self.started_at -= earlier
        self.started_at = min(self.started_at, self.event_at[base])  # dead on arrival: both are the same

    def _transfer(self) -> None:
        """To another hospital; the one that refers sends nothing."""
        self.wants_report = self.rng.random() < OTHER_REGION_SHARE
        others = [r for r in regions() if r != self.hospital.region]
        region = choose(self.rng, others) if self.wants_report else self.hospital.region
        self.hospital = choose(self.rng, [h for h in hospitals(region) if h is not self.hospital])
        self.department = _department(self.rng, self.hospital)
        self.episodes = _episodes(self.rng, self.name, self.messages)

    def _wait(self, code: AdvisCode | None) -> None:
        if code is not None:
            fewest, most = HOURS[code] if base_of(code) is code else _CORRECTION_HOURS
            self.moment += timedelta(hours=self.rng.uniform(fewest, most) / self.compression)


def _draw(rng: random.Random, choices: dict[AdvisCode | None, float]) -> AdvisCode | None:
    return rng.choices(list(choices), list(choices.values()))[0]


def _department(rng: random.Random, hospital: Hospital) -> Unit | None:
    return choose(rng, hospital.departments) if rng.random() < DEPARTMENT_SHARE else None


def _episodes(rng: random.Random, name: str, part: int) -> tuple[str, str | None]:
    """The hospital's own episode id and, where it has one, the national one, which is a version-5 UUID."""
    lpr3 = made_up_id("lpr3", name, part) if rng.random() < LPR3_SHARE else None
    return made_up_id("episode", name, part), lpr3
