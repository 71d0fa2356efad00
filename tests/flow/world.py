"""A whole engine in memory but for its database: one clock to turn, three ends to drop into and read from."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import event, insert, select

from engine.clock import SimulatedClock
from engine.desk.act import Act, open_act
from engine.domain.acknowledgement import ResponseCode
from engine.domain.advis import Unit
from engine.flow.mail_texts import MailTexts
from engine.links.memory import (
    MemoryBeskedfordeler,
    MemoryInbox,
    MemoryMail,
    MemoryStatusPage,
    MemoryVansOutbox,
)
from engine.ports import OutgoingBesked
from engine.service import Engine, Links
from engine.settings import Settings
from engine.simulation.builders import an_acknowledgement, an_advis
from engine.simulation.envelopes import Correspondence, kvittering_besked
from engine.simulation.made_up import made_up_unit
from engine.simulation.messages import HnSpec, ack_bytes, hn_bytes
from engine.store import tables
from engine.store.database import Database
from engine.store.payloads import PayloadBox
from engine.store.postgresql import PostgresDatabase, revision_on
from engine.store.sqlite import SqliteDatabase
from engine.wire import acknowledgement, fhir, vans_envelope
from engine.wire.vans_envelope import MessageEnvelope, ReceiptEnvelope, ReceiptKind

START = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
PRIMARY, SECOND, THIRD = (
    "11111111-1111-4111-8111-111111111111",
    "22222222-2222-4222-8222-222222222222",
    "33333333-3333-4333-8333-333333333333",
)
OTHER_PRIMARY = "44444444-4444-4444-8444-444444444444"
KBH = made_up_unit(1, "Sygehusadviser, Københavns Kommune")
FRB = made_up_unit(101, "Sygehusadviser, Frederiksberg Kommune")
CVRS = {KBH.gln: "64942212", FRB.gln: "11259979"}
HOSPITAL = made_up_unit(2, "Medicinsk Afdeling, Testhospitalet")
UNWATCHED = (
    "detect",
    "oversee",
)  # stations that few of these tests are about, and most of an idle hour's work
# Few of these tests are about silence, and in nearly all nothing comes for hours.
QUIET = {"silence_day": "2 d", "silence_night": "2 d"}
BOX = PayloadBox(bytes(range(32)))
BESKEDTYPE = "b2f7a1d0-0000-4000-8000-000000000002"

_KOMMUNER = (
    ("0101", "Københavns Kommune", KBH, (PRIMARY, SECOND, THIRD)),
    ("0147", "Frederiksberg Kommune", FRB, (OTHER_PRIMARY, SECOND)),
)


def a_database(where: Path | str) -> Database:
    """A file, or the address of a PostgreSQL database, with two connected kommuner: København with three receivers,
    Frederiksberg with two. Crashes of this machine do not count in these tests, so nothing waits for the disk."""
    if isinstance(where, str):
        db: Database = PostgresDatabase(where)
        fresh = revision_on(where) is None
    else:
        fresh = not where.exists()
        db = SqliteDatabase(where)
        event.listen(db.engine, "connect", lambda conn, _: conn.execute("PRAGMA synchronous=OFF"))
    if fresh:
        db.upgrade()
        with db.writing() as tx:
            _seed(tx)
    return db


def _seed(tx: Any) -> None:
    names = (
        "advis",
        "payload",
        "envelope_in",
        "envelope_out",
        "kvittering",
    )  # the migrations made the others
    tx.insert(tables.id_sequence, [{"name": name, "next_id": 1} for name in names])
    for code, name, unit, receivers in _KOMMUNER:
        row = {"code": code, "name": name, "cvr": CVRS[unit.gln], "fk_organisation_uuid": str(uuid4())}
        tx.insert(
            tables.kommune, [row | {"region": "Region Hovedstaden", "region_code": "1084", "epj": "Epic"}]
        )
        tx.insert(tables.unit, [{"gln": unit.gln, "sor": unit.sor, "kommune_code": code}])
        for number, system_uuid in enumerate(receivers):
            add_receiver(tx, code, system_uuid, ("Cura", "Nexus", "Sensum")[number])
        primary = select(tables.receiver.c.id).where(
            tables.receiver.c.kommune_code == code, tables.receiver.c.system_uuid == receivers[0]
        )
        connection = {"kommune_code": code, "primary_receiver_id": tx.conn.execute(primary).scalar_one()}
        tx.insert(tables.connection, [connection | {"contact_email": "a@b.example", "connected_at": START}])


def add_receiver(tx: Any, code: str, system_uuid: str, name: str) -> None:
    row = {
        "kommune_code": code,
        "system_uuid": system_uuid,
        "name": name,
        "vendor": "V",
        "vendor_email": "v@v.example",
        "area": "Omsorg",
        "agreed_by": "Mette",
        "only_kvittering": True,
    }
    tx.conn.execute(insert(tables.receiver).values(**row, added_at=START))


@dataclass(frozen=True, slots=True)
class Sent:
    """An envelope that the engine sent, read back."""

    envelope: MessageEnvelope | ReceiptEnvelope
    data: bytes

    @property
    def code(self) -> ResponseCode:
        return acknowledgement.read(self.content).code

    @property
    def content(self) -> bytes:
        assert isinstance(self.envelope, MessageEnvelope)
        assert self.envelope.data is not None
        return self.envelope.data


class World:
    def __init__(self, path: Path | str, left_out: Collection[str] = (), **settings: Any) -> None:
        self._left_out = left_out
        self.clock = SimulatedClock(START)
        self.db = a_database(path)
        self.vans_in, self.vans_out = MemoryInbox(), MemoryVansOutbox()
        self.beskedfordeler, self.kvitteringer = MemoryBeskedfordeler(), MemoryInbox()
        self.mails, self.status_page = MemoryMail(), MemoryStatusPage()
        self.settings = Settings(beskedtype_medcomkvittering=BESKEDTYPE, **({"incident": QUIET} | settings))
        self.start_engine()

    def start_engine(self, texts: MailTexts | None = None, holder: str = "") -> None:
        """A new engine on the same database and links, as after a crash; one of several where it has a name."""
        links = Links(
            self.vans_in,
            self.vans_out,
            self.beskedfordeler,
            self.kvitteringer,
            self.mails,
            self.status_page,
        )
        self.engine = Engine(self.db, BOX, self.clock, self.settings, links, texts, holder)
        self.engine.stations = [each for each in self.engine.stations if each.name not in self._left_out]

    def close(self) -> None:
        self.db.close()

    async def drain(self) -> None:
        await self.engine.drain()

    async def after(self, **duration: float) -> None:
        """Turn the clock, and let the engine do what is due."""
        self.clock.advance(timedelta(**duration))
        await self.drain()

    @contextmanager
    def acting(self, actor: str = "mette") -> Iterator[Act]:
        """A person's change of the registry, committed at the end of the block; `Office` gives the like."""
        with self.db.writing() as tx:
            yield open_act(tx, self.clock, actor)

    def primary(self, code: str = "0101") -> str:
        """The name of the kommune's primary, as the database has it."""
        connection, receiver = tables.connection, tables.receiver
        query = select(receiver.c.name).join(connection, connection.c.primary_receiver_id == receiver.c.id)
        with self.db.reading() as conn:
            name: str = conn.execute(query.where(connection.c.kommune_code == code)).scalar_one()
        return name

    # --- the hospital's side ----------------------------------------------------------------------------------------

    def hn(self, **overrides: Any) -> HnSpec:
        return an_advis(**{"kommune": KBH, "hospital": HOSPITAL, **overrides})

    def send(
        self,
        spec: HnSpec,
        *,
        media_type: str = fhir.XML,
        data: bytes | None = None,
        envelope_id: str | None = None,
        vans_message_id: str | None = None,
        receiver: Unit | None = None,
        key: str = "",
    ) -> bytes:
        """Drop the HN into VANS; the bytes of its Bundle."""
        data = hn_bytes(spec, media_type) if data is None else data
        self.drop(
            vans_envelope.write_message(
                vans_envelope.Head(
                    _ean(spec.hospital.gln),
                    _ean((receiver or spec.kommune).gln),
                    envelope_id or str(uuid4()),
                    self.clock.now().isoformat(),
                ),
                vans_envelope.MetaInformation(
                    vans_message_id or str(uuid4()),
                    name=f"MCM:FDIS20#{spec.activity}",
                    version="3.0.0",
                    transport_type="reliable",
                    transform_message=False,
                    service_tags=(("MCM:MIME", media_type),),
                ),
                data,
            ),
            key=key,
        )
        return data

    def drop(self, data: bytes, name: str = "", key: str = "") -> None:
        self.vans_in.drop(data, name, key)

    def drop_receipt(self, answer: Sent, kind: ReceiptKind = ReceiptKind.POSITIVE_MESSAGE) -> None:
        assert isinstance(answer.envelope, MessageEnvelope)
        head = answer.envelope.head
        self.drop(
            vans_envelope.write_receipt(
                vans_envelope.Head(head.receiver, head.sender, str(uuid4()), self.clock.now().isoformat()),
                kind,
                head.envelope_id,
                answer.envelope.meta,
                error_text=None if kind is ReceiptKind.POSITIVE_MESSAGE else "afvist",
            )
        )

    @property
    def sent(self) -> list[Sent]:
        return [Sent(vans_envelope.read(item.data), item.data) for item in self.vans_out.sent]

    @property
    def answers(self) -> list[Sent]:
        return [item for item in self.sent if isinstance(item.envelope, MessageEnvelope)]

    @property
    def receipts(self) -> list[ReceiptEnvelope]:
        return [item.envelope for item in self.sent if isinstance(item.envelope, ReceiptEnvelope)]

    @property
    def codes(self) -> list[str]:
        """The response codes of all answers, in the order they went out."""
        return [answer.code.value for answer in self.answers]

    # --- the receivers' side ----------------------------------------------------------------------------------------

    @property
    def published(self) -> list[OutgoingBesked]:
        return self.beskedfordeler.published

    def acknowledge(
        self,
        spec: HnSpec,
        system_uuid: str = PRIMARY,
        code: ResponseCode = ResponseCode.OK,
        *,
        media_type: str = fhir.XML,
        data: bytes | None = None,
        cvr: str | None = None,
        key: str = "",
    ) -> bytes:
        """Drop a receiver's kvittering; the bytes of its Acknowledgement."""
        data = data or ack_bytes(an_acknowledgement(spec, code=code), media_type)
        cvr = cvr or CVRS[spec.kommune.gln]
        self.kvitteringer.drop(
            kvittering_besked(
                data,
                who=Correspondence(system_uuid, cvr, BESKEDTYPE),
                besked_id=str(uuid4()),
                related_besked_id=None,
                made_at=self.clock.now(),
                media_type=media_type,
            ),
            key=key,
        )
        return data

    # --- looking inside ---------------------------------------------------------------------------------------------

    def rows(self, table: Any, *columns: str) -> list[Any]:
        chosen = [table.c[name] for name in columns] if columns else [table]
        with self.db.reading() as conn:
            return list(conn.execute(select(*chosen).order_by(*table.primary_key.columns)))

    def events(self) -> list[str]:
        return [row.kind for row in self.rows(tables.event, "kind")]

    def states(self) -> list[str]:
        """The states of all expected kvitteringer, by advis and receiver."""
        return [row.state for row in self.rows(tables.expected_kvittering, "state")]


def _ean(number: str | None) -> vans_envelope.EndPoint:
    assert number is not None
    return vans_envelope.EndPoint(vans_envelope.EndPointType.EAN, number)
