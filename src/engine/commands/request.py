"""`request add|list|show|accept|return`."""

from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands import system_options as about
from engine.commands.common import AsJson, confirm, office_of
from engine.commands.danish import Commands
from engine.commands.output import facts, heading, print_json, say, table

if TYPE_CHECKING:
    from engine.desk.requests import Request

app = Commands("Anmodninger: kommunen beder om 3.1, 3.2 eller 3.3, og en administrator udfører det.")

Number = Annotated[int, typer.Argument(metavar="NR", min=1, max=about.MOST, help="Anmodningens nummer.")]


@app.says("add", "Indsend en anmodning om at tilføje (3.1), fjerne (3.2) eller udskifte det primære (3.3).")
def add(
    ctx: typer.Context,
    *,
    code: about.Kommune,
    kind: Annotated[str, typer.Argument(metavar="PROCEDURE", help="3.1, 3.2 eller 3.3.")],
    name: about.Name = None,
    uuid: about.Uuid = None,
    vendor: about.Vendor = None,
    vendor_email: about.VendorEmail = None,
    area: about.Area = None,
    agreed_by: about.AgreedBy = None,
    only_kvittering: about.OnlyKvittering = False,
    connected_on: about.ConnectedOn = None,
    monitored_from: about.MonitoredFrom = None,
    local_contact: about.LocalContact = None,
    vendor_contact: about.VendorContact = None,
    comment: about.Comment = None,
    old_name: Annotated[
        str | None, typer.Option(metavar="NAVN", help="3.3: det nuværende primære systems navn.")
    ] = None,
    old_uuid: Annotated[str | None, typer.Option(metavar="UUID", help="3.3: og dets UUID.")] = None,
    new_name: Annotated[
        str | None, typer.Option(metavar="NAVN", help="3.3: det nye primære systems navn.")
    ] = None,
    new_uuid: Annotated[str | None, typer.Option(metavar="UUID", help="3.3: og dets UUID.")] = None,
    procedure: Annotated[
        str | None, typer.Option(metavar="NR", help="Tjeklisten, som er begyndt og skal fortsættes.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TID", help='3.3: dato og tidspunkt, fx "2026-12-01 10:00".')
    ] = None,
) -> None:
    given = locals()
    from engine.desk.requests import FIELD_WORDS, hand_in

    fields = {name: given[name] for name in FIELD_WORDS if isinstance(given.get(name), str)}
    if only_kvittering:
        fields["only_kvittering"] = "ja"
    with office_of(ctx) as office, office.filling_in(code) as (act, kommune):
        done = hand_in(act, kommune.code, kind, fields)
    say(f"Anmodning {done.id} om {done.kind} i {done.kommune_name} er indsendt.")


@app.says("list", "Vis anmodninger, de ventende først.")
def list_(
    ctx: typer.Context,
    kommune: Annotated[str | None, typer.Option(metavar="KODE", help="Kun denne kommune.")] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Kun de ventende.")] = False,
    as_json: AsJson = False,
) -> None:
    from engine.desk.requests import list_requests
    from engine.local_time import local_text

    with office_of(ctx) as office, office.visiting() as visit:
        only = visit.only if kommune is None else [visit.kommune(kommune).code]
        found = list_requests(visit.conn, only=only, open_only=open_only)
    if as_json:
        print_json(found)
    elif not found:
        say("Der er ingen anmodninger.")
    else:
        rows = [
            (
                str(item.id),
                item.kommune_name,
                item.kind,
                item.state.danish,
                local_text(item.handed_in_at),
                item.handed_in_by,
            )
            for item in found
        ]
        table(("Nr.", "Kommune", "Om", "Tilstand", "Indsendt", "Af"), rows, right=(0,))


@app.says("show", "Vis en anmodning med alle felter.")
def show(ctx: typer.Context, number: Number, as_json: AsJson = False) -> None:
    from engine.desk.requests import show_request

    with office_of(ctx) as office, office.visiting() as visit:
        found = show_request(visit.conn, number)
        visit.kommune(found.kommune)
    if as_json:
        print_json(found)
    else:
        _print(found)


@app.says("accept", "Imødekom en anmodning: den udføres som samme procedure.")
def accept(ctx: typer.Context, number: Number, yes: about.Yes = False, version: about.Version = None) -> None:
    from engine.desk.requests import accept_request

    with office_of(ctx) as office:
        confirm(f"Udfør anmodning {number} nu?", yes=yes)
        with office.administering() as act:
            done = accept_request(act, number, seen=version)
        if done.system_uuid is not None:
            office.home.make_dueslag(done.system_uuid)
    say(f"Anmodning {number} er imødekommet. {done.sentence}")
    if done.request.procedure_id is not None:
        say(f"Tjekliste: sundhedsagent procedure show {done.request.procedure_id}")


@app.says("return", "Send en anmodning tilbage til kommunen med en begrundelse.")
def return_(
    ctx: typer.Context,
    number: Number,
    reason: Annotated[str, typer.Option(metavar="TEKST", help="Hvad der skal rettes.")],
    version: about.Version = None,
) -> None:
    from engine.desk.requests import return_request

    with office_of(ctx) as office, office.administering() as act:
        done = return_request(act, number, reason, seen=version)
    say(f"Anmodning {done.id} er sendt tilbage til {done.kommune_name}: {done.reason}")


def _print(item: "Request") -> None:
    from engine.desk.requests import FIELD_WORDS
    from engine.domain.registration import begun
    from engine.local_time import local_text

    decided = f"{local_text(item.decided_at)} af {item.decided_by}" if item.decided_at else None
    facts(
        (
            ("Anmodning", str(item.id)),
            ("Kommune", f"{item.kommune_name} ({item.kommune})"),
            ("Om", item.kind),
            ("Tilstand", item.state.danish),
            ("Indsendt", f"{local_text(item.handed_in_at)} af {item.handed_in_by}"),
            ("Afgjort", decided),
            ("Begrundelse", item.reason),
            ("Tjekliste", f"sundhedsagent procedure show {item.procedure_id}" if item.procedure_id else None),
            ("Version", str(item.version)),
        )
    )
    heading("Felter")
    facts((begun(FIELD_WORDS[name]), value) for name, value in item.fields.items())
