"""`advis list|show|trace`."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands import advis_options as by
from engine.commands.common import AsJson, office_of
from engine.commands.danish import Commands
from engine.commands.output import dated, facts, heading, print_json, say, table, yes_no

if TYPE_CHECKING:
    from engine.desk.look_up import AdvisView

app = Commands("Adviser: find dem, vis dem, følg dem.")

Ref = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="Nummeret, MessageHeader.id eller BeskedId; store og små bogstaver er ens."
    ),
]


@app.says("list", "Vis adviser, de nyeste først.")
def list_(
    ctx: typer.Context,
    *,
    kommune: by.Kommune = None,
    code: by.Code = None,
    state: by.State = None,
    message_id: by.MessageId = None,
    besked_id: by.BeskedId = None,
    hospital: by.Hospital = None,
    receiver: by.Receiver = None,
    since: by.Since = None,
    until: by.Until = None,
    limit: by.Limit = 100,
    as_json: AsJson = False,
) -> None:
    from dataclasses import replace

    from engine.desk.look_up import list_advis

    wanted = by.filter_of(locals())
    with office_of(ctx) as office, office.visiting() as visit:
        only = visit.only if kommune is None else [visit.kommune(kommune).code]
        found = list_advis(visit.conn, replace(wanted, kommuner=only))
    print_found(found, limit, as_json=as_json)


@app.says("show", "Vis alt om et advis undtagen dets indhold.")
def show(ctx: typer.Context, ref: Ref, as_json: AsJson = False) -> None:
    from engine.desk.look_up import show_advis

    with office_of(ctx) as office, office.visiting() as visit:
        view = show_advis(visit.conn, ref, only=visit.only)
    if as_json:
        print_json(view)
    else:
        _print_advis(view)


@app.says("trace", "Vis alt, hvad der er sket med et advis, i rækkefølge.")
def trace(ctx: typer.Context, ref: Ref, as_json: AsJson = False) -> None:
    from engine.desk.look_up import trace_advis

    with office_of(ctx) as office, office.visiting() as visit:
        lines = trace_advis(visit.conn, ref, only=visit.only)
    if as_json:
        print_json(lines)
        return
    for line in lines:
        colour = {"warning": "yellow", "alarm": "red"}.get(line.level)
        dated(line.local_time, f"{line.sentence} [{line.actor}]", colour)


def print_found(found: "list[AdvisView]", limit: int, *, as_json: bool) -> None:
    """A list of adviser, as every command shows it."""
    if as_json:
        print_json(found)
    elif not found:
        say("Ingen adviser passer.")
    else:
        _print_list(found)
        if len(found) == limit:
            say("", f"Kun de {limit} nyeste er vist; --limit viser flere.")


def _print_list(found: "list[AdvisView]") -> None:
    from engine.local_time import local

    table(
        ("Nr.", "Modtaget", "Kommune", "Kode", "Tilstand", "Sygehus"),
        [
            (
                str(item.id),
                f"{local(item.received_at):%Y-%m-%d %H:%M}",
                (item.kommune_name or item.addressee).removesuffix(" Kommune"),
                item.code or "–",
                item.state.danish,
                item.hospital.name or item.hospital.gln or "–",
            )
            for item in found
        ],
        right=(0,),
    )


def _print_advis(view: "AdvisView") -> None:
    from engine.local_time import local_text

    def at(value: datetime | None) -> str | None:
        return None if value is None else local_text(value)

    kommune = (
        f"{view.kommune_name} ({view.kommune})" if view.kommune else f"ingen (sendt til {view.addressee})"
    )
    names = (
        view.hospital.name,
        view.hospital.gln and f"GLN {view.hospital.gln}",
        view.hospital.sor and f"SOR {view.hospital.sor}",
    )
    facts(
        (
            ("Advis", f"nr. {view.id}, {view.state.danish}"),
            ("Kode", f"{view.code}: {view.code_text}" if view.code else "ukendt"),
            ("Kommune", kommune),
            ("Sygehus", ", ".join(name for name in names if name) or "ikke oplyst"),
            ("MessageHeader.id", view.message_id),
            ("Bundle.id", view.bundle_id),
            ("BeskedId", view.besked_id),
            ("Kontakt", " ".join(filter(None, (view.encounter_class, view.encounter_status))) or None),
            ("Periode", _span(at(view.period_start), at(view.period_end))),
            ("Orlov", _span(at(view.leave_start), at(view.leave_end))),
            ("Forløb", ", ".join(view.episodes) or None),
            ("Indlæggelsesrapport", yes_no(view.report_of_admission)),
            ("Format", view.media_type),
            ("Modtaget", at(view.received_at)),
            ("Fordelt", at(view.published_at) or "nej"),
            (
                "Svar til sygehuset",
                f"{view.verdict} kl. {at(view.verdict_at)}" if view.verdict else "intet endnu",
            ),
            ("Kopier", str(view.copies)),
        )
    )
    if view.receivers:
        heading("Modtagersystemer")
        rows = [
            (
                item.name,
                yes_no(item.primary),
                _state(item.state),
                at(item.due_at) or "–",
                at(item.settled_at) or "–",
            )
            for item in view.receivers
        ]
        table(("Navn", "Primært", "Tilstand", "Frist", "Kvitteret"), rows)
    if view.answers:
        heading("Svar")
        rows2 = [
            (item.code, at(item.sent_at) or "ikke sendt", yes_no(item.repeat), item.envelope_id)
            for item in view.answers
        ]
        table(("Kode", "Sendt", "Gentaget", "Konvolut"), rows2)
    if view.findings:
        heading("Afvigelser fra MedComs profil")
        for finding in view.findings:
            say(f"- {finding['text']} ({finding['path']}, {finding['code']})")


def _state(state: str) -> str:
    return {"pending": "afventes", "removed": "fjernet"}.get(state, state)


def _span(start: str | None, end: str | None) -> str | None:
    return f"{start or '?'} til {end or 'nu'}" if start or end else None
