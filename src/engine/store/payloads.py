"""Payloads at rest: compressed, then sealed with AES-256-GCM; people are found by a keyed hash of their CPR number."""

import hashlib
import hmac
import os
import threading

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.errors import PayloadError

KEY_BYTES = 32
_FORMAT = b"\x01"  # zstd, AES-256-GCM, 12-byte nonce
_NONCE_BYTES = 12
# Level 1: a FHIR Bundle shrinks to a fifth in some 40 µs; level 3 gains 5 % for twice the time.
_LEVEL = 1
# More than any payload may hold; a forged header must not make the reader allocate without end.
_LARGEST = 256 * 1024 * 1024


class PayloadBox:
    """Seals and opens payloads with one key. Safe to use from several threads. `fingerprint` names the key, and tells
    nothing of it.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise PayloadError(f"Nøglen skal være {KEY_BYTES} byte, men er {len(key)}")
        self._cipher = AESGCM(_derive(key, b"sundhedsagent payload"))
        self._search_key = _derive(key, b"sundhedsagent cpr search")
        self.fingerprint = _derive(key, b"sundhedsagent key fingerprint").hex()
        self._local = threading.local()  # a zstd context serves one thread at a time

    def seal(self, plain: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, self._compressor.compress(plain), _FORMAT)

    def open(self, sealed: bytes) -> bytes:
        """Raises PayloadError where the key is another one or the bytes were changed."""
        if sealed[:1] != _FORMAT:
            raise PayloadError("Ukendt format for et gemt indhold")
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._decompressor.decompress(
                self._cipher.decrypt(nonce, body, _FORMAT), max_output_size=_LARGEST
            )
        except (InvalidTag, zstandard.ZstdError) as error:
            raise PayloadError(
                "Et gemt indhold kan ikke åbnes: forkert nøgle eller beskadiget database"
            ) from error

    def cpr_hash(self, cpr: str) -> str:
        """A keyed hash, for search only: without the key a CPR number cannot be tried out."""
        return hmac.new(self._search_key, cpr.encode(), hashlib.sha256).hexdigest()

    @property
    def _compressor(self) -> zstandard.ZstdCompressor:
        if not hasattr(self._local, "compressor"):
            self._local.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        compressor: zstandard.ZstdCompressor = self._local.compressor
        return compressor

    @property
    def _decompressor(self) -> zstandard.ZstdDecompressor:
        if not hasattr(self._local, "decompressor"):
            self._local.decompressor = zstandard.ZstdDecompressor()
        decompressor: zstandard.ZstdDecompressor = self._local.decompressor
        return decompressor


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, None, purpose).derive(key)
