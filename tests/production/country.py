"""Who takes part in the production line: two kommuner with three receivers each."""

from datetime import UTC, datetime

from engine.desk.act import Act
from engine.desk.facts import GivenFacts
from engine.desk.kommuner import ConnectKommune, connect_kommune
from engine.desk.receivers import add_receiver
from engine.home import Home
from engine.settings import PLACEHOLDERS
from engine.simulation.beskedfordeler import Serviceaftale
from engine.simulation.made_up import made_up_unit

ENTITY = "http://entityid.kombit.dk/service/bfo_afsend/2"
KOMMUNER = {"0101": "64942212", "0147": "11259979"}
UNITS = {code: made_up_unit(number, f"Sygehusadviser, {code}") for number, code in enumerate(KOMMUNER, 1)}
CODES = {unit.gln: code for code, unit in UNITS.items()}
RECEIVERS = {
    code: [f"{8 * str(number)}-0000-4000-8000-000000000{code[1:]}" for number in numbers]
    for code, numbers in {"0101": (1, 2, 3), "0147": (4, 5, 6)}.items()
}
"""Systems by kommune, its primary first."""
DUESLAG = "b2f7a1d0-0000-4000-8000-00000000000a"
ADVIS, KVITTERING = PLACEHOLDERS["beskedtype_sygehusophold"], PLACEHOLDERS["beskedtype_medcomkvittering"]

AFTALER = (
    *(
        Serviceaftale(ADVIS, KOMMUNER[code], system)
        for code, systems in RECEIVERS.items()
        for system in systems
    ),
    *(Serviceaftale(KVITTERING, cvr, DUESLAG) for cvr in KOMMUNER.values()),
)


def register(home: Home) -> None:
    """Connect the kommuner, and add their receivers."""
    db = home.open_database()
    with db.writing() as tx:
        act = Act(tx, datetime.now(UTC), "test")
        for code, systems in RECEIVERS.items():
            first, *others = (_facts(system) for system in systems)
            unit = UNITS[code]
            assert unit.gln is not None
            order = ConnectKommune(
                code=code, gln=unit.gln, sor=unit.sor, contact_email="k@k.example", primary=first
            )
            connect_kommune(act, order)
            for facts in others:
                add_receiver(act, code, facts)
    db.close()


def _facts(system: str) -> GivenFacts:
    return GivenFacts(
        name=f"System {system[0]}",
        uuid=system,
        vendor="V",
        vendor_email="v@v.example",
        area="Omsorg",
        agreed_by="Mette",
        only_kvittering=True,
    )
