"""Between the simulation's roster and a home's registry: connect the one, or act for the other."""

from collections.abc import Sequence

from sqlalchemy import Connection

from engine.desk.act import Act
from engine.desk.facts import GivenFacts
from engine.desk.kommuner import ConnectKommune, connect_kommune
from engine.desk.receivers import add_receiver
from engine.desk.registry import list_kommuner, list_receivers
from engine.domain.ids import Gln, KommuneCode, SystemUuid
from engine.simulation.roster import SimKommune, SimReceiver


def connect_roster(act: Act, roster: Sequence[SimKommune]) -> None:
    """Connect every kommune of the roster and add its receivers, by the rules of the desk."""
    for kommune in roster:
        order = ConnectKommune(
            code=kommune.code,
            gln=kommune.gln,
            sor=kommune.sor,
            contact_email=kommune.contact_email,
            primary=_new(kommune.primary),
        )
        connect_kommune(act, order, checklists=False)
        for receiver in kommune.receivers:
            if not receiver.is_primary:
                add_receiver(act, kommune.code, _new(receiver), checklists=False)


def registered_roster(conn: Connection) -> tuple[SimKommune, ...]:
    """The connected kommuner of a home, for the simulation to act for."""
    return tuple(
        SimKommune(
            code=KommuneCode(line.code),
            name=line.name,
            gln=Gln(line.gln or ""),
            sor=line.sor or "",
            receivers=tuple(
                SimReceiver(item.name, SystemUuid(item.uuid), item.vendor, item.primary, item.vendor_email)
                for item in list_receivers(conn, line.code)
            ),
            region=line.region,
        )
        for line in list_kommuner(conn, connected_only=True)
    )


def _new(receiver: SimReceiver) -> GivenFacts:
    return GivenFacts(
        name=receiver.name,
        uuid=receiver.uuid,
        vendor=receiver.vendor,
        vendor_email=receiver.vendor_email,
        area="Sundhed og omsorg",
        agreed_by="Simuleringen",
        only_kvittering=True,
    )
