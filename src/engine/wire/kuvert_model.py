"""What the Beskedfordeler's messages say, as values; see `kuvert_writing` and `kuvert_reading`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from engine.domain.finding import Finding
from engine.domain.ids import BeskedId, Cvr, SystemUuid

KUVERT: Final = "urn:oio:besked:kuvert:1.0"
"""Every element of the envelope itself."""

SAGDOK: Final = "urn:oio:sagdok:3.0.0"
"""The leaves: identifiers and times."""

PAYLOAD: Final = "urn:besked:kuvert:1.0"
"""The Base64 element within Beskeddata: without `oio`, as in the Beskedfordeler's live messages."""


@dataclass(frozen=True, slots=True)
class Sygehusophold:
    """What a Sygehusophold 2.0 kuvert says; the fields as proposed for SF0810 in docs/formater.md."""

    besked_id: BeskedId
    transaction_id: str  # UUID, the same over send retries
    beskedtype: str
    agent_system_uuid: SystemUuid
    kommune_cvr: Cvr
    message_id: str  # MessageHeader.id, as ObjektRegistreringId
    cpr: str | None  # RelateretObjekt; None leaves it out (setting kuvert.include_cpr)
    registered_at: datetime | None  # Bundle.timestamp
    made_at: datetime
    valid_from: datetime | None  # GyldighedFra
    payload: bytes  # the Bundle, byte for byte
    media_type: str
    encoding: str


@dataclass(frozen=True, slots=True)
class Haendelsesbesked:
    """A received message; UUIDs in lower case.

    `cvrs` are candidates for the kommune, the best first: ObjektAnsvarligMyndighed, then TilladtModtager.
    `payload` is None where there is none to read; then `damage` says why.
    """

    besked_id: str | None
    beskedtype: str | None
    kildesystem: SystemUuid | None
    modtaget_fra_system: SystemUuid | None  # of the last Leverancerute
    besked_ansvarlig_aktoer: SystemUuid | None
    cvrs: tuple[Cvr, ...]
    related_besked_ids: tuple[
        str, ...
    ]  # UUIDs in RelateretObjekt: the original BeskedId, where the sender gives it
    payload: bytes | None
    media_type: str | None
    damage: str | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class MedComKvittering:
    """What a receiver writes: the simulation's half of the format."""

    besked_id: BeskedId
    beskedtype: str
    system_uuid: SystemUuid
    kommune_cvr: Cvr
    related_besked_id: BeskedId | None
    made_at: datetime
    payload: bytes
    media_type: str
