"""`role list|grant|revoke`."""

from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands.common import AsJson, choice, office_of
from engine.commands.danish import Commands
from engine.commands.output import print_json, say, table

if TYPE_CHECKING:
    from engine.desk.access import Role

app = Commands("Roller: hvem må hvad.")

Who = Annotated[str, typer.Argument(metavar="BRUGER", help="Brugernavnet i operativsystemet.")]
Which = Annotated[str, typer.Argument(metavar="ROLLE", help="hotline, administrator, auditor eller kommune.")]
OfKommune = Annotated[str | None, typer.Option("--kommune", metavar="KODE", help="Til rollen kommune.")]


@app.says("list", "Vis, hvem der har hvilke roller.")
def list_(ctx: typer.Context, as_json: AsJson = False) -> None:
    from engine.desk.roles import list_roles
    from engine.local_time import local_text

    with office_of(ctx) as office, office.reading() as conn:
        found = list_roles(conn)
    if as_json:
        print_json(found)
        return
    rows = [
        (item.identity, item.role, item.kommune_name or "–", local_text(item.granted_at), item.granted_by)
        for item in found
    ]
    table(("Bruger", "Rolle", "Kommune", "Givet", "Af"), rows)


@app.says("grant", "Giv en bruger en rolle.")
def grant(ctx: typer.Context, who: Who, role: Which, kommune: OfKommune = None) -> None:
    from engine.desk.roles import grant_role

    wanted = _role(role)
    with office_of(ctx) as office, office.administering() as act:
        grant_role(act, who, wanted, kommune)
    say(f"{who} har nu rollen {wanted}{_for(kommune)}.")


@app.says("revoke", "Tag en rolle fra en bruger.")
def revoke(ctx: typer.Context, who: Who, role: Which, kommune: OfKommune = None) -> None:
    from engine.desk.roles import revoke_role

    wanted = _role(role)
    with office_of(ctx) as office, office.administering() as act:
        revoke_role(act, who, wanted, kommune)
    say(f"{who} har ikke længere rollen {wanted}{_for(kommune)}.")


def _role(text: str) -> "Role":
    from engine.desk.access import Role

    role = choice(Role, text, "ROLLE")
    assert role is not None
    return role


def _for(kommune: str | None) -> str:
    return f" for {kommune}" if kommune else ""
