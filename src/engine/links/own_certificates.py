"""Our own certificates, as the settings name them, looked at again and again: they end, and people replace them."""

from collections.abc import Mapping, Sequence

from engine.errors import SettingsError
from engine.links.certificates import CertificateFiles, check, read_chain
from engine.ports import CertificateLook
from engine.settings import Settings


def configured(settings: Settings) -> dict[str, CertificateFiles]:
    """All that are named, by their use, whether they are used now or not."""
    bfo, vans, listen = settings.beskedfordeler, settings.vans, settings.listen
    named = {
        "beskedfordeler": CertificateFiles(bfo.certificate, bfo.key, bfo.ca_file),
        "vans": CertificateFiles(vans.certificate, vans.key, vans.ca_file),
        "listen": CertificateFiles(listen.certificate, listen.key, listen.client_ca),
    }
    return {use: files for use, files in named.items() if files.certificate}


def used(settings: Settings) -> dict[str, CertificateFiles]:
    """Those that an engine with these settings presents to others."""
    are_used = {
        "beskedfordeler": settings.beskedfordeler.via == "amqp",
        "vans": settings.vans.send_by == "https",
        "listen": settings.takes_vans or settings.takes_pushes,
    }
    return {use: files for use, files in configured(settings).items() if are_used[use]}


class OwnCertificates:
    """Those in use. `holder` says where their files lie, where several engines have files of their own."""

    def __init__(self, files: Mapping[str, CertificateFiles], holder: str = "") -> None:
        self.holder = holder
        self._files = files

    def look(self) -> Sequence[CertificateLook]:
        return [_look(use, files) for use, files in self._files.items()]


def _look(use: str, files: CertificateFiles) -> CertificateLook:
    try:
        check(files)
        own, *_ = read_chain(files.certificate)
    except SettingsError as error:
        return CertificateLook(use, files.certificate, fault=str(error))
    return CertificateLook(use, files.certificate, own.fingerprint, own.expires_at)
