"""A system's facts as people give them, checked and turned into what is kept; and the way to the tables and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar

from engine.desk.typed import TypedField
from engine.domain.registration import (
    Certification,
    ServiceAgreement,
    SystemFacts,
    begun,
    checked_date,
    checked_email,
    checked_emails,
    checked_name,
    checked_text,
    checked_uuid,
)
from engine.errors import RuleError
from engine.local_time import exact_instant

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFacts:
    """As typed on a command line, in a form or in a file. None: not given; "" clears what may be empty."""

    name: str | None = None
    uuid: str | None = None
    vendor: str | None = None
    vendor_email: str | None = None
    area: str | None = None
    agreed_by: str | None = None
    agreement: str | None = None
    agreement_on: str | None = None  # the day of that state; otherwise the day of the change
    agreement_dates: str | None = None  # "anmodet=2026-11-01, godkendt=2026-12-01": in place of all there are
    certification: str | None = None
    certified_on: str | None = None
    connected_on: str | None = None
    only_kvittering: bool | None = None
    monitored_from: str | None = None  # Danish time
    overview: bool | None = None
    overview_emails: str | None = None
    local_contact: str | None = None
    vendor_contact: str | None = None
    comment: str | None = None

    @property
    def typed(self) -> dict[TypedField, str]:
        """Those that are kept as typed fields."""
        given = {
            TypedField.LOCAL_CONTACT: self.local_contact,
            TypedField.VENDOR_CONTACT: self.vendor_contact,
            TypedField.COMMENT: self.comment,
        }
        return {name: value for name, value in given.items() if value is not None}


WORDS = {
    "name": "systemets navn i ADM",
    "uuid": "systemets UUID i ADM",
    "vendor": "leverandørens navn i ADM",
    "vendor_email": "leverandørens system-e-mail i ADM",
    "area": "forvaltningsområdet",
    "agreed_by": "hvem der har aftalt det for forvaltningsområdet",
    "agreement": "serviceaftalens tilstand",
    "agreement_on": "serviceaftalens dato",
    "agreement_dates": "serviceaftalens datoer",
    "certification": "certificeringen hos MedCom",
    "certified_on": "certificeringens dato",
    "connected_on": "tilslutningsdatoen",
    "only_kvittering": "at systemet i ADM kun afsender MedComKvittering 1.0",
    "monitored_from": "tidspunktet, der overvåges fra",
    "overview": "tilmelding til Kvitteringsoverblik",
    "overview_enrolled": "tilmelding til Kvitteringsoverblik",
    "overview_emails": "Kvitteringsoverbliks e-mailadresser",
    "local_contact": "lokal kontakt",
    "vendor_contact": "kontakt hos leverandøren",
    "comment": "kommentar",
}
"""Each fact in Danish, as refusals name it."""

NEEDED_IN_ADM = ("name", "uuid", "vendor", "vendor_email")
NEEDED_TO_ADD = ("area", "agreed_by", *NEEDED_IN_ADM, "only_kvittering")
"""What the handbook's 3.1 asks for before a receiver is added."""


def refuse_missing(given: GivenFacts, needed: tuple[str, ...], why: str) -> None:
    """RuleError that names all that is missing, with the options that give it."""
    missing = [name for name in needed if not str(getattr(given, name) or "").strip()]
    if missing:
        words = "".join(f"\n  - {WORDS[name]} (--{name.replace('_', '-')})" for name in missing)
        raise RuleError(f"{why} Der mangler:{words}")


def checked_facts(given: GivenFacts, base: SystemFacts | None, today: date) -> SystemFacts:
    """`base` with what is given, every value checked; without a base, a new system's facts."""
    facts = base or SystemFacts(name="", uuid="", vendor="", vendor_email="")
    new: dict[str, Any] = {}
    for name in ("name", "vendor"):
        if (text := getattr(given, name)) is not None:
            new[name] = checked_name(text, WORDS[name])
    if given.uuid is not None:
        new["uuid"] = checked_uuid(given.uuid)
    if given.vendor_email is not None:
        new["vendor_email"] = checked_email(given.vendor_email, "leverandørens e-mailadresse")
    for name in ("area", "agreed_by"):
        if (text := getattr(given, name)) is not None:
            new[name] = checked_text(text, WORDS[name])
    if given.certification is not None:
        new["certification"] = _one_of(Certification, given.certification, "certification")
    for name in ("certified_on", "connected_on"):
        if (text := getattr(given, name)) is not None:
            new[name] = checked_date(text, WORDS[name]) if text.strip() else None
    if given.only_kvittering is not None:
        new["only_kvittering"] = given.only_kvittering
    if given.monitored_from is not None:
        text = given.monitored_from.strip()
        new["monitored_from"] = exact_instant(text, WORDS["monitored_from"]) if text else None
    if given.overview is not None:
        new["overview_enrolled"] = given.overview
    if given.overview_emails is not None:
        new["overview_emails"] = checked_emails(given.overview_emails, "adressen til Kvitteringsoverblik")
        new.setdefault("overview_enrolled", bool(new["overview_emails"]) or facts.overview_enrolled)
    return _with_agreement(replace(facts, **new), given, today, is_new=base is None)


