"""`receiver add|list`."""

from typing import Annotated

import typer

from engine.commands.common import AsJson, office_of
from engine.commands.danish import Commands
from engine.commands.output import print_json, say, table, yes_no

app = Commands("Modtagersystemer, der kvitterer.")


@app.says("add", "Tilføj et kvitterende modtagersystem til en tilsluttet kommune.")
def add(
    ctx: typer.Context,
    *,
    code: Annotated[str, typer.Argument(metavar="KODE", help="Kommunekoden, fx 0751.")],
    name: Annotated[str, typer.Option(metavar="NAVN", help="Systemets navn i ADM.")],
    uuid: Annotated[str, typer.Option(metavar="UUID", help="Systemets UUID i ADM.")],
    vendor: Annotated[str, typer.Option(metavar="NAVN", help="Systemets leverandør.")],
    vendor_email: Annotated[str, typer.Option(metavar="E-MAIL", help="Leverandørens system-e-mail i ADM.")],
) -> None:
    from engine.clock import SystemClock
    from engine.desk.administer import NewReceiver, add_receiver

    order = NewReceiver(name=name, uuid=uuid, vendor=vendor, vendor_email=vendor_email)
    with office_of(ctx) as office, office.administering() as tx:
        done = add_receiver(tx, SystemClock().now(), office.identity, code, order)
        # Made at once, so that the receiver can begin to look into it.
        office.home.dueslag_of(done.system_uuid).mkdir(exist_ok=True)
    say(f"{done.receiver_name} ({done.system_uuid}) er tilføjet i {done.kommune_name}.")


@app.says("list", "Vis en kommunes modtagersystemer, det primære først.")
def list_(
    ctx: typer.Context,
    kommune: Annotated[str, typer.Argument(metavar="KODE", help="Kommunekoden eller navnet.")],
    as_json: AsJson = False,
) -> None:
    from engine.desk.registry import list_receivers

    with office_of(ctx) as office, office.reading() as conn:
        lines = list_receivers(conn, kommune)
    if as_json:
        print_json(lines)
    elif not lines:
        say("Kommunen har ingen modtagersystemer.")
    else:
        rows = [(line.name, yes_no(line.primary), line.vendor, line.uuid) for line in lines]
        table(("Navn", "Primært", "Leverandør", "UUID"), rows)
