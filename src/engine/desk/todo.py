"""Kræver handling: one list of all that waits for a person, the oldest first, with whom to call and what to say."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from engine.desk.act import Act
from engine.desk.certificates import certificate_warnings
from engine.desk.contacts import Contact, beskedfordeler, contact_points, hotline, vendors
from engine.domain.alarm import CaseKind, MailKind
from engine.domain.audit import Action
from engine.domain.events import EventKind
from engine.domain.incident import Cause, IncidentStepState
from engine.domain.intake import QuarantineReason
from engine.domain.procedure import RequestState
from engine.domain.registration import checked_remark
from engine.domain.stall import watched
from engine.errors import NotFoundError, RuleError
from engine.local_time import planned_text
from engine.settings import Settings
from engine.store import tables

_SHOWN = 500  # of each kind; the counts are of all


class TodoKind(StrEnum):
    """What waits. The value begins the item's key."""

    CASE = "sag"
    QUARANTINE = "karantæne"
    UNMATCHED = "uafklaret"
    NEGATIVE = "negativ"
    INCIDENT = "hændelse"
    STEP = "trin"
    MAIL = "mail"
    REQUEST = "anmodning"
    STALL = "stilstand"
    CERTIFICATE = "certifikat"

    @property
    def danish(self) -> str:
        return _KINDS[self]


_KINDS = {
    TodoKind.CASE: "sager",
    TodoKind.QUARANTINE: "i karantæne",
    TodoKind.UNMATCHED: "uafklarede kvitteringer",
    TodoKind.NEGATIVE: "negative kvitteringer",
    TodoKind.INCIDENT: "hændelser",
    TodoKind.STEP: "trin i hændelser",
    TodoKind.MAIL: "afviste mails",
    TodoKind.REQUEST: "anmodninger",
    TodoKind.STALL: "står stille",
    TodoKind.CERTIFICATE: "certifikater",
}

_BY_HAND = (TodoKind.UNMATCHED, TodoKind.NEGATIVE, TodoKind.MAIL)
"""What is over when a person says so; the others end by what is done about them."""


@dataclass(frozen=True, slots=True)
class TodoItem:
    """One thing that waits. `command` opens it; `say` is Danish and ready to be said."""

    key: str
    kind: TodoKind
    since: datetime
    what: str
    kommune: str | None
    kommune_name: str | None
    call: tuple[Contact, ...]
    say: str
    command: str


@dataclass(frozen=True, slots=True)
class Todo:
    """`counts` is of all there are, also where not all are listed."""

    items: tuple[TodoItem, ...]
    counts: dict[TodoKind, int]


def todo(conn: Connection, settings: Settings, now: datetime, *, only: Collection[str] | None = None) -> Todo:
    """What waits; `only` what concerns these kommuner, which leaves out what is nobody's."""
    desk = _Desk(conn, settings, now, only)
    items: list[TodoItem] = []
    counts: dict[TodoKind, int] = {}
    for kind, (query, since, make) in desk.kinds().items():
        counts[kind] = conn.execute(select(func.count()).select_from(query.subquery())).scalar_one()
        if counts[kind]:
            items += make(conn.execute(query.order_by(since).limit(_SHOWN)).all())
    return Todo(tuple(sorted(items, key=lambda item: (item.since, item.key))), counts)


