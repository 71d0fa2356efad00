"""The identifiers of the field, and the checks that their own rules give.

Sources: GLN is a GS1 number (modulus 10), CVR has a modulus-11 check (weights 2 7 6 5 4 3 2 1), the CPR form is
dk-core's (no modulus 11: numbers since 2007 need not pass it). MessageHeader.id and Bundle.id are FHIR ids and
need not be UUIDs.
"""

import re
from typing import NewType
from uuid import UUID, uuid5

KommuneCode = NewType("KommuneCode", str)  # four digits, "0101"
Gln = NewType("Gln", str)  # 13 digits
Cvr = NewType("Cvr", str)  # 8 digits
MessageId = NewType("MessageId", str)  # MessageHeader.id: names the advis within its kommune
BundleId = NewType("BundleId", str)  # Bundle.id: new on every sending
BeskedId = NewType("BeskedId", str)  # lower-case UUID; receivers deduplicate on it
SystemUuid = NewType("SystemUuid", str)  # a system's UUID in ADM, lower case

# FHIR allows 64 characters, VANS a UUID of 36. One that is longer than this is no id: an index of PostgreSQL takes
# entries of 2.7 kB at most, and two ids must fit in one, in whatever alphabet they are written.
LONGEST_ID = 200

_BESKED_NAMESPACE = UUID("6f0b9b1e-54f2-5f0c-9a3e-2b8c1d7e4a55")

_CPR = re.compile(
    r"((0[1-9]|[12]\d|3[01])(01|03|05|07|08|10|12)|(0[1-9]|[12]\d|30)(04|06|09|11)|(0[1-9]|[12]\d)02)\d{6}"
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def besked_id(cvr: Cvr, message_id: MessageId) -> BeskedId:
    """The one BeskedId of an advis, for ever: a function of its identity, so that no crash can give it two."""
    return BeskedId(str(uuid5(_BESKED_NAMESPACE, f"{cvr}/{message_id}")))


def is_gln(text: str) -> bool:
    if not (text.isascii() and text.isdigit() and len(text) == 13):
        return False
    digits = [int(d) for d in text]
    return (sum(digits[0::2]) + 3 * sum(digits[1::2])) % 10 == 0


def is_cvr(text: str) -> bool:
    if not (text.isascii() and text.isdigit() and len(text) == 8):
        return False
    return sum(int(d) * w for d, w in zip(text, (2, 7, 6, 5, 4, 3, 2, 1), strict=True)) % 11 == 0


def is_cpr(text: str) -> bool:
    """Ten digits that begin with a date; never a modulus check."""
    return _CPR.fullmatch(text) is not None


def is_uuid(text: str) -> bool:
    """A UUID in lower or upper case, with hyphens."""
    return _UUID.fullmatch(text.lower()) is not None


def spellings(identifier: str) -> tuple[str, ...]:
    """An identifier as given, and in lower and upper case: systems differ in how they write a UUID."""
    return tuple(dict.fromkeys((identifier, identifier.lower(), identifier.upper())))
