"""Our own certificate, and whom we trust: files that may be replaced while the engine runs.

Function certificates (OCES) last three years and are renewed by somebody who does not restart the engine; so each new
connection looks whether the files are others.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from engine.errors import SettingsError, os_reason

log = structlog.get_logger(__name__)

# A key under a password is refused. Without this, the library would ask for it at the terminal, and wait.
_NO_PASSWORD = ""
_REASONS = {
    "KEY_VALUES_MISMATCH": "nøglen hører ikke til certifikatet",
    "NO_CERTIFICATE_OR_CRL_FOUND": "filen med udstedere har ingen certifikater",
}
_NO_PEM = "de er ikke PEM, eller nøglen er beskyttet med en adgangskode"


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """PEM files. `certificate` may hold the chain after our own; `key` may be in the same file; an empty `authorities`
    means the machine's own.
    """

    certificate: str
    key: str
    authorities: str = ""

    @property
    def paths(self) -> tuple[Path, ...]:
        named = (self.certificate, self.key or self.certificate, self.authorities)
        return tuple(Path(name) for name in named if name)


class TlsClient:
    """A TLS context that presents our certificate, made anew when one of its files has changed."""

    def __init__(self, files: CertificateFiles) -> None:
        self._files = files
        self._seen: Sequence[tuple[int, int]] = ()
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """The context as the files are now. While they are being replaced and do not fit together yet, it is the last
        one that did; SettingsError where there is none.
        """
        try:
            seen = _look(self._files)
            if self._context is None or seen != self._seen:
                self._context, self._seen = _context(self._files), seen
        except OSError as error:
            if self._context is None:
                raise SettingsError(_unusable(error, self._files)) from error
            log.warning("certificate-unusable", error=_unusable(error, self._files))
        return self._context


class TlsServer:
    """A TLS context that serves with our certificate; `authorities` are whom a client's must be issued by."""

    def __init__(self, files: CertificateFiles) -> None:
        self._files = files
        self._seen: Sequence[tuple[int, int]] = ()
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2

    def context(self) -> ssl.SSLContext:
        """SettingsError where a file is missing or no certificate."""
        self.reload()
        return self._context

    def reload(self) -> None:
        """From the next connection on the files count as they are now.

        Whom a client may be issued by is only added to: who is taken out is trusted until the engine is started anew.
        """
        try:
            seen = _look(self._files)
            if seen == self._seen:
                return
            # In a context that serves nobody: a certificate without its key would leave this one with neither.
            _context(self._files)
            self._context.load_cert_chain(self._files.certificate, self._files.key or None, _NO_PASSWORD)
            if self._files.authorities:
                self._context.load_verify_locations(self._files.authorities)
                self._context.verify_mode = ssl.CERT_REQUIRED
        except OSError as error:
            raise SettingsError(_unusable(error, self._files)) from error
        self._seen = seen


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate of a file; `fingerprint` is its SHA-256 in hex."""

    fingerprint: str
    valid_from: datetime
    expires_at: datetime


def read_chain(file: str) -> list[Certificate]:
    """The certificates of a PEM file, our own first. SettingsError where there is none, or one that cannot be read."""
    from cryptography import x509  # noqa: PLC0415 - slow to import
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    try:
        found = x509.load_pem_x509_certificates(Path(file).read_bytes())
    except OSError as error:
        raise SettingsError(f"{file} kan ikke læses: {os_reason(error)}") from error
    except ValueError as error:
        raise SettingsError(f"{file} er ikke et certifikat i PEM") from error
    return [
        Certificate(
            each.fingerprint(SHA256()).hex(),
            each.not_valid_before_utc,
            each.not_valid_after_utc,
        )
        for each in found
    ]


def expires_at(certificate: str) -> datetime:
    """When the first certificate of a PEM file ceases to be valid. SettingsError where there is none."""
    return read_chain(certificate)[0].expires_at


def der_of(certificate: str) -> bytes:
    """The first certificate of a PEM file, as DER. SettingsError where there is none."""
    try:
        text = Path(certificate).read_text(encoding="ascii", errors="replace")
        begin, end = text.index("-----BEGIN CERTIFICATE-----"), text.index("-----END CERTIFICATE-----")
        return ssl.PEM_cert_to_DER_cert(text[begin:end] + "-----END CERTIFICATE-----")
    except (OSError, ValueError) as error:
        raise SettingsError(f"{certificate} er ikke et certifikat i PEM ({type(error).__name__})") from error


def check(files: CertificateFiles) -> None:
    """SettingsError where one of the files is missing or unreadable, or the key is not the certificate's."""
    try:
        _look(files)  # which names the one that is missing
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(files.certificate, files.key or None, _NO_PASSWORD)
        if files.authorities:
            context.load_verify_locations(files.authorities)
    except OSError as error:
        raise SettingsError(_unusable(error, files)) from error


def _look(files: CertificateFiles) -> Sequence[tuple[int, int]]:
    """What is another one when a file has been replaced or written."""
    return [(stat.st_ino, stat.st_mtime_ns) for stat in (path.stat() for path in files.paths)]


def _context(files: CertificateFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.authorities or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate:
        context.load_cert_chain(files.certificate, files.key or None, _NO_PASSWORD)
    return context


def _unusable(error: OSError, files: CertificateFiles) -> str:
    names = ", ".join(str(path) for path in files.paths)
    if isinstance(error, FileNotFoundError):
        return f"Certifikatfilen {error.filename} findes ikke"
    return f"Certifikatfilerne kan ikke bruges ({names}): {_reason(error)}"


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return _REASONS.get(error.reason or "", _NO_PEM)
    return os_reason(error)
