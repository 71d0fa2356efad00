"""Short ways to a spec: a test says what matters to it, and the rest is filled in."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.domain.acknowledgement import ResponseCode
from engine.domain.advis import AdvisCode, EncounterClass
from engine.simulation.made_up import BRUNO, made_up_id, made_up_unit
from engine.simulation.messages import DEATHS, ISSUES, AckSpec, HnSpec, activity_of, base_of
from engine.simulation.resources import ProvenanceSpec, endpoint_of

_KOMMUNE = made_up_unit(1, "Sygehusadviser, Testkommunen")
_HOSPITAL = made_up_unit(2, "Medicinsk Afdeling, Testhospitalet")
_SENT = datetime(2025, 3, 14, 9, 30, tzinfo=UTC)
_BEFORE = {
    AdvisCode.STOR: AdvisCode.STIN,
    AdvisCode.SLOR: AdvisCode.STOR,
    AdvisCode.SLHJ: AdvisCode.STIN,
    AdvisCode.MORS: AdvisCode.STIN,
}
_numbers = itertools.count(1)


def an_advis(**overrides: Any) -> HnSpec:
    """An advis of Bruno Test Elmer: STIN unless `code` says otherwise, with the history that the code needs.

    Each call gives new ids; pass `message_id`, or use `HnSpec.resent`, for a copy.
    """
    number = next(_numbers)
    code: AdvisCode = overrides.get("code", AdvisCode.STIN)
    emergency = base_of(code) is AdvisCode.STAA
    sent_at: datetime = overrides.get("sent_at", _SENT)
    fields: dict[str, Any] = {
        "code": code,
        "kommune": _KOMMUNE,
        "hospital": _HOSPITAL,
        "patient": BRUNO,
        "message_id": made_up_id("an advis", number),
        "bundle_id": made_up_id("an advis' bundle", number),
        "encounter_id": made_up_id("an advis' encounter", number),
        "encounter_class": EncounterClass.EMER if emergency else EncounterClass.IMP,
        "started_at": sent_at - timedelta(days=3),
        "ended_at": sent_at - timedelta(minutes=5),
        "leave_start": sent_at - timedelta(days=1),
        "leave_end": sent_at - timedelta(minutes=10),
        "sent_at": sent_at,
        "episode_local": made_up_id("an advis' episode", number),
    }
    fields |= overrides
    if "history" not in overrides:
        fields["history"] = _history_of(code, fields["encounter_class"], number, sent_at)
    return HnSpec(**fields)


def _history_of(
    code: AdvisCode, encounter_class: EncounterClass, number: int, sent_at: datetime
) -> tuple[ProvenanceSpec, ...]:
    before = base_of(code) if base_of(code) is not code else _BEFORE.get(code)
    if before is None:
        return ()
    at = sent_at - timedelta(hours=6)
    earlier = _history_of(before, encounter_class, number, at)
    message_id = made_up_id("an advis before", number, before)
    said = before if before not in DEATHS else AdvisCode.STIN
    previous = earlier[-1].message_id if earlier else None
    return (*earlier, ProvenanceSpec(message_id, activity_of(said, encounter_class), at, previous))


def an_acknowledgement(advis: HnSpec | None = None, **overrides: Any) -> AckSpec:
    """A kvittering of `advis` (of a new one if none is given), `ok` unless `code` says otherwise."""
    advis = advis or an_advis()
    number = next(_numbers)
    code: ResponseCode = overrides.get("code", ResponseCode.OK)
    fields: dict[str, Any] = {
        "code": code,
        "response_identifier": advis.message_id,
        "message_id": made_up_id("an acknowledgement", number),
        "bundle_id": made_up_id("an acknowledgement's bundle", number),
        "acknowledger": advis.kommune,
        "hospital": advis.hospital,
        "endpoint": endpoint_of(advis.hospital),
        "original": advis.provenance,
        "created_at": advis.sent_at + timedelta(seconds=20),
        "sent_at": advis.sent_at + timedelta(seconds=21),
        "issues": ISSUES[code],
    }
    return AckSpec(**(fields | overrides))
