"""What goes on around a home that may be lost: VANS can deliver again, and a receiver that gets a besked again gives
the same kvittering again, as MedCom has it.
"""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from engine.backup.make import Made, make_backup
from engine.backup.restore import Key, Restored, restore_backup
from engine.clock import SystemClock
from engine.domain.checkup import Checked
from engine.home import Home, payload_key
from engine.service import Engine
from engine.simulation.builders import an_acknowledgement, an_advis
from engine.simulation.envelopes import Correspondence, hn_envelope, kvittering_besked
from engine.simulation.messages import ack_bytes, hn_bytes
from engine.wire import beskedkuvert
from tests.process.outside import CVR, KOMMUNE, RECEIVERS, Outside, drop


class Life(Outside):
    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.delivered: dict[str, bytes] = {}  # what VANS has had to deliver, by the file's name
        self.kvitteringer: dict[tuple[str, str], bytes] = {}

    def send(self, count: int = 1) -> None:
        for _ in range(count):
            spec = an_advis(kommune=KOMMUNE)
            data, envelope_id = hn_bytes(spec), str(uuid4())
            self.sent[spec.message_id], self.bytes[spec.message_id] = spec, data
            self.envelopes.add(envelope_id)
            self.delivered[envelope_id] = hn_envelope(spec, data, envelope_id=envelope_id)
            drop(self.home.vans_in, envelope_id, self.delivered[envelope_id])

    def deliver_again(self) -> None:
        for name, data in self.delivered.items():
            drop(self.home.vans_in, name, data)

    def _receivers(self) -> int:
        count = 0
        for system_uuid in RECEIVERS:
            for file in (self.home.dueslag / system_uuid).glob("*.xml"):
                count += 1
                besked = beskedkuvert.read(file.read_bytes())
                message_id = next(key for key, data in self.bytes.items() if data == besked.payload)
                self.besked_ids[message_id].add(besked.besked_id or "")
                self.reached[system_uuid].add(message_id)
                self._give_kvittering(system_uuid, message_id)
                file.unlink()
        return count

    def _give_kvittering(self, system_uuid: str, message_id: str) -> None:
        known = self.kvitteringer.get((system_uuid, message_id))
        data = known or ack_bytes(an_acknowledgement(self.sent[message_id]))
        self.kvitteringer[system_uuid, message_id] = data
        if system_uuid == RECEIVERS[0]:
            self.primary_bytes[message_id] = data
        besked_id = str(uuid4())
        besked = kvittering_besked(
            data,
            who=Correspondence(system_uuid, CVR, self.beskedtype),
            besked_id=besked_id,
            related_besked_id=None,
            made_at=datetime.now(UTC),
        )
        drop(self.home.afsend, besked_id, besked)

    def live(self) -> None:
        """The engine and the outside take turns, until neither has anything left."""
        for _ in range(10):
            step(self.home, None)
            if self.look() == 0:
                return
        raise AssertionError("the work never ends")


def step(home: Home, station: str | None, **options: Any) -> None:
    """One step of one station of an engine, or all that there is to do."""

    async def work() -> None:
        engine = Engine.open(home, **options)
        try:
            if station is None:
                await engine.drain()
            else:
                await next(each for each in engine.stations if each.name == station).step()
        finally:
            engine.close()

    asyncio.run(work())


def back_up(home: Home, target: Path, **options: Any) -> Made:
    return make_backup(home, target, SystemClock(), "0.1.0", **options)


def restore(made: Made, home: Home, target: Path, url: str | None = None, **options: Any) -> Restored:
    """Into another home, with the key of the first."""
    found: list[Checked] = []
    given: dict[str, Any] = {"actor": "mette", "tell": found.append} | options
    return restore_backup(made.folder, target, Key(payload_key(home), is_from_file=True), url, **given)
