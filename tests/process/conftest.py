from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.desk.act import Act
from engine.desk.facts import GivenFacts
from engine.desk.kommuner import ConnectKommune, connect_kommune
from engine.desk.receivers import add_receiver
from engine.home import Home
from tests.process.outside import KOMMUNE, RECEIVERS, Outside


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    home = Home.create(tmp_path / "home", SystemClock(), "test")
    db = home.open_database()
    first, *others = (
        GivenFacts(
            name=f"System {n}",
            uuid=u,
            vendor="V",
            vendor_email="v@v.example",
            area="Omsorg",
            agreed_by="Mette",
            only_kvittering=True,
        )
        for n, u in enumerate(RECEIVERS)
    )
    with db.writing() as tx:
        act = Act(tx, datetime.now(UTC), "test")
        order = ConnectKommune(
            code="0101", gln=KOMMUNE.gln, sor=KOMMUNE.sor, contact_email="k@k.example", primary=first
        )
        connect_kommune(act, order)
        for receiver in others:
            add_receiver(act, "0101", receiver)
    db.close()
    return Outside(home)
