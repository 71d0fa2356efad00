"""What the registry knows of a modtagersystem, and the checks that every value passes before it is kept.

Each check gives the value as it is kept, or a RuleError that says what is wrong and what is expected. Sources: the
handbook's 3.1 to 3.5 and 4 (the facts), ADM (names, UUID, e-mail), GS1 (GLN), the Danish registers (CVR, SOR).
"""

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from engine.domain.ids import is_gln, is_uuid
from engine.errors import RuleError

_LONGEST_NAME = 200
_LONGEST_TEXT = 2_000
_CPR_DIGITS = 10
_LONGEST_EMAIL = 254  # as SMTP has it
_SOR = re.compile(r"[0-9]{11,18}")
LIKE_CPR = re.compile(r"(?<!\d)(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2}-? ?\d{4}(?!\d)")
_EMAIL = re.compile(r"[^@\s<>(),;:\"\\]+@[^@\s<>(),;:\"\\]+\.[^@\s<>(),;:\"\\.]+")


class ServiceAgreement(StrEnum):
    """How far the serviceaftale has come; the words are those of the administration module."""

    DRAFT = "kladde"
    REQUESTED = "anmodet"
    APPROVED = "godkendt"
    REJECTED = "afvist"
    ENDED = "ophørt"


class Certification(StrEnum):
    """How far the vendor's certification at MedCom has come."""

    UNKNOWN = "ukendt"
    REQUESTED = "anmodet"
    CERTIFIED = "certificeret"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFacts:
    """What the handbook's 3.1 asks for, and what else is known of a system. Dates are Danish days."""

    name: str  # as in ADM, like the three after it
    uuid: str  # lower case; "" only for a system that does not acknowledge
    vendor: str
    vendor_email: str
    area: str = ""  # forvaltningsområde
    agreed_by: str = ""  # who agreed on its behalf
    agreement: ServiceAgreement = ServiceAgreement.DRAFT
    agreement_dates: dict[str, str] = field(default_factory=dict)  # state → ISO date
    certification: Certification = Certification.UNKNOWN
    certified_on: date | None = None
    connected_on: date | None = None
    only_kvittering: bool = False  # confirmed: it sends no other beskedtype than MedComKvittering 1.0
    monitored_from: datetime | None = None  # None: from the first day
    overview_enrolled: bool = False  # in Kvitteringsoverblik
    overview_emails: tuple[str, ...] = ()


def begun(text: str) -> str:
    """The text as a sentence begins; its other letters stay, so that UUID stays UUID."""
    return text[:1].upper() + text[1:]


def checked_name(text: str, what: str) -> str:
    """A name of one line; `what` names it in the refusal, in Danish and in its definite form."""
    name = text.strip()
    if not name:
        raise RuleError(f"Angiv {what}; det må ikke være tomt.")
    if len(name) > _LONGEST_NAME:
        raise RuleError(f"{begun(what)} er for langt: højst {_LONGEST_NAME} tegn, men er {len(name)}.")
    if not name.isprintable():
        raise RuleError(f"{begun(what)} indeholder tegn, der ikke kan vises.")
    return name


def checked_text(text: str, what: str) -> str:
    """A remark of one line, which may be empty."""
    remark = " ".join(text.split())
    if len(remark) > _LONGEST_TEXT:
        raise RuleError(f"{begun(what)} er for lang: højst {_LONGEST_TEXT} tegn, men er {len(remark)}.")
    if not remark.isprintable():
        raise RuleError(f"{begun(what)} indeholder tegn, der ikke kan vises.")
    return remark


def checked_remark(text: str, what: str) -> str:
    """A remark that goes into events, mails and reports: it may not be empty, and may not hold a CPR number."""
    remark = checked_text(text, what)
    if not remark:
        raise RuleError(f"Skriv {what}; det må ikke være tomt.")
    if LIKE_CPR.search(remark):
        raise RuleError(
            f"{begun(what)} ligner noget med et CPR-nummer. Skriv uden personoplysninger; brug advisets nummer."
        )
    return remark


def checked_cpr(text: str) -> str:
    """A CPR number as ten digits. The refusal does not repeat what was given."""
    digits = "".join(char for char in text if char not in " -")
    if not (digits.isascii() and digits.isdigit() and len(digits) == _CPR_DIGITS):
        raise RuleError("Et CPR-nummer skal skrives som 10 cifre, med eller uden bindestreg.")
    return digits


def checked_email(text: str, what: str) -> str:
    """One e-mail address."""
    email = text.strip()
    if len(email) > _LONGEST_EMAIL or not email.isprintable() or not _EMAIL.fullmatch(email) or ".." in email:
        raise RuleError(
            f"{begun(what)} er ikke en gyldig adresse: {text!r}. Der skal stå én adresse, fx navn@kommune.dk."
        )
    return email


def checked_emails(text: str, what: str) -> tuple[str, ...]:
    """Any number of addresses, with commas or semicolons between them, each once."""
    given = [part for part in re.split(r"[,;]", text) if part.strip()]
    return tuple(dict.fromkeys(checked_email(part, what) for part in given))


def checked_uuid(text: str) -> str:
    """A system's UUID in ADM, in lower case."""
    if not is_uuid(text.strip()):
        raise RuleError(f"Systemets UUID skal have formen 8-4-4-4-12 hexcifre, men er {text!r}.")
    return text.strip().lower()


def checked_gln(text: str) -> str:
    """A GLN with its right check digit."""
    gln = text.strip()
    if not (gln.isascii() and gln.isdigit() and len(gln) == 13):
        raise RuleError(f"GLN skal være 13 cifre, men er {text!r}.")
    if not is_gln(gln):
        right = next(digit for digit in "0123456789" if is_gln(gln[:12] + digit))
        raise RuleError(f"GLN {gln} har forkert kontrolciffer: det skulle være {right}.")
    return gln


def checked_sor(text: str) -> str:
    sor = text.strip()
    if not _SOR.fullmatch(sor):
        raise RuleError(f"SOR-koden skal være 11 til 18 cifre, men er {text!r}.")
    return sor


def checked_date(text: str, what: str) -> date:
    """A day, written 2026-12-01 or 01.12.2026."""
    given = text.strip()
    for shape in ("%Y-%m-%d", "%d.%m.%Y", "%d-%m-%Y"):
        try:
            return datetime.strptime(given, shape).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
    raise RuleError(f"{begun(what)} skal skrives som 2026-12-01 eller 01.12.2026, men er {text!r}.")
