"""Our own certificates and whom we trust: each file by itself, so that it is told which one is wrong."""

import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from engine.doctor.examination import Check, on_disk
from engine.domain.checkup import Checked, Subject, Verdict
from engine.domain.expiry import USES, crossed, left_text
from engine.errors import SettingsError, os_reason
from engine.links.certificates import Certificate, CertificateFiles, check, read_chain
from engine.links.own_certificates import configured, used
from engine.local_time import date_text, local_date
from engine.settings import Settings

_EVERYBODY_READS = 0o004
_RENEW = "Forny det, og læg det nye i samme fil: motoren tager det i brug af sig selv."
_ISSUERS = {"beskedfordeler": "ca_file", "vans": "ca_file", "listen": "client_ca"}


def checks(settings: Settings, now: Callable[[], datetime]) -> list[Check]:
    """One for each certificate that is named, and for each file with issuers that stands alone."""
    in_use = used(settings)
    found = [
        on_disk(_subject(use), partial(look_at_certificate, use, files, now, is_used=use in in_use))
        for use, files in configured(settings).items()
    ]
    alone = {
        "vans": "" if settings.vans.certificate else settings.vans.ca_file,
        "mail": settings.mail.ca_file if settings.mail.send_by == "smtp" else "",
    }
    return found + [
        on_disk(_issuers(section), partial(look_at_issuers, section, file, now))
        for section, file in alone.items()
        if file
    ]


def look_at_certificate(
    use: str, files: CertificateFiles, now: Callable[[], datetime], *, is_used: bool
) -> list[Checked]:
    """Where it is named but not used now, nothing about it is worse than advice."""
    beside = _key_is_open(use, files)
    if files.authorities:
        beside += look_at_issuers(use, files.authorities, now)
    found = [_own(use, files, now()), *(each for each in beside if each.verdict is not Verdict.GOOD)]
    return found if is_used else [_no_worse_than_advice(each) for each in found]


def _own(use: str, files: CertificateFiles, now: datetime) -> Checked:
    subject, keys = _subject(use), f"{use}.certificate og {use}.key"
    trouble = _cannot_read(Path(files.certificate)) or _cannot_read(Path(files.key or files.certificate))
    if trouble is not None:
        return subject.fault(trouble, f"Er {keys} rigtige, og må motorens bruger læse filerne?")
    try:
        chain = read_chain(files.certificate)
    except SettingsError as error:
        return subject.fault(str(error), f"Ret {use}.certificate: filen skal være i PEM, vores eget først.")
    try:
        check(CertificateFiles(files.certificate, files.key))
    except SettingsError as error:
        return subject.fault(str(error), f"Ret {use}.key: nøglen, der hører til, i PEM og uden adgangskode.")
    return _in_time(subject, files.certificate, chain, now)


def _in_time(subject: Subject, file: str, chain: list[Certificate], now: datetime) -> Checked:
    own, *above = chain
    day = date_text(local_date(own.expires_at))
    if own.expires_at < now:
        return subject.fault(f"{file} udløb {day}", _RENEW)
    if own.valid_from > now:
        begins = date_text(local_date(own.valid_from))
        return subject.fault(
            f"{file} gælder først fra {begins}", "Er maskinens ur rigtigt? Ellers vent med det."
        )
    if any(each.expires_at < now for each in above):
        return subject.fault(f"kæden i {file} har et udløbet certifikat", "Hent udstederens nye kæde.")
    found = f"{file}: udløber {day}, {left_text(own.expires_at, now)}"
    if crossed(own.expires_at, now) is not None:
        return subject.advice(found, _RENEW)
    return subject.good(found)


def _key_is_open(use: str, files: CertificateFiles) -> list[Checked]:
    key = Path(files.key or files.certificate)
    try:
        mode = stat.S_IMODE(key.stat().st_mode)
    except OSError:
        return []
    if not mode & _EVERYBODY_READS:
        return []
    return [_subject(use).advice(f"{key} med nøglen kan læses af alle", f"Kør: chmod o-rwx {key}")]


def look_at_issuers(section: str, file: str, now: Callable[[], datetime]) -> list[Checked]:
    """A file with whom we trust."""
    subject, key = _issuers(section), f"{section}.{_ISSUERS.get(section, 'ca_file')}"
    trouble = _cannot_read(Path(file))
    if trouble is not None:
        return [subject.fault(trouble, f"Er {key} rigtig, og må motorens bruger læse filen?")]
    try:
        known = read_chain(file)
    except SettingsError as error:
        return [subject.fault(str(error), f"Ret {key}: filen skal være i PEM.")]
    if all(each.expires_at < now() for each in known):
        return [subject.fault(f"alle certifikater i {file} er udløbet", "Hent udstederens nye certifikat.")]
    return [subject.good(f"{file}: kan læses ({len(known)})")]


def _cannot_read(file: Path) -> str | None:
    try:
        if file.is_dir():
            return f"{file} er en mappe"
        with file.open("rb"):
            return None
    except OSError as error:
        return f"{file}: {os_reason(error)}"


def _no_worse_than_advice(found: Checked) -> Checked:
    verdict = Verdict.GOOD if found.verdict is Verdict.GOOD else Verdict.ADVICE
    return replace(found, verdict=verdict, found=f"{found.found} (bruges ikke nu)")


def _subject(use: str) -> Subject:
    return Subject(f"certificate:{use}", f"Certifikat: {_WHAT[use]}")


def _issuers(section: str) -> Subject:
    return Subject(f"issuers:{section}", f"Udstedere: {_WHAT[section]}")


_WHAT = {**{use: what[0].upper() + what[1:] for use, what in USES.items()}, "mail": "Mail"}
