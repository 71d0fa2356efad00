"""Messages by the thousand: each kind is built once, and every further one is given ids of its own."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

from engine.domain.acknowledgement import ResponseCode
from engine.simulation.builders import an_acknowledgement, an_advis
from engine.simulation.envelopes import Correspondence, kvittering_besked
from engine.simulation.messages import AckSpec, HnSpec, ack_bytes, hn_bytes
from tests.production.country import KOMMUNER, KVITTERING, UNITS


@dataclass
class Messages:
    _adviser: dict[str, tuple[HnSpec, bytes]] = field(default_factory=dict)
    _acks: dict[tuple[str, ResponseCode], tuple[AckSpec, bytes]] = field(default_factory=dict)

    def new(self, kommune: str) -> HnSpec:
        """An advis that nobody has sent before."""
        spec, _ = self._pattern(kommune)
        return replace(spec, message_id=str(uuid4()), bundle_id=str(uuid4()))

    def resent(self, spec: HnSpec) -> HnSpec:
        """The same advis as a hospital sends it again."""
        return replace(spec, bundle_id=str(uuid4()))

    def advis(self, kommune: str, spec: HnSpec) -> bytes:
        """The Bundle of one of ours."""
        first, data = self._pattern(kommune)
        return _exchanged(data, {first.message_id: spec.message_id, first.bundle_id: spec.bundle_id})

    def acknowledgement(self, kommune: str, message_id: str, code: ResponseCode) -> bytes:
        """A new Acknowledgement of an advis."""
        advis, _ = self._pattern(kommune)
        if (kommune, code) not in self._acks:
            spec = an_acknowledgement(advis, code=code)
            self._acks[kommune, code] = (spec, ack_bytes(spec))
        spec, data = self._acks[kommune, code]
        fresh = {spec.message_id: str(uuid4()), spec.bundle_id: str(uuid4())}
        return _exchanged(data, fresh | {advis.message_id: message_id})

    def _pattern(self, kommune: str) -> tuple[HnSpec, bytes]:
        if kommune not in self._adviser:
            spec = an_advis(kommune=UNITS[kommune], message_id=str(uuid4()), bundle_id=str(uuid4()))
            self._adviser[kommune] = (spec, hn_bytes(spec))
        return self._adviser[kommune]


def besked_of(kommune: str, system: str, data: bytes, besked_id: str) -> bytes:
    """A receiver's Acknowledgement as it goes to the Beskedfordeler."""
    who = Correspondence(system, KOMMUNER[kommune], KVITTERING)
    return kvittering_besked(
        data, who=who, besked_id=besked_id, related_besked_id=None, made_at=datetime.now(UTC)
    )


def _exchanged(data: bytes, ids: dict[str, str]) -> bytes:
    for old, new in ids.items():
        data = data.replace(old.encode(), new.encode())
    return data
