"""Connecting a kommune and adding its receivers: the rules, the rows and the facts, in one transaction."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select

from engine.desk.registry import KommuneName, find_kommune
from engine.domain.events import EventKind
from engine.domain.ids import is_gln, is_uuid
from engine.errors import NotFoundError, RuleError
from engine.store import tables
from engine.store.database import Tx
from engine.store.ledger import Ledger

_LONGEST_NAME = 200
_LONGEST_EMAIL = 254  # as SMTP has it
_SOR = re.compile(r"[0-9]{11,18}")
_EMAIL = re.compile(r"[^@\s<>(),;:\"\\]+@[^@\s<>(),;:\"\\]+\.[^@\s<>(),;:\"\\.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReceiver:
    """A modtagersystem that acknowledges, as it stands in ADM."""

    name: str
    uuid: str
    vendor: str
    vendor_email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectKommune:
    """A kommune: the unit that hospitals address, the contact point, and the first receiver, its primary."""

    code: str
    gln: str
    sor: str
    contact_email: str
    primary: NewReceiver


@dataclass(frozen=True, slots=True)
class Registered:
    """What was put into the registry."""

    kommune_code: str
    kommune_name: str
    receiver_id: int
    receiver_name: str
    system_uuid: str


def connect_kommune(tx: Tx, now: datetime, actor: str, order: ConnectKommune) -> Registered:
    """Connect a kommune; RuleError where the registry or a rule refuses it."""
    kommune = _kommune(tx, order.code)
    if _is_connected(tx, kommune.code):
        raise RuleError(f"{kommune.name} ({kommune.code}) er allerede tilsluttet.")
    _check_gln(tx, order.gln, kommune.code)
    if not _SOR.fullmatch(order.sor):
        raise RuleError(f"SOR-koden skal være 11 til 18 cifre, men er {order.sor!r}.")
    contact = _email(order.contact_email, "kontaktpunktets e-mailadresse")
    ledger = Ledger(tx, now)
    receiver_id, checked = _insert_receiver(tx, now, kommune.code, order.primary)
    unit = {"gln": order.gln, "sor": order.sor, "kommune_code": kommune.code}
    tx.conn.execute(insert(tables.unit).values(unit))
    tx.conn.execute(
        insert(tables.connection).values(
            kommune_code=kommune.code,
            primary_receiver_id=receiver_id,
            contact_email=contact,
            connected_at=now,
        )
    )
    ledger.event(
        EventKind.KOMMUNE_CONNECTED,
        actor=actor,
        kommune_code=kommune.code,
        kommune=kommune.name,
        receiver=checked.name,
        receiver_id=receiver_id,
        system_uuid=checked.uuid,
        gln=order.gln,
        sor=order.sor,
    )
    ledger.write()
    return Registered(kommune.code, kommune.name, receiver_id, checked.name, checked.uuid)


def add_receiver(tx: Tx, now: datetime, actor: str, code: str, order: NewReceiver) -> Registered:
    """Add an acknowledging receiver to a connected kommune, never as its primary."""
    kommune = _kommune(tx, code)
    if not _is_connected(tx, kommune.code):
        raise RuleError(
            f"{kommune.name} ({kommune.code}) er ikke tilsluttet endnu. "
            f"Tilslut den først med: sundhedsagent kommune connect {kommune.code} …"
        )
    ledger = Ledger(tx, now)
    receiver_id, checked = _insert_receiver(tx, now, kommune.code, order)
    ledger.event(
        EventKind.RECEIVER_ADDED,
        actor=actor,
        kommune_code=kommune.code,
        receiver=checked.name,
        receiver_id=receiver_id,
        system_uuid=checked.uuid,
    )
    ledger.write()
    return Registered(kommune.code, kommune.name, receiver_id, checked.name, checked.uuid)


def _kommune(tx: Tx, code: str) -> KommuneName:
    try:
        return find_kommune(tx.conn, code)
    except NotFoundError as error:
        raise RuleError(str(error)) from error


def _is_connected(tx: Tx, code: str) -> bool:
    # The row is locked, so that two who change the same kommune do it one after the other.
    query = select(tables.connection.c.kommune_code).where(tables.connection.c.kommune_code == code)
    return tx.conn.execute(query.with_for_update()).scalar() is not None


def _check_gln(tx: Tx, gln: str, code: str) -> None:
    if not (gln.isascii() and gln.isdigit() and len(gln) == 13):
        raise RuleError(f"GLN skal være 13 cifre, men er {gln!r}.")
    if not is_gln(gln):
        right = next(digit for digit in "0123456789" if is_gln(gln[:12] + digit))
        raise RuleError(f"GLN {gln} har forkert kontrolciffer: det skulle være {right}.")
    unit, kommune = tables.unit, tables.kommune
    query = (
        select(kommune.c.code, kommune.c.name)
        .join(unit, unit.c.kommune_code == kommune.c.code)
        .where(unit.c.gln == gln)
    )
    taken = tx.conn.execute(query).one_or_none()
    if taken is not None:
        whose = "kommunen selv" if taken.code == code else f"{taken.name} ({taken.code})"
        raise RuleError(f"GLN {gln} bruges allerede af {whose}.")


def _insert_receiver(tx: Tx, now: datetime, code: str, order: NewReceiver) -> tuple[int, NewReceiver]:
    if not is_uuid(order.uuid.strip()):
        raise RuleError(f"Systemets UUID skal have formen 8-4-4-4-12 hexcifre, men er {order.uuid!r}.")
    checked = NewReceiver(
        name=_name(order.name, "systemets navn"),
        uuid=order.uuid.strip().lower(),
        vendor=_name(order.vendor, "leverandørens navn"),
        vendor_email=_email(order.vendor_email, "leverandørens e-mailadresse"),
    )
    receiver = tables.receiver
    same = select(receiver.c.name).where(
        receiver.c.kommune_code == code,
        receiver.c.system_uuid == checked.uuid,
        receiver.c.removed_at.is_(None),
    )
    other = tx.conn.execute(same).scalar()
    if other is not None:
        raise RuleError(f"Systemet {checked.uuid} er allerede registreret i kommunen som {other}.")
    statement = insert(receiver).values(
        kommune_code=code,
        system_uuid=checked.uuid,
        name=checked.name,
        vendor=checked.vendor,
        vendor_email=checked.vendor_email,
        added_at=now,
    )
    key = tx.conn.execute(statement).inserted_primary_key
    assert key is not None
    return key[0], checked


def _name(text: str, what: str) -> str:
    name = text.strip()
    if not name:
        raise RuleError(f"Angiv {what}; det må ikke være tomt.")
    if len(name) > _LONGEST_NAME:
        raise RuleError(f"{what.capitalize()} er for langt: højst {_LONGEST_NAME} tegn, men er {len(name)}.")
    if not name.isprintable():
        raise RuleError(f"{what.capitalize()} indeholder tegn, der ikke kan vises.")
    return name


def _email(text: str, what: str) -> str:
    email = text.strip()
    if len(email) > _LONGEST_EMAIL or not email.isprintable() or not _EMAIL.fullmatch(email) or ".." in email:
        raise RuleError(f"{what.capitalize()} er ikke en gyldig adresse: {text!r}.")
    return email
