"""Certificates, keys and issuers, file by file."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from engine.doctor.certificates import checks
from engine.doctor.examination import examine
from engine.domain.checkup import Checked, Verdict
from engine.settings import Settings
from engine.simulation.certificates import Authority, Issued
from tests.doctor.conftest import of, only

ADVICE, FAULT, GOOD = Verdict.ADVICE, Verdict.FAULT, Verdict.GOOD
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
LONG = timedelta(days=700)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def own(authority: Authority) -> Issued:
    return authority.issue("own", lasts=LONG)


def vans(own: Issued, **more: Any) -> dict[str, Any]:
    """The settings of VANS by HTTPS with these files."""
    files = {"certificate": str(own.certificate), "key": str(own.key)}
    return {"send_by": "https", "url": "https://vans.example/", **files, **more}


def found(at: datetime | None = None, **settings: Any) -> list[Checked]:
    return examine(*checks(Settings(**settings), lambda: at or datetime.now(UTC)))


def test_where_none_is_named_there_is_nothing_to_look_at() -> None:
    assert checks(Settings(), lambda: datetime.now(UTC)) == []


def test_one_that_is_well_tells_how_long_it_lasts(own: Issued, authority: Authority) -> None:
    line = only(found(vans=vans(own, ca_file=str(authority.file))))
    assert (line.name, line.what, line.verdict) == ("certificate:vans", "Certifikat: VANS ud", GOOD)
    assert line.found.startswith(f"{own.certificate}: udløber ")
    assert line.found.endswith(", om 699 dage")


def test_the_key_may_stand_in_the_same_file(own: Issued, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.touch(mode=0o600)
    both.write_bytes(own.certificate.read_bytes() + own.key.read_bytes())
    assert only(found(vans=vans(own, certificate=str(both), key=""))).verdict is GOOD


@pytest.mark.parametrize(
    ("left", "verdict"),
    [(61 * DAY, GOOD), (59 * DAY, ADVICE), (6 * DAY, ADVICE), (MINUTE, ADVICE), (-MINUTE, FAULT)],
)
def test_one_that_ends_soon_is_advice_and_one_that_has_a_fault(
    own: Issued, left: timedelta, verdict: Verdict
) -> None:
    at = datetime.now(UTC) + LONG - left
    line = only(found(at, vans=vans(own)))
    assert line.verdict is verdict
    assert ("udløb " in line.found) == (verdict is FAULT)


def test_one_that_is_not_valid_yet_is_a_fault(own: Issued) -> None:
    line = only(found(datetime.now(UTC) - DAY, vans=vans(own)))
    assert (line.verdict, "gælder først fra" in line.found) == (FAULT, True)


def test_a_chain_that_has_ended_is_a_fault(own: Issued, authority: Authority) -> None:
    """The authority lasts for a month only, and its certificate stands after our own."""
    own.certificate.write_bytes(own.certificate.read_bytes() + authority.file.read_bytes())
    assert only(found(vans=vans(own))).verdict is GOOD
    line = only(found(datetime.now(UTC) + 40 * DAY, vans=vans(own)))
    assert (line.verdict, line.found) == (FAULT, f"kæden i {own.certificate} har et udløbet certifikat")


@pytest.mark.parametrize("which", ["certificate", "key"])
def test_a_file_that_is_missing_or_a_folder_is_named(own: Issued, tmp_path: Path, which: str) -> None:
    for path, reason in (
        (tmp_path / "none.pem", ": filen eller mappen findes ikke"),
        (tmp_path, " er en mappe"),
    ):
        line = only(found(vans=vans(own, **{which: str(path)})))
        assert (line.verdict, line.found) == (FAULT, f"{path}{reason}")
        assert f"vans.{which}" in line.do


def test_what_is_no_certificate_is_a_fault(own: Issued) -> None:
    own.certificate.write_text("no certificate")
    line = only(found(vans=vans(own)))
    assert (line.verdict, line.found) == (FAULT, f"{own.certificate} er ikke et certifikat i PEM")
    assert "vans.certificate" in line.do


def test_a_key_of_another_certificate_is_a_fault(own: Issued, authority: Authority) -> None:
    line = only(found(vans=vans(own, key=str(authority.issue("other").key))))
    assert (line.verdict, "nøglen hører ikke til certifikatet" in line.found) == (FAULT, True)
    assert "vans.key" in line.do


def test_a_key_under_a_password_is_a_fault_and_nobody_is_asked_for_it(own: Issued) -> None:
    key = serialization.load_pem_private_key(own.key.read_bytes(), None)
    own.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    line = only(found(vans=vans(own)))
    assert (line.verdict, "beskyttet med en adgangskode" in line.found) == (FAULT, True)


def test_a_key_that_everybody_can_read_is_advice_beside_the_rest(own: Issued) -> None:
    own.key.chmod(0o644)
    well, advice = found(vans=vans(own))
    assert (well.verdict, advice.verdict) == (GOOD, ADVICE)
    assert advice.do == f"Kør: chmod o-rwx {own.key}"
    own.key.chmod(0o640)  # a group may have been let in on purpose
    assert only(found(vans=vans(own))).verdict is GOOD


def test_whom_we_trust_is_looked_at_too(own: Issued, authority: Authority, tmp_path: Path) -> None:
    gone = tmp_path / "none.pem"
    well, line = found(vans=vans(own, ca_file=str(gone)))
    assert (well.verdict, line.verdict) == (GOOD, FAULT)
    assert (line.what, "vans.ca_file" in line.do) == ("Udstedere: VANS ud", True)
    gone.write_text("")
    assert "ikke et certifikat i PEM" in found(vans=vans(own, ca_file=str(gone)))[1].found
    later = datetime.now(UTC) + 40 * DAY
    assert of(found(later, vans=vans(own, ca_file=str(authority.file))), FAULT) == [
        f"alle certifikater i {authority.file} er udløbet"
    ]
    both = tmp_path / "both.pem"  # an old one and its successor
    both.write_bytes(authority.file.read_bytes() + own.certificate.read_bytes())
    assert of(found(later, vans=vans(own, ca_file=str(both))), FAULT) == []


def test_issuers_without_a_certificate_of_our_own_have_a_line(authority: Authority, tmp_path: Path) -> None:
    url = {"send_by": "https", "url": "https://vans.example/", "ca_file": str(authority.file)}
    mail = {"send_by": "smtp", "ca_file": str(tmp_path / "none.pem")}
    trusted, missing = found(vans=url, mail=mail)
    assert (trusted.name, trusted.verdict) == ("issuers:vans", GOOD)
    assert (missing.name, missing.what, missing.verdict) == ("issuers:mail", "Udstedere: Mail", FAULT)
    assert found(mail={**mail, "send_by": "folder"}) == []


def test_all_three_are_looked_at_each_under_its_own_name(own: Issued, authority: Authority) -> None:
    files = {"certificate": str(own.certificate), "key": str(own.key)}
    uuid = "b2f7a1d0-0000-4000-8000-000000000001"
    bfo = {"via": "amqp", "cvr": "64942212", "dueslag": uuid, "receive_by": "push", **files}
    listen = {"port": 8443, "client_ca": str(authority.file), **files}
    names = [each.what for each in found(vans=vans(own), beskedfordeler=bfo, listen=listen)]
    assert names == [
        "Certifikat: Beskedfordeleren",
        "Certifikat: VANS ud",
        "Certifikat: Indgangen over HTTPS",
    ]
    shutil.copy(authority.file.parent / "own.key", own.certificate)  # all three are told at once
    broken = found(vans=vans(own), beskedfordeler=bfo, listen=listen)
    assert [each.name for each in broken if each.verdict is FAULT] == [
        "certificate:beskedfordeler",
        "certificate:vans",
        "certificate:listen",
    ]


def test_one_that_is_not_used_now_is_no_worse_than_advice(own: Issued, tmp_path: Path) -> None:
    unused = {"certificate": str(own.certificate), "key": str(own.key)}
    line = only(found(beskedfordeler=unused))
    assert (line.verdict, line.found.endswith("(bruges ikke nu)")) == (GOOD, True)
    line = only(found(beskedfordeler={**unused, "key": str(tmp_path / "none.key")}))
    assert (line.verdict, line.found.endswith("(bruges ikke nu)")) == (ADVICE, True)
