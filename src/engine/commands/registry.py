"""`registry export|import`: the whole registry out to a file and back in."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands import system_options as about
from engine.commands.common import AsJson, choice, confirm, office_of
from engine.commands.danish import Commands
from engine.commands.output import heading, print_json, say

if TYPE_CHECKING:
    from engine.desk.exchange import Change, Outcome

app = Commands("Hele registret ud i en fil og ind igen.")


class _Format(StrEnum):
    CSV = "csv"
    JSON = "json"


@app.says("export", "Skriv hele registret til en fil: CSV til regneark, eller JSON.")
def export(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FIL", help="Filen; uden den skrives til skærmen.", show_default=False),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="csv eller json; ellers som filens navn siger."),
    ] = None,
) -> None:
    from engine.desk.exchange import registry_records
    from engine.desk.exchange_files import to_csv, to_json

    by_name = _Format.JSON if file is not None and file.suffix.lower() == ".json" else _Format.CSV
    is_json = (choice(_Format, form, "--format") or by_name) is _Format.JSON
    with office_of(ctx) as office, office.reading() as conn:
        records = registry_records(conn)
    data = to_json(records) if is_json else to_csv(records)
    if file is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    file.write_bytes(data)
    count = sum(len(record.systems) for record in records)
    kommuner = "1 kommune" if len(records) == 1 else f"{len(records)} kommuner"
    say(f"{kommuner} med {count} systemer er skrevet til {file}.")


@app.says("import", "Indlæs registret fra en fil. Det tilføjer og retter; det fjerner aldrig noget.")
def import_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FIL", help="CSV eller JSON, som export skriver det.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Vis kun, hvad der ville blive ændret.")] = False,
    yes: about.Yes = False,
    as_json: AsJson = False,
) -> None:
    from engine.desk.exchange import apply_import, faults_text, preview_import
    from engine.desk.exchange_files import read_registry
    from engine.errors import RuleError

    if as_json and not (dry_run or yes):
        raise RuleError("Med --json kan der ikke spørges først: brug også --dry-run eller --yes.")
    read = read_registry(file.read_bytes(), file.name)
    with office_of(ctx) as office:
        # The preview tells every fault too; a caller who does not ask to see it is spared the time.
        shown = None if yes and not dry_run else preview_import(office, read)
        if shown is not None:
            _show(shown, as_json=as_json, done=False)
            if shown.faults:
                raise RuleError(faults_text(shown.faults))
            if dry_run or not shown.changes:
                return
            confirm(f"Indlæs {file.name}?", yes=yes)
        done = apply_import(office, read, shown=shown)
        office.home.make_dueslag(*done.new_receivers)
    if shown is None:
        _show(done, as_json=as_json, done=True)
    else:
        say(f"Indlæst: {_summary(done)}.")


def _show(outcome: "Outcome", *, as_json: bool, done: bool) -> None:
    """What was done, or would be, line by line. Where something is wrong, the faults say all there is to say."""
    if as_json:
        print_json(
            {
                "applied": done,
                "changes": outcome.changes,
                "unchanged": outcome.unchanged,
                "absent": outcome.absent,
                "faults": [
                    {
                        "place": fault.place.text,
                        "column": fault.column,
                        "system": fault.system,
                        "message": fault.message,
                    }
                    for fault in outcome.faults
                ],
                "notes": outcome.notes,
            }
        )
        return
    for note in outcome.notes:
        say(f"Bemærk: {note}")
    if outcome.faults:
        return
    for change in outcome.changes:
        _show_change(change)
    _show_absent(outcome)
    if outcome.changes:
        say(f"{'Indlæst' if done else 'Det ville blive'}: {_summary(outcome)}.")
    else:
        say("Registret svarer til filen; der er intet at ændre.")


def _show_change(change: "Change") -> None:
    from engine.desk.exchange import ChangeKind

    kommune = f"{change.kommune_name} ({change.kommune})"
    system = f"{change.system} ({change.uuid or 'uden UUID'})"
    what = f"{system} i {kommune}" if change.part else kommune
    said = {
        ChangeKind.CONNECTED: "tilsluttes",
        ChangeKind.ADDED: "tilføjes som primært" if change.part == "primært" else "tilføjes som kvitterende",
        ChangeKind.NOTED: "noteres uden kvittering",
        ChangeKind.CHANGED: "rettes",
    }[change.kind]
    say(f"{change.place}: {what} {said}")
    if change.kind is ChangeKind.CHANGED:
        say(*(f"    {item.field}: {item.before or '–'} → {item.after or '–'}" for item in change.fields))


def _show_absent(outcome: "Outcome") -> None:
    by_kommune: dict[str, list[str]] = {}
    for item in outcome.absent:
        named = f"{item.system} ({item.uuid or 'uden UUID'})"
        by_kommune.setdefault(f"{item.kommune_name} ({item.kommune})", []).append(named)
    if by_kommune:
        heading("Står ikke i filen; ændres ikke")
        say(*(f"  {kommune}: {', '.join(names)}" for kommune, names in by_kommune.items()))
        print()


def _summary(outcome: "Outcome") -> str:
    from engine.desk.exchange import ChangeKind

    counts = (
        (outcome.count(ChangeKind.CONNECTED, systems=False), "kommune tilsluttet", "kommuner tilsluttet"),
        (outcome.count(ChangeKind.CHANGED, systems=False), "kommune rettet", "kommuner rettet"),
        (outcome.count(ChangeKind.ADDED), "system tilføjet", "systemer tilføjet"),
        (
            outcome.count(ChangeKind.NOTED),
            "system noteret uden kvittering",
            "systemer noteret uden kvittering",
        ),
        (outcome.count(ChangeKind.CHANGED), "system rettet", "systemer rettet"),
        (outcome.unchanged, "system uændret", "systemer uændrede"),
    )
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts if count)
