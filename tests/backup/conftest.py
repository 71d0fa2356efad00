from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from engine.desk.act import Act
from engine.desk.facts import GivenFacts
from engine.desk.kommuner import ConnectKommune, connect_kommune
from engine.desk.receivers import add_receiver
from engine.home import Home
from tests.backup.life import Life
from tests.process.outside import KOMMUNE, RECEIVERS
from tests.servers.postgresql import PostgresServer

EmptyDatabase = Callable[[], str | None]


@pytest.fixture
def life(new_home: Home) -> Life:
    """A kommune with three receivers, and all around it."""
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
    db = new_home.open_database()
    with db.writing() as tx:
        act = Act(tx, datetime.now(UTC), "test")
        order = ConnectKommune(
            code="0101", gln=KOMMUNE.gln, sor=KOMMUNE.sor, contact_email="k@k.example", primary=first
        )
        connect_kommune(act, order)
        for receiver in others:
            add_receiver(act, "0101", receiver)
    db.close()
    new_home.make_dueslag(*RECEIVERS)
    return Life(new_home)


@pytest.fixture
def empty_database(database_kind: str, request: pytest.FixtureRequest) -> Iterator[EmptyDatabase]:
    """Makes what a backup may be restored into: None for SQLite, whose file is in the home."""
    made: list[str] = []

    def make() -> str | None:
        if database_kind == "sqlite":
            return None
        server: PostgresServer = request.getfixturevalue("postgres")
        made.append(server.create())
        return made[-1]

    yield make
    for url in made:
        request.getfixturevalue("postgres").drop(url)
