"""`audit list|verify`."""

from typing import Annotated

import typer

from engine.commands.common import AsJson, choice, instant, office_of
from engine.commands.danish import Commands
from engine.commands.output import dated, number, print_json, say

app = Commands("Revisionsloggen: hvem ændrede hvad, og er den uberørt?")


@app.says("list", "Vis ændringer med før og efter, de nyeste først.")
def list_(
    ctx: typer.Context,
    kommune: Annotated[str | None, typer.Option(metavar="KODE", help="Kun denne kommune.")] = None,
    actor: Annotated[str | None, typer.Option(metavar="BRUGER", help="Kun denne bruger.")] = None,
    action: Annotated[str | None, typer.Option(metavar="ORD", help="Kun denne slags ændring.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TID", help="Fra og med (dansk tid).")] = None,
    until: Annotated[str | None, typer.Option(metavar="TID", help="Til, men ikke med.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1_000_000, help="Højst så mange.")] = 100,
    as_json: AsJson = False,
) -> None:
    from engine.desk.audit import AUDIT_READERS, AuditFilter, list_audit, told
    from engine.desk.registry import find_kommune
    from engine.domain.audit import Action
    from engine.local_time import local_text

    with office_of(ctx) as office, office.reading(*AUDIT_READERS) as conn:
        wanted = AuditFilter(
            kommune_code=None if kommune is None else find_kommune(conn, kommune).code,
            actor=actor,
            action=choice(Action, action, "--action"),
            since=instant(since, "--since"),
            until=instant(until, "--until"),
            limit=limit,
        )
        found = list_audit(conn, wanted)
    if as_json:
        print_json(found)
        return
    for entry in found:
        where = f" [{entry.kommune_code}]" if entry.kommune_code else ""
        change = "".join(f"; {part}" for part in told(entry))
        why = f"; begrundelse: {entry.reason}" if entry.reason else ""
        dated(
            local_text(entry.at),
            f"{entry.actor}{where}: {entry.action.danish} ({entry.subject}){change}{why}",
        )


@app.says("verify", "Bevis, at ingen har ændret eller slettet i loggen.")
def verify(
    ctx: typer.Context,
    head: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="En tidligere noteret sidste hash, som også skal findes."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    from engine.desk.audit import AUDIT_READERS, verify_audit
    from engine.errors import RuleError

    with office_of(ctx) as office, office.reading(*AUDIT_READERS) as conn:
        found = verify_audit(conn, head)
    if as_json:
        print_json(
            {
                "whole": found.is_whole,
                "entries": found.entries,
                "broken_at": found.broken_at,
                "first_id": found.first_id,
                "head": found.head,
                "head_known": found.head_known,
            }
        )
    if found.broken_at is not None:
        raise RuleError(
            f"Revisionsloggen er brudt ved post {found.broken_at}: den eller den før er ændret eller fjernet. "
            f"{number(found.entries)} poster før den er hele. Sammenhold med en sikkerhedskopi."
        )
    if not found.head_known:
        raise RuleError(
            f"Hashen {head} findes ikke i loggen: poster er fjernet siden, eller loggen er en anden. "
            "Sammenhold med en sikkerhedskopi."
        )
    if not as_json:
        older = "" if found.first_id in {None, 1} else f" Ældre end post {found.first_id} er slettet."
        say(f"Revisionsloggen er hel: {number(found.entries)} poster.{older}", f"Sidste hash: {found.head}")
