"""Base64 as it stands in XML: white space is nothing, everything else that is no base64 is damage."""

import binascii


def decode(text: str | None) -> bytes | None:
    """The bytes, or None where there are none or where `text` is no base64.

    binascii's lenient mode would skip rubbish in silence; its strict mode does not take line breaks either.
    """
    if not text:
        return None
    try:
        return binascii.a2b_base64(text, strict_mode=True) or None
    except ValueError:
        pass
    try:
        return binascii.a2b_base64(text.encode("ascii").translate(None, b" \t\r\n"), strict_mode=True) or None
    except ValueError:
        return None


def encode(data: bytes) -> bytes:
    """One line, without a line break at its end."""
    return binascii.b2a_base64(data, newline=False)
