"""`advis search|where|resend`: what the hotline does for those who call."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.commands import advis_options as by
from engine.commands.advis import app, print_found
from engine.commands.common import AsJson, confirm, office_of
from engine.commands.output import facts, heading, number, plain, print_json, say
from engine.commands.system_options import Yes
from engine.errors import RuleError

if TYPE_CHECKING:
    from engine.desk.look_up import AdvisFilter, AdvisView
    from engine.desk.office import Office
    from engine.desk.registry import KommuneName
    from engine.desk.resend import Resend
    from engine.desk.where import Asker, Whereabouts

Cpr = Annotated[
    str | None,
    typer.Option(metavar="CPR", help="Borgerens CPR-nummer; - for at blive spurgt, uden at det vises."),
]
Reason = Annotated[
    str | None, typer.Option(metavar="TEKST", help="Hvorfor der søges på CPR; det står i revisionsloggen.")
]


@app.says("search", "Find adviser på alle felter; på CPR med en begrundelse.")
def search(
    ctx: typer.Context,
    *,
    cpr: Cpr = None,
    reason: Reason = None,
    kommune: by.Kommune = None,
    code: by.Code = None,
    state: by.State = None,
    message_id: by.MessageId = None,
    besked_id: by.BeskedId = None,
    bundle_id: by.BundleId = None,
    envelope: by.Envelope = None,
    hospital: by.Hospital = None,
    receiver: by.Receiver = None,
    since: by.Since = None,
    until: by.Until = None,
    limit: by.Limit = 100,
    as_json: AsJson = False,
) -> None:
    wanted = by.filter_of(locals())
    with office_of(ctx) as office:
        found = _found(office, wanted, kommune, cpr, reason)
    print_found(found, limit, as_json=as_json)


@app.says("where", "«Er mit advis kommet?» Spørger sig frem, og siger, hvad der skal siges og til hvem.")
def where(
    ctx: typer.Context,
    *,
    asker: Annotated[str | None, typer.Option(metavar="HVEM", help="kommune eller leverandør.")] = None,
    kommune: by.Kommune = None,
    system: Annotated[
        str | None, typer.Option(metavar="SYSTEM", help="Det system, hvor adviset mangler: UUID eller navn.")
    ] = None,
    cpr: Cpr = None,
    reason: Reason = None,
    message_id: by.MessageId = None,
    besked_id: by.BeskedId = None,
    hospital: by.Hospital = None,
    since: by.Since = None,
    until: by.Until = None,
    as_json: AsJson = False,
) -> None:
    from dataclasses import replace

    from engine.desk.where import Asker, for_kommune, for_vendor
    from engine.settings import Settings

    options: dict[str, Any] = locals()
    with office_of(ctx) as office:
        settings = Settings.load(office.home)
        who = _asker(asker)
        code = _kommune(office, kommune)
        if who is Asker.KOMMUNE:
            with office.reading() as conn:
                answer = for_kommune(conn, settings, code, system)
        else:
            system = system or _ask("Hvilket system mangler adviset i (navn eller UUID)?", "--system")
            options = _known_of_it(options)
            wanted = replace(by.filter_of(options), limit=200)
            found = _found(office, wanted, code.code, options["cpr"], options["reason"], also_refused=True)
            with office.reading() as conn:
                answer = for_vendor(conn, settings, code, system, found)
    if as_json:
        print_json({**plain(answer), "text": answer.answer.danish})
    else:
        _print_answer(answer)


@app.says("resend", "Send adviser til Beskedfordeleren igen under samme BeskedId.")
def resend(
    ctx: typer.Context,
    *,
    refs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...", help="Nummer, MessageHeader.id eller BeskedId; ellers alle, der passer."
        ),
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEKST", help="Hvorfor de sendes igen.")],
    kommune: by.Kommune = None,
    code: by.Code = None,
    state: by.State = None,
    message_id: by.MessageId = None,
    besked_id: by.BeskedId = None,
    hospital: by.Hospital = None,
    receiver: by.Receiver = None,
    since: by.Since = None,
    until: by.Until = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    from dataclasses import replace

    from engine.desk.access import Role
    from engine.desk.look_up import show_advis
    from engine.desk.registry import find_kommune
    from engine.desk.resend import plan_resend
    from engine.desk.resend import resend as send_again

    chosen = (refs, kommune, code, state, message_id, besked_id, hospital, receiver, since, until)
    if not any(chosen):
        raise typer.BadParameter(
            "angiv hvilke: et eller flere ID, eller fx --kommune og --since.", param_hint="ID"
        )
    wanted = by.filter_of(locals())
    with office_of(ctx) as office:
        with office.reading(Role.HOTLINE, Role.ADMINISTRATOR) as conn:
            if refs:
                wanted = replace(wanted, ids=[show_advis(conn, ref).id for ref in refs])
            if kommune is not None:
                wanted = replace(wanted, kommuner=[find_kommune(conn, kommune).code])
            plan = plan_resend(conn, wanted, office.clock.now())
        if not as_json:
            _print_plan(plan)
        if plan.ids:
            confirm(f"Send {_counted(len(plan.ids))} igen?", yes=yes)
            with office.serving() as act:
                # Those that were shown, and none that came meanwhile.
                plan = send_again(act, replace(wanted, ids=plan.ids), reason)
    if as_json:
        print_json(plan)
    elif plan.ids:
        say(f"{_counted(len(plan.ids))} sendes igen. Det ses på: sundhedsagent status")


def _found(
    office: "Office",
    wanted: "AdvisFilter",
    kommune: str | None,
    cpr: str | None,
    reason: str | None,
    *,
    also_refused: bool = False,
) -> "list[AdvisView]":
    """What passes the filter, by CPR where one is given. `also_refused`: adviser that came to be no kommune's too."""
    from dataclasses import replace

    from engine.desk.look_up import list_advis
    from engine.desk.registry import find_kommune
    from engine.desk.search import search_person
    from engine.home import payload_key
    from engine.store.payloads import PayloadBox

    if cpr is None:
        with office.visiting() as visit:
            only = visit.only if kommune is None else [visit.kommune(kommune).code]
            found = list_advis(visit.conn, replace(wanted, kommuner=only))
            if not found and also_refused and visit.only is None and wanted.message_id is not None:
                # One that was addressed to nobody is no kommune's; the caller leaves out what is another's.
                found = list_advis(visit.conn, replace(wanted, kommuner=None))
            return found
    if not reason:
        raise RuleError("Søgning på CPR kræver en begrundelse: --reason TEKST. Den står i revisionsloggen.")
    if cpr == "-":
        cpr = _secret("CPR-nummer: ")
    box = PayloadBox(payload_key(office.home))
    with office.serving() as act:
        codes = None if kommune is None else [find_kommune(act.conn, kommune).code]
        if codes is not None and also_refused:
            codes = None  # a refused one may have been addressed to nobody; the caller sorts them
        return search_person(act, box, cpr, reason, replace(wanted, kommuner=codes))


