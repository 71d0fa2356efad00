"""A new advis: taken, with all that follows from it, or refused by Sundhedsagenten itself."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

from engine.domain.acknowledgement import PendingState, ResponseCode
from engine.domain.advis import AdvisCode, HospitalNotification, Unit, after_previous
from engine.domain.events import EventKind, Level
from engine.domain.finding import ErrorCode, Finding, Severity
from engine.domain.ids import besked_id
from engine.domain.intake import Outcome
from engine.domain.roster import Roster
from engine.flow.batch import Batch
from engine.flow.outgoing import order_answer
from engine.flow.reading import FhirMessage, Incoming
from engine.flow.settling import Arrived, apply_kvittering
from engine.store import known, tables
from engine.store.json_text import to_json
from engine.store.known import KnownAdvis
from engine.store.ledger import Ledger
from engine.wire import acknowledgement, hospital_notification
from engine.wire.vans_envelope import EndPointType, MessageEnvelope


def reasons_to_refuse(
    batch: Batch, envelope: MessageEnvelope, notification: HospitalNotification
) -> list[Finding]:
    """Why the engine itself must answer fatal-error; empty where the kommune's primary decides."""
    if batch.roster(envelope) is None:
        text = f"Modtageren {envelope.head.receiver.id} er ikke en kommune, der er tilsluttet Sundhedsagenten"
        return [Finding("VANSEnvelope.ReceiverID", ErrorCode.RECEIVER_UNKNOWN, text, Severity.BLOCKING)]
    refused = {Severity.BLOCKING, Severity.ERROR} if batch.settings.reject_invalid else {Severity.BLOCKING}
    findings = [finding for finding in notification.findings if finding.severity in refused]
    bundle_id, message_id = notification.bundle_id, notification.message_id
    if bundle_id is not None and (batch.message_of_bundle(bundle_id) or message_id) != message_id:
        text = "Bundle.id er brugt før til en anden meddelelse; en ny meddelelse skal have nye id'er"
        findings.append(Finding("Bundle.id", ErrorCode.DUPLICATE_ID, text, Severity.BLOCKING))
    return findings


def accept(
    batch: Batch, item: Incoming, envelope: MessageEnvelope, message: FhirMessage, roster: Roster
) -> None:
    """Store the advis, one pending row per receiver of this moment, and the publication to be made."""
    ledger, notification = batch.ledger, message.notification
    assert notification is not None
    advis = _advis_row(batch, envelope, message, notification, roster)
    batch.remember_bundle(notification)
    for receiver in roster.receivers:
        advis.expected[receiver.id] = PendingState.PENDING
        ledger.add(
            tables.expected_kvittering,
            advis_id=advis.id,
            receiver_id=receiver.id,
            state=PendingState.PENDING.value,
        )
    order_publication(ledger, advis, batch.settings.publish.alarm_after)
    batch.envelope_taken(item, envelope, Outcome.ADVIS, advis_id=advis.id)
    hospital = notification.sender.name or notification.sender.gln or envelope.head.sender.id
    ledger.event(
        EventKind.ADVIS_RECEIVED,
        actor=hospital,
        advis_id=advis.id,
        kommune_code=roster.kommune_code,
        hospital=hospital,
        envelope_id=envelope.head.envelope_id,
        receivers=", ".join(receiver.name for receiver in roster.receivers),
    )
    findings = _all_findings(envelope, notification)
    if findings:
        codes = [finding.code.value for finding in findings]
        batch.event(EventKind.PROFILE_BROKEN, advis, Level.WARNING, count=len(findings), codes=codes)
    _match_earlier_kvitteringer(batch, advis, roster)


def refuse(
    batch: Batch, item: Incoming, envelope: MessageEnvelope, message: FhirMessage, findings: Sequence[Finding]
) -> None:
    """Answer fatal-error ourselves; the positive receipt says that the envelope came."""
    notification = message.notification
    assert notification is not None
    answer_payload_id = batch.store(refusal(batch, envelope, message, findings))
    roster = batch.roster(envelope)
    advis = _advis_row(batch, envelope, message, notification, roster, answer_payload_id)
    row_id = batch.envelope_taken(item, envelope, Outcome.REFUSED, advis_id=advis.id)
    media_type = message.bundle.media_type
    code = ResponseCode.FATAL_ERROR
    advis.answer_id, _ = order_answer(
        batch.ledger, advis, code, answer_payload_id, media_type, envelope_in_id=row_id
    )
    batch.event(
        EventKind.ADVIS_REFUSED,
        advis,
        Level.WARNING,
        findings="; ".join(finding.text for finding in findings),
        codes=[finding.code.value for finding in findings],
    )


def refusal(
    batch: Batch, envelope: MessageEnvelope, message: FhirMessage, findings: Sequence[Finding]
) -> bytes:
    """The fatal-error Acknowledgement, in the message's own format."""
    roster = batch.roster(envelope)
    read = message.notification or hospital_notification.read(message.bundle)
    return acknowledgement.refusal(
        message.bundle,
        # Without MessageHeader.id there is nothing better to point at than the Bundle, or the envelope's message.
        response_identifier=read.message_id or read.bundle_id or envelope.meta.identifier,
        findings=findings,
        acknowledger=Unit(sor=roster.sor if roster else None, gln=envelope.head.receiver.id),
        bundle_id=str(uuid4()),
        message_id=str(uuid4()),
        now=batch.ledger.now,
    )