def mark_handled(act: Act, settings: Settings, key: str, note: str) -> TodoItem:
    """A person has seen to it, and there is no more to do. Where the same happens again, it waits again."""
    said = checked_remark(note, "noten")
    kind = next((each for each in TodoKind if key.startswith(f"{each.value}:")), None)
    if kind is None:
        raise NotFoundError(f"{key!r} står ikke i listen. Den vises af: sundhedsagent todo")
    item = next((each for each in todo(act.conn, settings, act.now).items if each.key == key), None)
    if kind not in _BY_HAND:
        how = item.command if item else "sundhedsagent todo"
        raise RuleError(f"{key} forsvinder fra listen, når der er gjort noget ved den: {how}")
    if item is None:
        raise NotFoundError(f"{key} står ikke i listen. Den vises af: sundhedsagent todo")
    table = tables.handled
    values = {"at": act.now, "by": act.actor, "note": said}
    known = update(table).where(table.c.subject == key).values(**values)
    if act.conn.execute(known).rowcount == 0:
        act.conn.execute(insert(table).values(subject=key, **values))
    advis_id = int(key.split(":")[1]) if kind is TodoKind.NEGATIVE else None
    act.event(EventKind.HANDLED, kommune_code=item.kommune, advis_id=advis_id, what=item.what, note=said)
    act.audit(Action.HANDLED, key, kommune_code=item.kommune, after={"note": said})
    return item


_Made = Callable[[Any], list[TodoItem]]