def _asker(text: str | None) -> "Asker":
    from engine.desk.where import Asker

    given = (text or _ask("Hvem spørger, kommune eller leverandør?", "--asker")).strip().lower()
    for asker in Asker:
        if given and asker.value.startswith(given):
            return asker
    raise typer.BadParameter(f"skal være kommune eller leverandør, men er {given!r}.", param_hint="--asker")


def _kommune(office: "Office", text: str | None) -> "KommuneName":
    from engine.desk.registry import find_kommune

    with office.reading() as conn:
        return find_kommune(conn, text or _ask("Hvilken kommune (kode eller navn)?", "--kommune"))


def _known_of_it(options: dict[str, Any]) -> dict[str, Any]:
    """Something must be known of the advis: asked for in the order in which it is of most use."""
    names = ("message_id", "besked_id", "cpr", "hospital", "since")
    if any(options[name] for name in names):
        return options
    ref = _ask(
        "MessageHeader.id (tom, hvis det ikke kendes)?", "--message-id, --cpr eller --since", empty=True
    )
    if ref:
        return options | {"message_id": ref}
    cpr = _secret("Borgerens CPR-nummer (tomt, hvis det ikke kendes): ")
    if cpr:
        return options | {"cpr": cpr, "reason": _ask("Begrundelse for at søge på CPR?", "--reason")}
    return options | {
        "hospital": _ask("Sygehuset (en del af navnet)?", "--hospital", empty=True) or None,
        "since": _ask("Tidligst hvornår (fx 2026-07-01 10:00)?", "--since", empty=True) or None,
        "until": _ask("Senest hvornår?", "--until", empty=True) or None,
    }


def _ask(question: str, option: str, *, empty: bool = False) -> str:
    if not sys.stdin.isatty():
        raise RuleError(f"{question} Angiv {option}; her er ingen terminal at spørge på.")
    try:
        answer = input(f"{question} ").strip()
    except EOFError:
        print()
        answer = ""
    if not answer and not empty:
        raise RuleError("Afbrudt: uden svar kan der ikke søges.")
    return answer


def _secret(question: str) -> str:
    """Typed without being shown; from a pipe, one line of it."""
    import getpass

    return (getpass.getpass(question) if sys.stdin.isatty() else sys.stdin.readline()).strip()


def _print_answer(found: "Whereabouts") -> None:
    heading(found.answer.danish)
    facts((("Kommune", found.kommune_name), ("System", found.system)))
    if found.known:
        heading("Det ved vi")
        say(*(f"- {line}" for line in found.known))
    if len(found.adviser) > 1:
        print()
        print_found(list(found.adviser), len(found.adviser) + 1, as_json=False)
    heading("Sig")
    say(found.say)
    if found.handed_on:
        heading("Tekst til sygehusafdelingen")
        say(found.handed_on)
    if found.call:
        heading("Ring til")
        say(*(f"- {contact.shown}" for contact in found.call))


def _counted(count: int) -> str:
    return f"{number(count)} {'advis' if count == 1 else 'adviser'}"


def _print_plan(plan: "Resend") -> None:
    from engine.local_time import planned_text

    say(f"{_counted(len(plan.ids))} sendes igen under samme BeskedId. Ingen frist begynder forfra.")
    if plan.oldest and plan.newest:
        say(f"Modtaget fra {planned_text(plan.oldest)} til {planned_text(plan.newest)}.")
        kommuner = sorted(plan.kommuner.items(), key=lambda each: -each[1])
        shown = ", ".join(f"{code}: {number(count)}" for code, count in kommuner[:10])
        more = f" og {len(kommuner) - 10} kommuner til" if len(kommuner) > 10 else ""
        say(f"Kommuner: {shown}{more}.")
    for count, why in (
        (plan.refused, "er afvist og bliver aldrig fordelt"),
        (plan.waiting, "er allerede på vej til Beskedfordeleren"),
        (plan.just_sent, "er sendt igen inden for det seneste minut"),
    ):
        if count:
            say(f"{number(count)} springes over: {why}.")
