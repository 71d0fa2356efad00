"""`kommune connect|list|show`."""

from typing import Annotated

import typer

from engine.commands.common import AsJson, office_of
from engine.commands.danish import Commands
from engine.commands.output import facts, heading, print_json, say, table, yes_no

app = Commands("Kommuner og deres tilslutning.")


@app.says("connect", "Tilslut en kommune med dens primære modtagersystem.")
def connect(
    ctx: typer.Context,
    *,
    code: Annotated[str, typer.Argument(metavar="KODE", help="Kommunekoden, fx 0751.")],
    gln: Annotated[str, typer.Option(metavar="GLN", help="GLN for enheden Sygehusadviser, 13 cifre.")],
    sor: Annotated[str, typer.Option(metavar="SOR", help="Enhedens SOR-kode.")],
    contact_email: Annotated[str, typer.Option(metavar="E-MAIL", help="Kontaktpunktets e-mailadresse.")],
    primary_name: Annotated[str, typer.Option(metavar="NAVN", help="Det primære systems navn i ADM.")],
    primary_uuid: Annotated[str, typer.Option(metavar="UUID", help="Det primære systems UUID i ADM.")],
    vendor: Annotated[str, typer.Option(metavar="NAVN", help="Systemets leverandør.")],
    vendor_email: Annotated[str, typer.Option(metavar="E-MAIL", help="Leverandørens system-e-mail i ADM.")],
) -> None:
    from engine.clock import SystemClock
    from engine.desk.administer import ConnectKommune, NewReceiver, connect_kommune

    primary = NewReceiver(name=primary_name, uuid=primary_uuid, vendor=vendor, vendor_email=vendor_email)
    order = ConnectKommune(code=code, gln=gln, sor=sor, contact_email=contact_email, primary=primary)
    with office_of(ctx) as office, office.administering() as tx:
        done = connect_kommune(tx, SystemClock().now(), office.identity, order)
        office.home.dueslag_of(done.system_uuid).mkdir(exist_ok=True)
    say(
        f"{done.kommune_name} ({done.kommune_code}) er tilsluttet.",
        f"Primært modtagersystem: {done.receiver_name} ({done.system_uuid}).",
    )


@app.says("list", "Vis kommunerne og hvem der er tilsluttet.")
def list_(
    ctx: typer.Context,
    connected: Annotated[bool, typer.Option("--connected", help="Kun de tilsluttede.")] = False,
    as_json: AsJson = False,
) -> None:
    from engine.desk.registry import list_kommuner

    with office_of(ctx) as office, office.reading() as conn:
        lines = list_kommuner(conn, connected_only=connected)
    if as_json:
        print_json(lines)
        return
    rows = [
        (
            line.code,
            line.name,
            line.gln or "–",
            line.primary or "–",
            str(line.receivers) if line.connected else "–",
        )
        for line in lines
    ]
    table(("Kode", "Navn", "GLN", "Primært system", "Systemer"), rows, right=(4,))


@app.says("show", "Vis en kommune med dens modtagersystemer.")
def show(
    ctx: typer.Context,
    kommune: Annotated[str, typer.Argument(metavar="KODE", help="Kommunekoden eller navnet.")],
    as_json: AsJson = False,
) -> None:
    from engine.desk.local_time import local_text
    from engine.desk.registry import show_kommune

    with office_of(ctx) as office, office.reading() as conn:
        view = show_kommune(conn, kommune)
    if as_json:
        print_json(view)
        return
    facts(
        (
            ("Kommune", f"{view.name} ({view.code})"),
            ("CVR", view.cvr),
            ("Region", view.region),
            ("Journalsystem", view.epj),
            ("Tilsluttet", local_text(view.connected_at) if view.connected_at else "nej"),
            ("GLN", view.gln),
            ("SOR", view.sor),
            ("Kontaktpunkt", view.contact_email),
        )
    )
    if view.receivers:
        heading("Modtagersystemer")
        rows = [(item.name, yes_no(item.primary), item.vendor, item.uuid) for item in view.receivers]
        table(("Navn", "Primært", "Leverandør", "UUID"), rows)
