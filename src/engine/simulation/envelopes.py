"""What the messages travel in: the hospital's VANSEnvelope and the receiver's MedComKvittering."""

from dataclasses import dataclass
from datetime import datetime

from engine.domain.ids import BeskedId, Cvr, SystemUuid
from engine.simulation.messages import HnSpec
from engine.simulation.resources import instant
from engine.wire import beskedkuvert, fhir, vans_envelope

HN_NAME = "MCM:FDIS20"
HN_VERSION = "3.0.0"
ACK_NAME = "MCM:FCTL"
ACK_VERSION = "2.0.0"


def envelope(
    data: bytes,
    *,
    sender: str,
    receiver: str,
    envelope_id: str,
    message_id: str,
    name: str,
    sent_at: str,
    version: str = HN_VERSION,
    media_type: str = fhir.XML,
) -> bytes:
    """A VANSEnvelope between two GLNs; `sent_at` is text, for hospitals in practice leave out the zone."""
    head = vans_envelope.Head(_gln(sender), _gln(receiver), envelope_id, sent_at)
    meta = vans_envelope.MetaInformation(
        message_id,
        name=name,
        version=version,
        transport_type="reliable",
        transform_message=False,
        service_tags=(("MCM:MIME", media_type),),
    )
    return vans_envelope.write_message(head, meta, data)


def hn_envelope(
    spec: HnSpec, data: bytes, *, envelope_id: str, media_type: str = fhir.XML, sent_at: str | None = None
) -> bytes:
    """The envelope of an HN whose bytes are `data`, from its hospital to its kommune."""
    return envelope(
        data,
        sender=spec.hospital.gln or "",
        receiver=spec.kommune.gln or "",
        envelope_id=envelope_id,
        message_id=spec.message_id,
        name=f"{HN_NAME}#{spec.activity}",
        sent_at=sent_at or instant(spec.sent_at),
        media_type=media_type,
    )


def receipt_for(answer: vans_envelope.MessageEnvelope, *, envelope_id: str, at: datetime) -> bytes:
    """The positive VANS receipt that a hospital owes for an envelope that it took."""
    head = vans_envelope.Head(answer.head.receiver, answer.head.sender, envelope_id, instant(at))
    kind = vans_envelope.ReceiptKind.POSITIVE_MESSAGE
    return vans_envelope.write_receipt(head, kind, answer.head.envelope_id, answer.meta)


@dataclass(frozen=True, slots=True)
class Correspondence:
    """Who a receiver is at the Beskedfordeler, and for whom it answers."""

    system_uuid: SystemUuid
    kommune_cvr: Cvr
    beskedtype: str  # the UUID of MedComKvittering 1.0


def kvittering_besked(
    data: bytes,
    *,
    who: Correspondence,
    besked_id: str,
    related_besked_id: str | None,
    made_at: datetime,
    media_type: str = fhir.XML,
) -> bytes:
    """A MedComKvittering 1.0 around an Acknowledgement."""
    return beskedkuvert.write_medcomkvittering(
        beskedkuvert.MedComKvittering(
            besked_id=BeskedId(besked_id),
            beskedtype=who.beskedtype,
            system_uuid=who.system_uuid,
            kommune_cvr=who.kommune_cvr,
            related_besked_id=None if related_besked_id is None else BeskedId(related_besked_id),
            made_at=made_at,
            payload=data,
            media_type=media_type,
        )
    )


def _gln(number: str) -> vans_envelope.EndPoint:
    return vans_envelope.EndPoint(vans_envelope.EndPointType.EAN, number)
