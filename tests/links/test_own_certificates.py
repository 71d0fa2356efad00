"""Our own certificates as the engine looks at them again and again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.home import Home
from engine.links.certificates import CertificateFiles, read_chain
from engine.links.own_certificates import OwnCertificates, configured, used
from engine.service import Engine, Links
from engine.settings import Settings, variable
from engine.simulation.certificates import Authority, Issued
from engine.store import tables
from engine.store.certificates import held

FILES = {"certificate": "own.pem", "key": "own.key"}
UUID = "b2f7a1d0-0000-4000-8000-000000000001"
AMQP = {"via": "amqp", "cvr": "64942212", "dueslag": UUID}
LASTS = timedelta(days=90)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def own(authority: Authority) -> Issued:
    return authority.issue("own", lasts=LASTS)


def test_one_that_is_well_is_told_by_its_fingerprint_and_its_end(own: Issued, authority: Authority) -> None:
    files = CertificateFiles(str(own.certificate), str(own.key), str(authority.file))
    (look,) = OwnCertificates({"vans": files}, "a:/hjem").look()
    assert (look.use, look.file, look.fault) == ("vans", str(own.certificate), None)
    (certificate,) = read_chain(str(own.certificate))
    assert (look.fingerprint, look.expires_at) == (certificate.fingerprint, certificate.expires_at)
    assert certificate.expires_at is not None
    assert abs(certificate.expires_at - datetime.now(UTC) - LASTS) < timedelta(minutes=1)


def test_a_chain_is_told_by_its_first(own: Issued, authority: Authority) -> None:
    alone = read_chain(str(own.certificate))
    own.certificate.write_bytes(own.certificate.read_bytes() + authority.file.read_bytes())
    assert read_chain(str(own.certificate))[:1] == alone
    assert len(read_chain(str(own.certificate))) == 2


def test_a_replaced_file_is_seen_and_so_is_one_that_is_half_replaced(
    own: Issued, authority: Authority
) -> None:
    files = OwnCertificates({"vans": CertificateFiles(str(own.certificate), str(own.key))})
    (before,) = files.look()
    other = authority.issue("other", lasts=LASTS)
    other.certificate.replace(own.certificate)
    (half,) = files.look()
    assert (half.fingerprint, half.expires_at) == (None, None)
    assert "nøglen hører ikke til certifikatet" in (half.fault or "")
    other.key.replace(own.key)
    (after,) = files.look()
    assert (after.fault, after.fingerprint) == (None, read_chain(str(own.certificate))[0].fingerprint)
    assert after.fingerprint != before.fingerprint


@pytest.mark.parametrize("which", ["certificate", "key", "authorities"])
def test_each_file_that_is_missing_is_a_fault_and_hides_no_other(
    own: Issued, authority: Authority, which: str
) -> None:
    good = CertificateFiles(str(own.certificate), str(own.key), str(authority.file))
    paths = {"certificate": good.certificate, "key": good.key, "authorities": good.authorities}
    bad = CertificateFiles(**(paths | {which: "/nowhere.pem"}))
    broken, well = OwnCertificates({"vans": bad, "listen": good}).look()
    assert broken.fault == "Certifikatfilen /nowhere.pem findes ikke"
    assert well.fault is None


@pytest.mark.parametrize(
    ("given", "uses"),
    [
        ({}, []),
        ({"vans": FILES, "beskedfordeler": FILES, "listen": FILES}, []),
        ({"vans": {"send_by": "https", "url": "https://v.example/", **FILES}}, ["vans"]),
        ({"vans": {"send_by": "https", "url": "https://v.example/"}}, []),
        ({"beskedfordeler": {**AMQP, **FILES}, "listen": FILES}, ["beskedfordeler"]),
        ({"vans": {"receive_by": "https"}, "listen": {"port": 8443, **FILES}}, ["listen"]),
        (
            {"beskedfordeler": {**AMQP, **FILES, "receive_by": "push"}, "listen": {"port": 8443, **FILES}},
            ["beskedfordeler", "listen"],
        ),
    ],
)
def test_those_that_are_used_are_looked_at(given: dict[str, Any], uses: list[str]) -> None:
    settings = Settings(**given)
    assert list(used(settings)) == uses
    assert list(configured(settings)) == [
        use for use in ("beskedfordeler", "vans", "listen") if "certificate" in given.get(use, {})
    ]


async def test_an_engine_on_a_home_looks_at_what_its_settings_name(
    new_home: Home, own: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in {"send_by": "https", "url": "https://127.0.0.1:1/"}.items():
        monkeypatch.setenv(variable(f"vans.{key}"), value)
    monkeypatch.setenv(variable("vans.certificate"), str(own.certificate))
    monkeypatch.setenv(variable("vans.key"), str(own.key))
    engine = Engine.open(new_home)
    await engine.drain()
    with engine._db.reading() as conn:
        (row,) = held(conn)
        assert conn.execute(tables.event.select()).all() == []
    engine.close()
    assert (row.use, row.file, row.told) == ("vans", str(own.certificate), None)
    # Engines that share a database have files of their own.
    assert (row.holder.endswith(f":{new_home.path}"), row.holder == "") == (
        bool(new_home.database_url),
        not new_home.database_url,
    )


def test_links_without_certificates_have_none_to_look_at(new_home: Home) -> None:
    assert Links.chosen(new_home, Settings()).certificates.look() == []
