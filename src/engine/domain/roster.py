"""Who receives a kommune's adviser at one moment."""

from dataclasses import dataclass

from engine.domain.ids import Cvr, KommuneCode, SystemUuid


@dataclass(frozen=True, slots=True)
class Receiver:
    """A registered modtagersystem that acknowledges."""

    id: int
    system_uuid: SystemUuid
    name: str


@dataclass(frozen=True, slots=True)
class Roster:
    """A connected kommune's receivers in service; `primary_id` is one of them."""

    kommune_code: KommuneCode
    kommune_name: str
    cvr: Cvr
    sor: str  # of the unit that was addressed
    primary_id: int
    receivers: tuple[Receiver, ...]
