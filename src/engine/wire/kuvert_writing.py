"""Haendelsesbeskeder in the order of KOMBIT's schema (xs:sequence throughout).

Which elements a Sygehusophold fills, and with what, is not public: it is the proposal in docs/formater.md.
"""

from datetime import datetime
from typing import Final

from engine.domain.ids import Cvr, is_uuid
from engine.wire import base64_text
from engine.wire.fhir import JSON
from engine.wire.kuvert_model import KUVERT, PAYLOAD, SAGDOK, MedComKvittering, Sygehusophold
from engine.wire.xml import escape

PERSON: Final = "ce7fcf97-a8a2-447a-8690-d38aa0f6e23c"
"""ObjektType Person, KOMBIT's forretningsobjekt."""

SENSITIVE: Final = "31c09910-e011-46a5-86fb-254374421fe8"
"""Sikkerhedsklassificering: følsomme personoplysninger."""

BESKED_TYPE: Final = "urn:oio:besked:kuvert:1.0:Haendelsesbesked"
"""ObjektType of a related besked. The schema demands one, and KOMBIT has published no UUID for it."""

_VERSION: Final = "1.0"
_START: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<b:Haendelsesbesked xmlns="{SAGDOK}" xmlns:b="{KUVERT}"><b:BeskedId>'
)
_END: Final = b"</Base64></b:Beskeddata></b:Haendelsesbesked>"


def write_sygehusophold(besked: Sygehusophold) -> bytes:
    """UTF-8 XML in the schema's order; the payload's bytes stand in it as base64, unchanged."""
    person = ""
    if besked.cpr is not None:
        citizen = _urn(f"urn:oio:cpr-nr:{besked.cpr}")
        person = f"<b:ObjektId>{citizen}</b:ObjektId><b:ObjektType>{_uuid(PERSON)}</b:ObjektType>"
    related = f"<b:RelateretObjekt>{person}</b:RelateretObjekt>" if person else ""
    authority = _authority(besked.kommune_cvr)
    agent = _uuid(besked.agent_system_uuid)
    message_id = _uuid(besked.message_id) if is_uuid(besked.message_id) else _urn(besked.message_id)
    start = (
        f"{_START}{_uuid(besked.besked_id)}</b:BeskedId><b:BeskedVersion>{_VERSION}</b:BeskedVersion>"
        "<b:Beskedkuvert><b:Filtreringsdata>"
        f"<b:Beskedtype>{_uuid(besked.beskedtype)}</b:Beskedtype>"
        f"<b:BeskedAnsvarligAktoer>{agent}</b:BeskedAnsvarligAktoer>"
        f"<b:TilladtModtager>{authority}</b:TilladtModtager>{related}"
        f"<b:ObjektRegistrering><b:ObjektRegistreringId>{message_id}</b:ObjektRegistreringId>"
        f"<b:RegistreringsAktoer>{agent}</b:RegistreringsAktoer>"
        f"{_time('Registreringstidspunkt', besked.registered_at)}"
        f"<b:ObjektAnsvarligMyndighed>{authority}</b:ObjektAnsvarligMyndighed>{person}"
        "</b:ObjektRegistrering></b:Filtreringsdata><b:Leveranceinformation>"
        f"{_time('Dannelsestidspunkt', besked.made_at)}"
        f"<b:TransaktionsId>{_uuid(besked.transaction_id)}</b:TransaktionsId>"
        f"<b:Sikkerhedsklassificering>{_uuid(SENSITIVE)}</b:Sikkerhedsklassificering></b:Leveranceinformation>"
        f"{_time('GyldighedFra', besked.valid_from)}</b:Beskedkuvert>"
        f"{_base64(besked.media_type, besked.encoding)}"
    )
    return b"".join((start.encode(), base64_text.encode(besked.payload), _END))


def write_medcomkvittering(besked: MedComKvittering) -> bytes:
    """UTF-8 XML in the schema's order, without what the Beskedfordeler fills in."""
    authority = _authority(besked.kommune_cvr)
    related = ""
    if besked.related_besked_id is not None:
        related = (
            f"<b:RelateretObjekt><b:ObjektId>{_uuid(besked.related_besked_id)}</b:ObjektId>"
            f"<b:ObjektType>{_urn(BESKED_TYPE)}</b:ObjektType></b:RelateretObjekt>"
        )
    start = (
        f"{_START}{_uuid(besked.besked_id)}</b:BeskedId><b:BeskedVersion>{_VERSION}</b:BeskedVersion>"
        "<b:Beskedkuvert><b:Filtreringsdata>"
        f"<b:Beskedtype>{_uuid(besked.beskedtype)}</b:Beskedtype>"
        f"<b:BeskedAnsvarligAktoer>{_uuid(besked.system_uuid)}</b:BeskedAnsvarligAktoer>"
        f"<b:TilladtModtager>{authority}</b:TilladtModtager>{related}"
        f"<b:ObjektRegistrering><b:ObjektAnsvarligMyndighed>{authority}</b:ObjektAnsvarligMyndighed>"
        "</b:ObjektRegistrering></b:Filtreringsdata><b:Leveranceinformation>"
        f"{_time('Dannelsestidspunkt', besked.made_at)}"
        f"<b:Sikkerhedsklassificering>{_uuid(SENSITIVE)}</b:Sikkerhedsklassificering></b:Leveranceinformation>"
        f"</b:Beskedkuvert>{_base64(besked.media_type, 'UTF-8')}"
    )
    return b"".join((start.encode(), base64_text.encode(besked.payload), _END))


def _authority(cvr: Cvr) -> str:
    return _urn(f"urn:oio:cvr-nr:{cvr}")


def _uuid(text: str) -> str:
    return f"<UUIDIdentifikator>{escape(text)}</UUIDIdentifikator>"


def _urn(text: str) -> str:
    return f"<URNIdentifikator>{escape(text)}</URNIdentifikator>"


def _time(name: str, at: datetime | None) -> str:
    if at is None:
        return ""
    return f"<b:{name}><TidsstempelDatoTid>{at.isoformat()}</TidsstempelDatoTid></b:{name}>"


def _base64(media_type: str, encoding: str) -> str:
    file_type = ".json" if media_type == JSON else ".xml"
    return (
        f'<b:Beskeddata><Base64 xmlns="{PAYLOAD}" content-type="{escape(media_type)}" '
        f'encoding="{escape(encoding)}" file-type="{file_type}">'
    )
