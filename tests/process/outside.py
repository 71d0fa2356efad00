"""A home, and all that acts on it from outside: as real programs would, through the folders alone."""

import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from engine.desk.act import Act
from engine.desk.facts import GivenFacts
from engine.desk.kommuner import ConnectKommune, connect_kommune
from engine.desk.receivers import add_receiver
from engine.home import Home
from engine.settings import Settings
from engine.simulation.builders import an_acknowledgement, an_advis
from engine.simulation.envelopes import Correspondence, hn_envelope, kvittering_besked
from engine.simulation.made_up import made_up_unit
from engine.simulation.messages import HnSpec, ack_bytes, hn_bytes
from engine.wire import acknowledgement, beskedkuvert, vans_envelope

KOMMUNE = made_up_unit(1, "Sygehusadviser, Københavns Kommune")
CVR = "64942212"
RECEIVERS = tuple(f"{n}{n}{n}{n}{n}{n}{n}{n}-0000-4000-8000-000000000000" for n in (1, 2, 3))


def connect(home: Home) -> None:
    """Connect the kommune, with its three receivers, of which the first is the primary."""
    first, *others = (
        GivenFacts(
            name=f"System {number}",
            uuid=system_uuid,
            vendor="V",
            vendor_email="v@v.example",
            area="Omsorg",
            agreed_by="Mette",
            only_kvittering=True,
        )
        for number, system_uuid in enumerate(RECEIVERS)
    )
    order = ConnectKommune(
        code="0101", gln=KOMMUNE.gln, sor=KOMMUNE.sor, contact_email="k@k.example", primary=first
    )
    with closing(home.open_database()) as db, db.writing() as tx:
        act = Act(tx, datetime.now(UTC), "test")
        connect_kommune(act, order)
        for receiver in others:
            add_receiver(act, "0101", receiver)


def drop(folder: Path, name: str, data: bytes) -> None:
    temporary = folder / f"{name}.part"
    temporary.write_bytes(data)
    temporary.rename(folder / f"{name}.xml")


class Outside:
    """A hospital and three receivers that act on the folders as real programs would, and remember what they saw."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.beskedtype = Settings.load(home).beskedtype_medcomkvittering
        self.sent: dict[str, HnSpec] = {}
        self.bytes: dict[str, bytes] = {}
        self.envelopes: set[str] = set()
        self.besked_ids: dict[str, set[str]] = defaultdict(set)  # MessageHeader.id → BeskedIds seen
        self.reached: dict[str, set[str]] = defaultdict(
            set
        )  # system → MessageHeader.ids that lay in its dueslag
        self.answers: dict[str, dict[str, bytes]] = defaultdict(
            dict
        )  # MessageHeader.id → envelope id → content
        self.receipts: dict[str, set[str]] = defaultdict(set)  # our envelope id → envelope ids of receipts
        self.primary_bytes: dict[str, bytes] = {}

    def send(self) -> None:
        spec = an_advis(kommune=KOMMUNE)
        data, envelope_id = hn_bytes(spec), str(uuid4())
        self.sent[spec.message_id], self.bytes[spec.message_id] = spec, data
        self.envelopes.add(envelope_id)
        drop(self.home.vans_in, envelope_id, hn_envelope(spec, data, envelope_id=envelope_id))

    def look(self) -> int:
        """Fetch from the dueslag, acknowledge, and read the answers; how many files were there."""
        return self._receivers() + self._hospital()

    def _receivers(self) -> int:
        count = 0
        for system_uuid in RECEIVERS:
            for file in (self.home.dueslag / system_uuid).glob("*.xml"):
                count += 1
                besked = beskedkuvert.read(file.read_bytes())
                message_id = next(key for key, data in self.bytes.items() if data == besked.payload)
                assert besked.besked_id == file.stem
                self.besked_ids[message_id].add(file.stem)
                if message_id not in self.reached[system_uuid]:
                    self.reached[system_uuid].add(message_id)
                    self._acknowledge(system_uuid, self.sent[message_id])
                file.unlink()
        return count

    def _acknowledge(self, system_uuid: str, spec: HnSpec) -> None:
        data = ack_bytes(an_acknowledgement(spec))
        if system_uuid == RECEIVERS[0]:
            self.primary_bytes[spec.message_id] = data
        besked_id = str(uuid4())
        besked = kvittering_besked(
            data,
            who=Correspondence(system_uuid, CVR, self.beskedtype),
            besked_id=besked_id,
            related_besked_id=None,
            made_at=datetime.now(UTC),
        )
        drop(self.home.afsend, besked_id, besked)

    def _hospital(self) -> int:
        count = 0
        for file in self.home.vans_out.glob("*.xml"):
            count += 1
            read = vans_envelope.read(file.read_bytes())
            assert read.head.envelope_id == file.stem
            if isinstance(read, vans_envelope.ReceiptEnvelope):
                self.receipts[read.original_envelope_id].add(file.stem)
            else:
                answer = acknowledgement.read(read.data)
                self.answers[answer.response_identifier][file.stem] = read.data
            file.unlink()
        return count

    def drain(self) -> None:
        """`run --drain` with the outside's turn in between, until neither has anything left."""
        for _ in range(10):
            ask = command(self.home, "run", "--drain")
            done = subprocess.run(ask, capture_output=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr.decode()
            if self.look() == 0:
                return
        raise AssertionError("the work never ends")

    def judge(self) -> None:
        assert set(self.receipts) == self.envelopes
        assert all(len(ids) == 1 for ids in self.receipts.values())
        assert set(self.besked_ids) == set(self.sent)
        assert all(len(ids) == 1 for ids in self.besked_ids.values()), "a second BeskedId"
        assert all(self.reached[system_uuid] == set(self.sent) for system_uuid in RECEIVERS)
        assert set(self.answers) == set(self.sent), "an advis without its verdict"
        for message_id, answers in self.answers.items():
            assert list(answers.values()) == [self.primary_bytes[message_id]], "a second or changed verdict"


def command(home: Home, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "engine", "--home", str(home.path), *arguments]
