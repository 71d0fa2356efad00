"""Where the surroundings on a developer's laptop are, and the folder of files that it takes: certificates, the broker's
configuration, and the settings by which an engine finds all this.
"""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from engine.errors import SettingsError, SundhedsagentError, os_reason
from engine.links.certificates import CertificateFiles, expires_at
from engine.settings import Settings, variable
from engine.simulation import rabbitmq, vans_provider
from engine.simulation.certificates import THIS_MACHINE, Authority, Issued, hosts_of
from engine.simulation.sts import PATH as STS_PATH

DUESLAG: Final = "b2f7a1d0-0000-4000-8000-00000000000a"
"""Sundhedsagenten's own, where the home's settings name none."""

BROKER, SERVER, VANS = "rabbitmq", "omverden", "vans"
_NAMES = (BROKER, SERVER, VANS, rabbitmq.AGENT, rabbitmq.RECEIVERS)
_EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared with, and listened on only by whoever asks for it
_RENEW_BEFORE = timedelta(days=2)
_BROKER_PORT = 5672
_START = """\
#!/bin/sh
# RabbitMQ for the Beskedfordeler in software. All that it writes stays in this folder.
{exports}
program=/usr/lib/rabbitmq/bin/rabbitmq-server # Debian's, which runs as anybody
test -x "$program" || program=rabbitmq-server
exec "$program"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where everything is. Engines come to the first of the `hosts`, or to this machine."""

    folder: Path
    broker: str  # amqp://…, where the Beskedfordeler in software logs on
    broker_tls_port: int
    hosts: tuple[str, ...] = ()
    address: str = "127.0.0.1"
    amqp_port: int = 5671
    https_port: int = 8443
    engines: tuple[str, ...] = ()  # where they take envelopes by HTTPS; none: VANS goes by the home's folders

    @property
    def host(self) -> str:
        return self.hosts[0] if self.hosts else self.near

    @property
    def near(self) -> str:
        """The address for those on this machine."""
        return THIS_MACHINE[-1] if self.address == _EVERY_ADDRESS else self.address

    @property
    def broker_host(self) -> str:
        return urlsplit(self.broker).hostname or ""

    @property
    def broker_port(self) -> int:
        return urlsplit(self.broker).port or _BROKER_PORT

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def sts_key(self) -> Path:
        """How the STS knows its own assertions again, also those of an earlier run."""
        return self.folder / "sts.key"

    @property
    def engine_file(self) -> Path:
        return self.folder / "engine.env"

    @property
    def start_file(self) -> Path:
        return self.folder / "start-rabbitmq"

    def issued(self, name: str) -> Issued:
        return Issued(self.folder / f"{name}.pem", self.folder / f"{name}.key")

    def files(self, name: str) -> CertificateFiles:
        own = self.issued(name)
        return CertificateFiles(str(own.certificate), str(own.key), str(self.authority))


def prepare(place: Place, settings: Settings, cvr: str) -> bool:
    """Make all files of the folder. Certificates that are good are kept; True where there are new ones.

    SettingsError where the broker's address is none, SundhedsagentError where the folder cannot be used.
    """
    parts = urlsplit(place.broker)
    if parts.scheme != "amqp" or not parts.hostname:
        raise SettingsError(
            f"RabbitMQ's adresse skal være som amqp://bruger:kode@127.0.0.1:5672/BF, men er {place.broker!r}."
        )
    try:
        return _prepare(place, settings, cvr)
    except OSError as error:
        raise SundhedsagentError(f"{error.filename or place.folder}: {os_reason(error)}.") from error


def _prepare(place: Place, settings: Settings, cvr: str) -> bool:
    place.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    are_new = not _are_good(place)
    if are_new:
        authority = Authority(place.folder, _hosts(place))
        for name in _NAMES:
            authority.issue(name)
    if not place.sts_key.exists():
        place.sts_key.touch(mode=0o600)
        place.sts_key.write_bytes(os.urandom(32))
    rabbitmq.write_configuration(
        place.folder,
        authority=place.authority,
        own=place.issued(BROKER),
        port=place.broker_port,
        tls_port=place.broker_tls_port,
        address=place.address,
    )
    exports = [
        f"export {name}={shlex.quote(value)}" for name, value in rabbitmq.environment(place.folder).items()
    ]
    place.start_file.write_text(_START.format(exports="\n".join(exports)), encoding="utf-8")
    lines = [f"{variable(key)}={value}\n" for key, value in engine_settings(place, settings, cvr).items()]
    place.engine_file.write_text("".join(lines), encoding="utf-8")
    return are_new


def engine_settings(place: Place, settings: Settings, cvr: str) -> Mapping[str, str]:
    """What an engine's settings must be to find all this."""
    own = place.issued(rabbitmq.AGENT)
    base = f"https://{place.host}:{place.https_port}"
    found = {
        "beskedfordeler.via": "amqp",
        "beskedfordeler.server": place.host,
        "beskedfordeler.port": str(place.amqp_port),
        "beskedfordeler.vhost": rabbitmq.VHOST,
        "beskedfordeler.cvr": cvr,
        "beskedfordeler.dueslag": settings.beskedfordeler.dueslag or DUESLAG,
        "beskedfordeler.certificate": str(own.certificate),
        "beskedfordeler.key": str(own.key),
        "beskedfordeler.ca_file": str(place.authority),
        "beskedfordeler.sts": base + STS_PATH,
    }
    if place.engines:
        found |= {
            "vans.receive_by": "https",
            "vans.send_by": "https",
            "vans.url": base + vans_provider.PATH,
            "vans.certificate": str(own.certificate),
            "vans.key": str(own.key),
            "vans.ca_file": str(place.authority),
            "listen.port": str(urlsplit(place.engines[0]).port or 443),
            "listen.certificate": str(own.certificate),
            "listen.key": str(own.key),
            "listen.client_ca": str(place.authority),
        }
    return found


def _are_good(place: Place) -> bool:
    """Whether all certificates are there, for the right hosts, and for some days still."""
    try:
        return place.authority.is_file() and all(
            issued.key.is_file()
            and expires_at(str(issued.certificate)) - datetime.now(UTC) > _RENEW_BEFORE
            and set(hosts_of(issued.certificate)) == set(_hosts(place))
            for issued in map(place.issued, _NAMES)
        )
    except SettingsError:
        return False


def _hosts(place: Place) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*THIS_MACHINE, place.near, *place.hosts)))