class _Desk:
    """One view of all kinds: what is asked for, by when it is sorted, and how its rows become items."""

    def __init__(
        self, conn: Connection, settings: Settings, now: datetime, only: Collection[str] | None
    ) -> None:
        self._conn = conn
        self._settings = settings
        self._now = now
        self._only = only

    def kinds(self) -> Mapping[TodoKind, tuple[Select[Any], ColumnElement[Any], _Made]]:
        of_kommuner = {
            TodoKind.CASE: (self._cases(), tables.alarm_case.c.opened_at, self._case_items),
            TodoKind.UNMATCHED: (self._unmatched(), tables.kvittering.c.received_at, self._unmatched_items),
            TodoKind.NEGATIVE: (
                self._negative(),
                tables.expected_kvittering.c.settled_at,
                self._negative_items,
            ),
            TodoKind.MAIL: (self._mails(), tables.mail.c.refused_at, self._mail_items),
            TodoKind.REQUEST: (self._requests(), tables.request.c.id, self._request_items),
        }
        if self._only is not None:
            return of_kommuner
        return of_kommuner | {
            TodoKind.QUARANTINE: (
                self._quarantine(),
                tables.quarantine.c.quarantined_at,
                self._quarantine_items,
            ),
            TodoKind.INCIDENT: (self._incidents(), tables.incident.c.proposed_at, self._incident_items),
            TodoKind.STEP: (self._steps(), tables.incident_step.c.due_at, self._step_items),
            TodoKind.STALL: (select(tables.stall), tables.stall.c.since, self._stall_items),
            TodoKind.CERTIFICATE: (
                self._certificates(),
                func.min(tables.certificate.c.told_at),
                self._certificate_items,
            ),
        }

    def _theirs(self, query: Select[Any], column: ColumnElement[Any]) -> Select[Any]:
        return query if self._only is None else query.where(column.in_(self._only))

    # --- cases ----------------------------------------------------------------------------------------------------

    def _cases(self) -> Select[Any]:
        case, receiver, kommune, window = (
            tables.alarm_case,
            tables.receiver,
            tables.kommune,
            tables.maintenance,
        )
        in_window = (
            select(window.c.id)
            .where(
                window.c.receiver_id == case.c.receiver_id,
                window.c.cancelled_at.is_(None),
                window.c.from_at <= self._now,
                window.c.until_at > self._now,
            )
            .exists()
        )
        query = (
            select(
                case.c.id,
                case.c.kind,
                case.c.kommune_code,
                case.c.receiver_id,
                case.c.opened_at,
                case.c.misses,
                case.c.quiet_misses,
                case.c.escalated_at,
                kommune.c.name.label("kommune_name"),
                receiver.c.name.label("receiver"),
            )
            .join(kommune, kommune.c.code == case.c.kommune_code)
            .outerjoin(receiver, receiver.c.id == case.c.receiver_id)
            # One that a person works on, an incident explains or its vendor has planned does not wait for anybody.
            .where(
                case.c.closed_at.is_(None),
                case.c.taken_by.is_(None),
                case.c.held_by.is_(None),
                ~in_window,
            )
        )
        return self._theirs(query, case.c.kommune_code)

    def _case_items(self, rows: Any) -> list[TodoItem]:
        people = vendors(self._conn, {row.receiver_id for row in rows if row.receiver_id})
        points = contact_points(self._conn, {row.kommune_code for row in rows})
        items = []
        for row in rows:
            if row.kind == CaseKind.DELAYED_PUBLICATION:
                what = f"Beskedfordeleren tager ikke imod adviser til {row.kommune_name}"
                say = "Adviser til kommunen er ikke fordelt. Er der en fejl på Beskedfordeleren eller serviceaftalen?"
                call = [beskedfordeler(self._settings), points[row.kommune_code]]
            else:
                what = f"{row.receiver} i {row.kommune_name} kvitterer ikke ({row.misses} manglende i alt)"
                say = f"{row.receiver} har ikke kvitteret. Henter systemet sine beskeder, og sender det kvitteringer?"
                if row.misses == row.quiet_misses:
                    what = f"Servicevinduet er forbi, og {row.receiver} i {row.kommune_name} mangler stadig at kvittere"
                    say = f"{row.receiver} mangler stadig kvitteringer efter servicevinduet. Er systemet i drift igen?"
                call = [people[row.receiver_id], points[row.kommune_code]]
            if row.escalated_at is not None:
                what += " (ingen har taget den)"
            command = f"sundhedsagent case show {row.id}"
            items.append(self._item(TodoKind.CASE, row.id, row.opened_at, what, row, call, say, command))
        return items

    # --- kvitteringer ---------------------------------------------------------------------------------------------

    def _unmatched(self) -> Select[Any]:
        kvittering, handled, kommune = tables.kvittering, tables.handled, tables.kommune
        query = (
            select(
                kvittering.c.id,
                kvittering.c.received_at,
                kvittering.c.kommune_code,
                kvittering.c.system_uuid,
                kvittering.c.reason,
                kommune.c.name.label("kommune_name"),
            )
            .outerjoin(kommune, kommune.c.code == kvittering.c.kommune_code)
            .outerjoin(handled, handled.c.subject == literal_column("'uafklaret:' || kvittering.id"))
            .where(kvittering.c.disposition == literal_column("'unmatched'"), handled.c.subject.is_(None))
        )
        return self._theirs(query, kvittering.c.kommune_code)

    def _unmatched_items(self, rows: Any) -> list[TodoItem]:
        receiver = tables.receiver
        known = select(receiver.c.id, receiver.c.system_uuid).where(
            receiver.c.system_uuid.in_({row.system_uuid for row in rows if row.system_uuid})
        )
        of_uuid = {row.system_uuid: row.id for row in self._conn.execute(known)}
        people = vendors(self._conn, of_uuid.values())
        return [
            self._item(
                TodoKind.UNMATCHED,
                row.id,
                row.received_at,
                f"Uafklaret kvittering: {row.reason}",
                row,
                [people[of_uuid[row.system_uuid]]] if row.system_uuid in of_uuid else [],
                "Jeres system kvitterer for noget, vi ikke kan genkende. Hvilket advis og hvilken kommune er det?",
                f"sundhedsagent kvittering show {row.id}",
            )
            for row in rows
        ]

    def _negative(self) -> Select[Any]:
        expected, advis, handled, kommune, receiver = (
            tables.expected_kvittering,
            tables.advis,
            tables.handled,
            tables.kommune,
            tables.receiver,
        )
        key: ColumnElement[str] = literal_column(
            "'negativ:' || expected_kvittering.advis_id || ':' || expected_kvittering.receiver_id"
        )
        query = (
            select(
                expected.c.advis_id,
                expected.c.receiver_id,
                expected.c.state,
                expected.c.settled_at,
                advis.c.kommune_code,
                (advis.c.primary_receiver_id == expected.c.receiver_id).label("primary"),
                kommune.c.name.label("kommune_name"),
                receiver.c.name.label("receiver"),
            )
            .join(advis, advis.c.id == expected.c.advis_id)
            .join(kommune, kommune.c.code == advis.c.kommune_code)
            .join(receiver, receiver.c.id == expected.c.receiver_id)
            # One that has come after a person said that the last one was seen to is new.
            .outerjoin(handled, and_(handled.c.subject == key, handled.c.at >= expected.c.settled_at))
            .where(
                expected.c.state.in_((literal_column("'transient-error'"), literal_column("'fatal-error'"))),
                handled.c.subject.is_(None),
            )
        )
        return self._theirs(query, advis.c.kommune_code)

    def _negative_items(self, rows: Any) -> list[TodoItem]:
        people = vendors(self._conn, {row.receiver_id for row in rows})
        return [
            self._item(
                TodoKind.NEGATIVE,
                f"{row.advis_id}:{row.receiver_id}",
                row.settled_at,
                f"{row.receiver} i {row.kommune_name} svarede {row.state} på advis {row.advis_id}"
                + (" (primært system: svaret er sendt til sygehuset)" if row.primary else ""),
                row,
                [people[row.receiver_id]],
                f"{row.receiver} har afvist et advis med {row.state}. Hvad er der galt, og skal vi sende det igen?",
                f"sundhedsagent advis trace {row.advis_id}",
            )
            for row in rows
        ]

    # --- quarantine, mails, requests --------------------------------------------------------------------------------

    def _quarantine(self) -> Select[Any]:
        quarantine, envelope = tables.quarantine, tables.envelope_in
        return (
            select(
                quarantine.c.id,
                quarantine.c.quarantined_at,
                quarantine.c.reason,
                quarantine.c.detail,
                envelope.c.sender_id,
            )
            .outerjoin(envelope, envelope.c.id == quarantine.c.envelope_in_id)
            .where(quarantine.c.decision.is_(None))
        )

    def _quarantine_items(self, rows: Any) -> list[TodoItem]:
        items = []
        for row in rows:
            reason = QuarantineReason(row.reason)
            say = "En meddelelse fra jer kunne ikke læses og er ikke sendt videre. Kan den rettes og sendes igen?"
            if reason is QuarantineReason.IDENTITY_CONFLICT:
                say = "To adviser har samme MessageHeader.id til forskellige borgere. Et advis er måske ikke nået frem."
            call = [Contact("Afsender", row.sender_id)] if row.sender_id else []
            what = f"Karantæne: {reason.danish}"
            command = f"sundhedsagent quarantine show {row.id}"
            items.append(
                self._item(TodoKind.QUARANTINE, row.id, row.quarantined_at, what, None, call, say, command)
            )
        return items

    def _mails(self) -> Select[Any]:
        mail, handled, kommune = tables.mail, tables.handled, tables.kommune
        query = (
            select(
                mail.c.id,
                mail.c.kind,
                mail.c.address,
                mail.c.refused_at,
                mail.c.last_error,
                mail.c.kommune_code,
                kommune.c.name.label("kommune_name"),
            )
            .outerjoin(kommune, kommune.c.code == mail.c.kommune_code)
            .outerjoin(
                handled,
                and_(
                    handled.c.subject == literal_column("'mail:' || mail.id"),
                    handled.c.at >= mail.c.refused_at,
                ),
            )
            .where(mail.c.refused_at.is_not(None), handled.c.subject.is_(None))
        )
        return self._theirs(query, mail.c.kommune_code)

    def _mail_items(self, rows: Any) -> list[TodoItem]:
        points = contact_points(self._conn, {row.kommune_code for row in rows if row.kommune_code})
        return [
            self._item(
                TodoKind.MAIL,
                row.id,
                row.refused_at,
                f"Mail ({MailKind(row.kind).danish}) til {row.address} er afvist: {row.last_error}",
                row,
                [points[row.kommune_code]] if row.kommune_code in points else [],
                f"Vores mails til {row.address} bliver afvist. Hvilken adresse skal vi bruge?",
                f"sundhedsagent mail show {row.id}",
            )
            for row in rows
        ]

    def _requests(self) -> Select[Any]:
        request, kommune = tables.request, tables.kommune
        query = (
            select(
                request.c.id,
                request.c.kind,
                request.c.kommune_code,
                request.c.handed_in_at,
                kommune.c.name.label("kommune_name"),
            )
            .join(kommune, kommune.c.code == request.c.kommune_code)
            .where(request.c.state == RequestState.HANDED_IN.value)
        )
        return self._theirs(query, request.c.kommune_code)

    def _request_items(self, rows: Any) -> list[TodoItem]:
        points = contact_points(self._conn, {row.kommune_code for row in rows})
        return [
            self._item(
                TodoKind.REQUEST,
                row.id,
                row.handed_in_at,
                f"Anmodning om {row.kind} fra {row.kommune_name}",
                row,
                [points[row.kommune_code]],
                "Vi har modtaget jeres anmodning og vender tilbage, når den er udført.",
                f"sundhedsagent request show {row.id}",
            )
            for row in rows
        ]

    # --- incidents and what stands still ------------------------------------------------------------------------------

    def _incidents(self) -> Select[Any]:
        """Proposals, and declared ones whose promised update is near."""
        incident = tables.incident
        near = self._now + self._settings.incident.remind_before
        return select(incident).where(
            tables.incident_is_open,
            or_(incident.c.state == "proposed", incident.c.next_update_at <= near),
        )

    def _incident_items(self, rows: Any) -> list[TodoItem]:
        items = []
        for row in rows:
            command = f"sundhedsagent incident show {row.id}"
            what = f"Major incident foreslået: {row.title}"
            if row.state == "declared":
                what = (
                    f"Hændelse {row.id} skal opdateres inden {planned_text(row.next_update_at)}: {row.title}"
                )
            call = [hotline(self._settings)]
            if row.cause == Cause.BESKEDFORDELER:
                call.append(beskedfordeler(self._settings))
            since = row.proposed_at if row.state == "proposed" else row.next_update_at
            items.append(self._item(TodoKind.INCIDENT, row.id, since, what, None, call, row.basis, command))
        return items

    def _steps(self) -> Select[Any]:
        step = tables.incident_step
        return select(step).where(step.c.state == IncidentStepState.OPEN.value)

    def _step_items(self, rows: Any) -> list[TodoItem]:
        return [
            self._item(
                TodoKind.STEP,
                f"{row.incident_id}:{row.step}",
                row.due_at,
                f"Hændelse {row.incident_id}: {row.title}",
                None,
                [beskedfordeler(self._settings)] if row.target == "beskedfordeler" else [],
                row.text,
                f"sundhedsagent incident step {row.incident_id} {row.step}",
            )
            for row in rows
        ]

    def _stall_items(self, rows: Any) -> list[TodoItem]:
        return [
            self._item(
                TodoKind.STALL,
                row.name,
                row.since,
                f"Står stille: {row.detail}",
                None,
                [],
                watched(row.name).do,
                "sundhedsagent status",
            )
            for row in rows
        ]

    def _certificates(self) -> Select[Any]:
        table = tables.certificate
        return select(table.c.identity).where(table.c.told.is_not(None)).group_by(table.c.identity)

    def _certificate_items(self, _rows: Any) -> list[TodoItem]:
        return [
            self._item(
                TodoKind.CERTIFICATE,
                each.identity,
                each.since,
                each.what,
                None,
                [],
                each.do,
                "sundhedsagent doctor",
            )
            for each in certificate_warnings(self._conn, self._now)
        ]

    def _item(
        self,
        kind: TodoKind,
        of: object,
        since: datetime,
        what: str,
        row: Any,
        call: Collection[Contact],
        say: str,
        command: str,
    ) -> TodoItem:
        return TodoItem(
            f"{kind.value}:{of}",
            kind,
            since,
            what,
            row.kommune_code if row is not None else None,
            row.kommune_name if row is not None else None,
            tuple(call),
            say,
            command,
        )
