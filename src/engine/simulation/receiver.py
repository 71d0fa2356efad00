"""A modtagersystem at the Beskedfordeler: takes adviser from its dueslag, answers them in its own manner."""

import heapq
from dataclasses import dataclass, field, replace
from datetime import datetime

from lxml import etree

from engine.domain.acknowledgement import ResponseCode
from engine.domain.advis import HospitalNotification
from engine.domain.ids import Cvr, SystemUuid
from engine.errors import WireError
from engine.simulation.envelopes import Correspondence, kvittering_besked
from engine.simulation.habits import Course, Habits, Manner, course_of
from engine.simulation.ledger import Ledger
from engine.simulation.made_up import made_up_id
from engine.simulation.mailbox import Mailbox
from engine.simulation.messages import ISSUES, AckSpec, ack_bytes
from engine.simulation.resources import ProvenanceSpec
from engine.simulation.roster import SimReceiver
from engine.wire import beskedkuvert, fhir, hospital_notification

_FHIR = "{http://hl7.org/fhir}"


@dataclass(slots=True)
class _Taken:
    """What a receiver keeps of an advis until it has answered."""

    besked_id: str
    cvr: Cvr
    media_type: str
    answer: AckSpec
    course: Course
    said: ResponseCode | None = None
    answers: int = 0

    @property
    def recovered(self) -> bool:
        return self.course.manner is Manner.TRANSIENT and self.said is ResponseCode.OK


@dataclass(order=True, slots=True)
class _Due:
    at: datetime
    number: int
    taken: _Taken = field(compare=False)
    code: ResponseCode = field(compare=False)
    planned: bool = field(compare=False)  # by the manner, not called for by a repeated delivery


class Receiver:
    """One system of one roster: fetches from its dueslag and sends kvitteringer as the real one would."""

    def __init__(
        self,
        mailbox: Mailbox,
        system: SimReceiver,
        *,
        beskedtype: str,
        habits: Habits,
        seed: int,
        ledger: Ledger,
    ) -> None:
        self._mailbox = mailbox
        self.uuid: SystemUuid = system.uuid
        self._beskedtype = beskedtype
        self._habits = habits
        self._seed = seed
        self._ledger = ledger
        self._known: dict[str, _Taken] = {}
        self._due: list[_Due] = []
        self._scheduled = 0

    def step(self, now: datetime) -> None:
        """Do what is due by `now`."""
        for name, data in self._mailbox.fetch():
            try:
                self._take(data, now)
            except WireError:
                self._mailbox.left(name)
                self._ledger.unreadable()
            else:
                self._mailbox.taken(name)
        while self._due and self._due[0].at <= now:
            due = heapq.heappop(self._due)
            if due.planned and due.taken.recovered:
                continue  # the ok was said already, when the advis came again
            self._answer(due.taken, due.code, now)

    @property
    def idle(self) -> bool:
        """No answer is in preparation."""
        return not self._due

    def _take(self, data: bytes, now: datetime) -> None:
        besked = beskedkuvert.read(data)
        payload = besked.payload or b""
        bundle = fhir.read_bundle(payload)
        notification = hospital_notification.read(bundle)
        message_id = notification.message_id or ""
        besked_id = besked.besked_id or ""
        self._ledger.delivered(message_id, self.uuid, payload)
        known = self._known.get(besked_id)
        if known is not None:
            self._again(known, now)
            return
        course = course_of(self._habits, seed=self._seed, system=self.uuid, message_id=message_id)
        taken = _Taken(
            besked_id=besked_id,
            cvr=besked.cvrs[0] if besked.cvrs else Cvr(""),
            media_type=bundle.media_type,
            answer=answer_to(bundle, notification, now),
            course=course,
        )
        self._known[besked_id] = taken
        for delay, code in course.answers:
            self._schedule(taken, code, now + delay, planned=True)

    def _again(self, taken: _Taken, now: datetime) -> None:
        """A BeskedId seen before: answered as before; a transient trouble is over by then."""
        if taken.said is None:
            return
        code = taken.said if taken.said.is_final else ResponseCode.OK
        self._schedule(taken, code, now, planned=False)

    def _schedule(self, taken: _Taken, code: ResponseCode, at: datetime, *, planned: bool) -> None:
        self._scheduled += 1
        heapq.heappush(self._due, _Due(at, self._scheduled, taken, code, planned))

    def _answer(self, taken: _Taken, code: ResponseCode, now: datetime) -> None:
        taken.said = code
        taken.answers += 1
        message_id = taken.answer.response_identifier
        spec = replace(
            taken.answer,
            code=code,
            issues=ISSUES[code],
            message_id=made_up_id("kvittering", self.uuid, taken.besked_id, code),
            bundle_id=made_up_id("kvittering's bundle", self.uuid, taken.besked_id, taken.answers),
            created_at=now,
            sent_at=now,
        )
        besked_id = made_up_id("kvittering's besked", self.uuid, taken.besked_id, taken.answers)
        data = ack_bytes(spec, taken.media_type)
        besked = kvittering_besked(
            data,
            who=Correspondence(self.uuid, taken.cvr, self._beskedtype),
            besked_id=besked_id,
            related_besked_id=taken.besked_id,
            made_at=now,
            media_type=taken.media_type,
        )
        self._ledger.kvittering(message_id, self.uuid, code, data)
        self._mailbox.send(besked_id, besked)


def answer_to(bundle: fhir.Bundle, notification: HospitalNotification, now: datetime) -> AckSpec:
    """An `ok` to the HN in `bundle`, addressed as its source and sender say; replace its ids and times."""
    message_id = notification.message_id or ""
    return AckSpec(
        code=ResponseCode.OK,
        response_identifier=message_id,
        message_id=made_up_id("answer", message_id),
        bundle_id=made_up_id("answer's bundle", message_id),
        acknowledger=notification.receiver,
        hospital=notification.sender,
        endpoint=notification.source_endpoint or "",
        original=_latest_step(bundle, notification, now),
        created_at=now,
        sent_at=now,
    )


def _latest_step(bundle: fhir.Bundle, notification: HospitalNotification, now: datetime) -> ProvenanceSpec:
    """The Provenance that speaks of this very message; MedCom wants it copied into the kvittering."""
    target = f"MessageHeader/{notification.message_id}"
    at = notification.created_at or now
    for step in bundle.root.iter(f"{_FHIR}Provenance"):
        if _value(step, "target/reference") == target:
            at = datetime.fromisoformat(_value(step, "occurredDateTime") or at.isoformat())
    activity = notification.activity or "new-message"
    cancels = activity.startswith("cancel-")
    return ProvenanceSpec(
        notification.message_id or "", activity, at, notification.previous_message_id, cancels=cancels
    )


def _value(element: etree._Element, path: str) -> str | None:
    found = element.find("/".join(f"{_FHIR}{part}" for part in path.split("/")))
    return None if found is None else found.get("value")
