"""Made-up facts for each kind of mail: what `mail preview` fills a template in with, and the list of its fields."""

from datetime import UTC, datetime, timedelta
from typing import Any

from engine.domain.alarm import CaseKind, MailKind
from engine.domain.incident import Cause
from engine.flow.case_mail import KONTAKTPUNKT, MissingLine
from engine.flow.kvitteringsoverblik import OverblikLine
from engine.flow.report import mail_facts
from engine.settings import Settings

_NOON = datetime(2026, 7, 1, 10, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)

_CASES = {
    MailKind.CASE_OPENED,
    MailKind.CASE_GROWN,
    MailKind.CASE_REMINDER,
    MailKind.CASE_CLOSED,
    MailKind.CASE_ESCALATED,
}


def sample_facts(kind: MailKind, settings: Settings) -> dict[str, Any]:
    """The fields that a template of this kind may use, filled in."""
    if kind in _CASES:
        return _case(settings) | ({"mangler": 0, "adviser": []} if kind is MailKind.CASE_CLOSED else {})
    match kind:
        case MailKind.INCIDENT_PROPOSED:
            return _incident(settings)
        case MailKind.INCIDENT_STEP:
            told = "Sundhedsagenten kan ikke aflevere sygehusadviser til Beskedfordeleren."
            return _incident(settings) | {"trin": "Orientér KOMBITs driftsvagt", "tekst": told}
        case MailKind.INCIDENT_UPDATE_DUE:
            incident = _incident(settings)
            return {name: incident[name] for name in ("haendelse", "titel")} | {
                "naeste": _NOON + 10 * _MINUTE,
                "fase": "Undersøges",
            }
        case _:
            return _overview(settings)


def _case(settings: Settings) -> dict[str, Any]:
    parties = settings.parties
    lines = [
        MissingLine(
            advis_id=number,
            besked_id=f"00000000-0000-4000-8000-00000000000{number}",
            message_id=f"00000000-0000-4000-9000-00000000000{number}",
            modtaget=_NOON - (61 - number) * _MINUTE,
            fordelt=_NOON - (60 - number) * _MINUTE,
            frist=_NOON - (15 - number) * _MINUTE,
            runde=number,
        )
        for number in (1, 2)
    ]
    return {
        "sag": 7,
        "slags": CaseKind.MISSING_KVITTERING.value,
        "aabnet": _NOON - 14 * _MINUTE,
        "nu": _NOON,
        "kommune": "Prøve Kommune",
        "kommune_kode": "0999",
        "kontaktpunkt": "kontaktpunkt@kommune.example",
        "modtagersystem": "Omsorgssystem A",
        "leverandoer": "Leverandør A",
        "leverandoer_mail": "drift@a.example",
        "primaert": True,
        "mangler": 1_250,
        "i_alt": 1_260,
        "nye": 12,
        "i_servicevindue": 3,
        "adviser": lines,
        "ikke_vist": 1_248,
        "taget_af": None,
        "rolle": KONTAKTPUNKT,
        "frist_minutter": 45,
        "fordeling_minutter": 10,
        "hotline_navn": parties.supplier,
        "hotline_mail": parties.supplier_email,
        "hotline_telefon": parties.supplier_phone,
        "beskedfordeler": parties.beskedfordeler,
        "driftstatus": parties.driftstatus_url,
    }


def _incident(settings: Settings) -> dict[str, Any]:
    parties = settings.parties
    return {
        "haendelse": 2,
        "titel": "Beskedfordeleren tager ikke imod sygehusadviser",
        "aarsag": Cause.BESKEDFORDELER.danish,
        "grundlag": "Al fordeling er mislykkedes i 5 min, over 12 kommuner",
        "siden": _NOON - 5 * _MINUTE,
        "hotline_navn": parties.supplier,
        "hotline_mail": parties.supplier_email,
        "hotline_telefon": parties.supplier_phone,
        "driftstatus": parties.driftstatus_url,
    }


def _overview(settings: Settings) -> dict[str, Any]:
    lines = [
        OverblikLine(
            kommune="0999",
            kommune_name="Prøve Kommune",
            receiver_id=number,
            receiver=f"System {number}",
            receiver_uuid=f"00000000-0000-4000-8000-00000000000{number}",
            vendor="Leverandør A",
            primary=number == 1,
            published=1_250,
            acknowledged=1_200,
            negative=3,
            late=12,
            missing=40,
            waiting=7,
            median_s=42.0,
            p95_s=1_260.0,
            oldest_missing=_NOON,
        )
        for number in (1, 2)
    ]
    return mail_facts(settings, _NOON.date(), lines)