def _with_agreement(facts: SystemFacts, given: GivenFacts, today: date, *, is_new: bool) -> SystemFacts:
    state, dates = facts.agreement, facts.agreement_dates
    if given.agreement is not None:
        state = _one_of(ServiceAgreement, given.agreement, "agreement")
    if given.agreement_dates is not None:
        dates = _checked_dates(given.agreement_dates)
    day = None if not given.agreement_on else checked_date(given.agreement_on, WORDS["agreement_on"])
    # All dates of a new system, or this state's own: then they are the ones, and today is not.
    told = given.agreement_dates is not None and (is_new or state.value in dates)
    if day is not None or (state is not facts.agreement and not told):
        dates = dates | {state.value: (day or today).isoformat()}
    return replace(facts, agreement=state, agreement_dates=dates)


def _checked_dates(text: str) -> dict[str, str]:
    """State → ISO date, in the order of the states."""
    what, dates = WORDS["agreement_dates"], {}
    for part in (part for part in text.replace(";", ",").split(",") if part.strip()):
        name, equals, day = part.partition("=")
        state = _one_of(ServiceAgreement, name, "agreement")
        if not equals or state.value in dates:
            raise RuleError(
                f"{what.capitalize()} skal skrives som anmodet=2026-11-01, godkendt=2026-12-01 med hver tilstand "
                f"én gang, men er {text!r}."
            )
        dates[state.value] = checked_date(day, what).isoformat()
    return {state.value: dates[state.value] for state in ServiceAgreement if state.value in dates}


def _one_of(kind: type[E], text: str, name: str) -> E:
    for member in kind:
        if member.value == text.strip().lower():
            return member
    raise RuleError(f"{begun(WORDS[name])} skal være en af {', '.join(kind)}, men er {text!r}.")


def to_columns(facts: SystemFacts) -> dict[str, Any]:
    """The columns that `receiver` and `noted_receiver` share."""
    return {
        "system_uuid": facts.uuid or None,
        "name": facts.name,
        "vendor": facts.vendor,
        "vendor_email": facts.vendor_email,
        "area": facts.area,
        "agreed_by": facts.agreed_by,
        "agreement": facts.agreement.value,
        "agreement_dates": json.dumps(facts.agreement_dates, ensure_ascii=False),
        "certification": facts.certification.value,
        "certified_on": _iso(facts.certified_on),
        "connected_on": _iso(facts.connected_on),
    }


def to_receiver_columns(facts: SystemFacts) -> dict[str, Any]:
    """All columns of `receiver` that hold facts."""
    return to_columns(facts) | {
        "only_kvittering": facts.only_kvittering,
        "monitored_from": facts.monitored_from,
        "overview_enrolled": facts.overview_enrolled,
        "overview_emails": ",".join(facts.overview_emails),
    }


def from_columns(row: Any) -> SystemFacts:
    """The facts of a row of `receiver` or `noted_receiver`."""
    values = row._mapping  # noqa: SLF001 - the public way to a mapping
    emails = values.get("overview_emails") or ""
    return SystemFacts(
        name=values["name"],
        uuid=values["system_uuid"] or "",
        vendor=values["vendor"],
        vendor_email=values["vendor_email"],
        area=values["area"],
        agreed_by=values["agreed_by"],
        agreement=ServiceAgreement(values["agreement"]),
        agreement_dates=json.loads(values["agreement_dates"]),
        certification=Certification(values["certification"]),
        certified_on=_day(values["certified_on"]),
        connected_on=_day(values["connected_on"]),
        only_kvittering=bool(values.get("only_kvittering")),
        monitored_from=values.get("monitored_from"),
        overview_enrolled=bool(values.get("overview_enrolled")),
        overview_emails=tuple(emails.split(",")) if emails else (),
    )


def plain_facts(facts: SystemFacts) -> dict[str, Any]:
    """The facts as JSON has them: in the audit log, and to compare."""
    return {name: _plain(value) for name, value in asdict(facts).items()}


def in_words(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The same facts under their Danish names, for people to read."""
    return {WORDS[name]: value for name, value in facts.items()}


def _plain(value: Any) -> Any:
    match value:
        case datetime() | date():
            return value.isoformat()
        case StrEnum():
            return value.value
        case tuple():
            return list(value)
        case _:
            return value


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