def order_publication(ledger: Ledger, advis: KnownAdvis, alarm_after: timedelta) -> None:
    """Leave the work for publish; a further round repeats the same BeskedId."""
    ledger.add(
        tables.publication,
        id=ledger.tx.next_id("publication"),
        advis_id=advis.id,
        round=advis.round,
        ordered_at=ledger.now,
        next_at=ledger.now,
        delayed_at=ledger.now + alarm_after,
    )


def _match_earlier_kvitteringer(batch: Batch, advis: KnownAdvis, roster: Roster) -> None:
    """A kvittering can overtake its advis when queues were emptied out of order: it counts now."""
    receivers = {receiver.system_uuid: receiver for receiver in roster.receivers}
    for early in batch.unmatched_of(advis):
        receiver = receivers.get(early.system_uuid)
        if receiver is None:
            continue
        batch.event(EventKind.KVITTERING_MATCHED_LATER, advis)
        arrived = Arrived(receiver.id, receiver.name, early.code, early.payload_id, early.media_type)
        disposition, reason = apply_kvittering(batch.ledger, advis, arrived)
        batch.ledger.change(
            tables.kvittering,
            {"id": early.id},
            disposition=disposition.value,
            reason=reason,
            advis_id=advis.id,
            receiver_id=receiver.id,
            kommune_code=roster.kommune_code,
        )


def _advis_row(
    batch: Batch,
    envelope: MessageEnvelope,
    message: FhirMessage,
    notification: HospitalNotification,
    roster: Roster | None,
    answer_payload_id: int | None = None,
) -> KnownAdvis:
    """The advis' row; with an answer of our own it is a refused one."""
    ledger, head, media_type = batch.ledger, envelope.head, message.bundle.media_type
    refused = answer_payload_id is not None
    advis = KnownAdvis(
        id=ledger.tx.next_id("advis"),
        kommune_code=roster.kommune_code if roster else None,
        addressee=head.receiver.id,
        message_id=notification.message_id,
        refused=refused,
        primary_receiver_id=roster.primary_id if roster and not refused else None,
        vans_sender_type=head.sender.type.value,
        vans_sender_id=head.sender.id,
        vans_receiver_type=head.receiver.type.value,
        payload_id=ledger.payload(message.sealed),
        verdict=ResponseCode.FATAL_ERROR.value if refused else None,
        verdict_payload_id=answer_payload_id,
        verdict_media_type=media_type if refused else None,
    )
    ledger.add(
        tables.advis,
        **_identity(advis, notification, roster),
        **_content(notification, _code(batch, notification, roster)),
        received_at=ledger.now,
        refused=refused,
        primary_receiver_id=advis.primary_receiver_id,
        vans_sender_type=advis.vans_sender_type,
        vans_sender_id=advis.vans_sender_id,
        vans_receiver_type=advis.vans_receiver_type,
        media_type=media_type,
        encoding=message.bundle.encoding,
        findings=_findings_json(_all_findings(envelope, notification)),
        cpr_hash=message.cpr_hash,
        sealed_person=message.sealed_person,
        payload_id=advis.payload_id,
        verdict=advis.verdict,
        verdict_at=ledger.now if refused else None,
        verdict_payload_id=answer_payload_id,
        verdict_media_type=advis.verdict_media_type,
    )
    batch.remember_advis(advis, message.data)
    return advis


def _identity(
    advis: KnownAdvis, notification: HospitalNotification, roster: Roster | None
) -> dict[str, object]:
    message_id = notification.message_id
    published = roster is not None and message_id is not None and not advis.refused
    return {
        "id": advis.id,
        "kommune_code": advis.kommune_code,
        "addressee": advis.addressee,
        "message_id": message_id,
        "bundle_id": notification.bundle_id,
        "besked_id": besked_id(roster.cvr, message_id) if published and roster and message_id else None,
    }


def _content(notification: HospitalNotification, code: AdvisCode | None) -> dict[str, object]:
    return {
        "code": code.value if code else None,
        "encounter_class": notification.encounter_class,
        "encounter_status": notification.encounter_status,
        "period_start": notification.period_start,
        "period_end": notification.period_end,
        "leave_start": notification.leave_start,
        "leave_end": notification.leave_end,
        "created_at": notification.created_at,
        "episodes": to_json(notification.episodes),
        "report_of_admission": notification.report_of_admission,
        "sender_gln": notification.sender.gln,
        "sender_sor": notification.sender.sor,
        "sender_name": notification.sender.name,
        "source_endpoint": notification.source_endpoint,
    }


def _code(batch: Batch, notification: HospitalNotification, roster: Roster | None) -> AdvisCode | None:
    """A death after a death is a correction of it; only the advis before it can tell."""
    if notification.code is not AdvisCode.MORS or roster is None or notification.previous_message_id is None:
        return notification.code
    previous = known.code_of_message(
        batch.ledger.tx.conn, roster.kommune_code, notification.previous_message_id
    )
    return after_previous(notification.code, previous)


def _all_findings(envelope: MessageEnvelope, notification: HospitalNotification) -> list[Finding]:
    findings = [*envelope.findings, *notification.findings]
    addressee, named = envelope.head.receiver, notification.receiver.gln
    if addressee.type is EndPointType.EAN and named is not None and named != addressee.id:
        text = f"Konvolutten er adresseret til {addressee.id}, men meddelelsen nævner {named}; konvolutten gælder"
        path = "MessageHeader.destination.receiver"
        findings.append(Finding(path, ErrorCode.NO_MATCH, text, Severity.WARNING))
    return findings


def _findings_json(findings: Sequence[Finding]) -> str:
    return to_json(
        [
            {"path": f.path, "code": f.code.value, "text": f.text, "severity": f.severity.value}
            for f in findings
        ]
    )
