from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.desk.administer import ConnectKommune, NewReceiver, add_receiver, connect_kommune
from engine.home import Home
from engine.store.database import Database
from tests.process.outside import KOMMUNE, RECEIVERS, Outside


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    home = Home.create(tmp_path / "home", SystemClock(), "test")
    db = Database.sqlite(home.database_file)
    now = datetime.now(UTC)
    first, *others = (
        NewReceiver(name=f"System {n}", uuid=u, vendor="V", vendor_email="v@v.example")
        for n, u in enumerate(RECEIVERS)
    )
    with db.writing() as tx:
        order = ConnectKommune(
            code="0101", gln=KOMMUNE.gln, sor=KOMMUNE.sor, contact_email="k@k.example", primary=first
        )
        connect_kommune(tx, now, "test", order)
        for receiver in others:
            add_receiver(tx, now, "test", "0101", receiver)
    db.close()
    return Outside(home)
