"""`todo` and `todo done`: Kræver handling."""

from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands.common import AsJson, office_of
from engine.commands.danish import Commands
from engine.commands.output import ago, number, paint, print_json, printable, say

if TYPE_CHECKING:
    from datetime import datetime

    from engine.desk.todo import TodoItem

app = Commands("Kræver handling: alt, hvad der venter på et menneske, det ældste først.")

_SHOWN = 50


@app.callback(invoke_without_command=True, no_args_is_help=False)
def list_(
    ctx: typer.Context,
    *,
    kommune: Annotated[str | None, typer.Option(metavar="KODE", help="Kun denne kommune.")] = None,
    every: Annotated[bool, typer.Option("--all", help=f"Ikke kun de {_SHOWN} ældste.")] = False,
    as_json: AsJson = False,
) -> None:
    if ctx.invoked_subcommand is not None:
        return
    from engine.desk.todo import todo
    from engine.settings import Settings

    with office_of(ctx) as office, office.visiting() as visit:
        only = visit.only if kommune is None else [visit.kommune(kommune).code]
        now = office.clock.now()
        found = todo(visit.conn, Settings.load(office.home), now, only=only)
    if as_json:
        print_json(
            {"counts": {kind.value: count for kind, count in found.counts.items()}, "items": found.items}
        )
        return
    waiting = [f"{kind.danish} {number(count)}" for kind, count in found.counts.items() if count]
    say(f"Kræver handling: {', '.join(waiting)}." if waiting else "Intet venter på et menneske.")
    shown = found.items if every else found.items[:_SHOWN]
    for item in shown:
        _print(item, now)
    if len(shown) < sum(found.counts.values()):
        say("", f"De {len(shown)} ældste er vist.")


@app.says("done", "Sig, at en uafklaret eller negativ kvittering eller en afvist mail er behandlet.")
def done(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="NØGLE", help="Som i listen, fx negativ:12:4.")],
    *,
    note: Annotated[str, typer.Option(metavar="TEKST", help="Hvad der er gjort; ingen personoplysninger.")],
) -> None:
    from engine.desk.todo import mark_handled
    from engine.settings import Settings

    with office_of(ctx) as office:
        settings = Settings.load(office.home)
        with office.serving() as act:
            item = mark_handled(act, settings, key, note)
    say(f"Behandlet: {item.what}.")


def _print(item: "TodoItem", now: "datetime") -> None:
    print()
    print(paint(printable(f"{item.what}  [{item.key}, {ago(item.since, now)}]"), "bold"))
    for contact in item.call:
        say(f"  Ring: {contact.shown}")
    first, *others = item.say.split("\n")
    say(f"  Sig:  {first}", *(f"        {line}" for line in others))
    say(f"  Åbn:  {item.command}")
