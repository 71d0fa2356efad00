"""`template show|set|export`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands import system_options as about
from engine.commands.common import AsJson, home_of, office_of, write_file
from engine.commands.danish import Commands
from engine.commands.output import facts, heading, plain, print_json, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.desk.template import Field, Template
    from engine.desk.template_export import Format
    from engine.desk.typed import TypedField

app = Commands("Kommunens skabelon til forvaltningen: hvem der er hvem, og hvordan de nås (bilaget).")

_FIELDS = {
    "administrator": "administrator",
    "sundhedsagentadministrator": "administrator",
    "lokalkontakt": "local-contact",
    "localcontact": "local-contact",
    "leverandørkontakt": "vendor-contact",
    "leverandoerkontakt": "vendor-contact",
    "vendorcontact": "vendor-contact",
    "kommentar": "comment",
    "comment": "comment",
}
"""What people write, without hyphens, and the field that it is."""

_EVERY = "alle"


@app.says("show", "Vis skabelonen, og hvad der mangler i den.")
def show(ctx: typer.Context, kommune: about.Kommune, as_json: AsJson = False) -> None:
    from engine.desk.template import missing, template_of
    from engine.settings import Settings

    with office_of(ctx) as office, office.visiting() as visit:
        code = visit.kommune(kommune).code
        template = template_of(visit.conn, code, Settings.load(office.home), office.clock.now())
    lacking = missing(template)
    if as_json:
        print_json({**plain(template), "missing": lacking})
        return
    say(template.title)
    for row in template.rows:
        heading(row.party)
        facts((field.label, _told(field)) for field in row.fields)
    heading("Mangler")
    say(*(f"{item.label} ({item.party})" for item in lacking) if lacking else ("Intet.",))


@app.says("set", "Udfyld et felt, som registret ikke kender. En tom tekst sletter.")
def set_(
    ctx: typer.Context,
    code: about.Kommune,
    *,
    field: Annotated[
        str,
        typer.Option(
            metavar="FELT", help="administrator, lokal-kontakt, leverandør-kontakt eller kommentar."
        ),
    ],
    value: Annotated[str, typer.Option(metavar="TEKST", help="Det, der skal stå.")],
    receiver: Annotated[
        str | None,
        typer.Option(metavar="SYSTEM", help="Systemets UUID eller navn; ikke til administrator."),
    ] = None,
    version: about.Version = None,
) -> None:
    from engine.desk.template import set_field

    kind = _field(field)
    with office_of(ctx) as office, office.filling_in(code) as (act, kommune):
        done = set_field(act, kommune.code, kind, value, receiver=receiver, seen=version)
    name = kommune.name if receiver is None else f"{receiver.strip()}, {kommune.name}"
    if not done:
        say(f"Feltet {kind.danish} ({name}) står sådan i forvejen.")
    else:
        say(f"Feltet {kind.danish} ({name}) er {'udfyldt' if value.strip() else 'tømt'}.")


@app.says("export", "Skriv skabelonen som DOCX, HTML eller Markdown: én kommunes eller alles.")
def export(
    ctx: typer.Context,
    code: Annotated[
        str | None, typer.Argument(metavar="KODE", help="Kommunekoden eller navnet.", show_default=False)
    ] = None,
    *,
    form: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="FORMAT", help="docx (standard), html eller md; med --all også alle."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FIL", help="Filen; ellers skabelon-KODE i den mappe, man står i."),
    ] = None,
    every: Annotated[
        Path | None, typer.Option("--all", metavar="MAPPE", help="Skriv alle kommuners i denne mappe.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overskriv filer, der er der i forvejen.")] = False,
) -> None:
    from engine.errors import RuleError

    if (code is None) == (every is None):
        raise RuleError("Angiv enten en kommune eller --all MAPPE.")
    if every is not None:
        if out is not None:
            raise RuleError("--out er til én kommune; med --all navngives filerne efter kommunekoden.")
        _export_all(ctx, every, _formats(form, None, several=True), force=force)
        return
    assert code is not None
    [wanted] = _formats(form, out, several=False)
    template = _templates(ctx, code)[0]
    path = out or Path(_file_name(template, wanted))
    _refuse_existing([path], force=force)
    _write(template, wanted, path, force=force)
    say(f"Skrevet: {path}")


def _export_all(ctx: typer.Context, folder: Path, forms: "Sequence[Format]", *, force: bool) -> None:
    from engine.errors import SundhedsagentError, os_reason

    templates = _templates(ctx)
    files = [(item, form, folder / _file_name(item, form)) for item in templates for form in forms]
    _refuse_existing([path for _, _, path in files], force=force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise SundhedsagentError(f"Mappen {folder} kan ikke oprettes: det er ikke en mappe.") from error
    except OSError as error:
        raise SundhedsagentError(f"Mappen {folder} kan ikke oprettes: {os_reason(error)}.") from error
    for written, (template, form, path) in enumerate(files):
        try:
            _write(template, form, path, force=force)
        except SundhedsagentError as error:
            raise SundhedsagentError(f"{error}\n{written} af {len(files)} filer er skrevet.") from error
    kinds = ", ".join(forms)
    counted = "1 fil" if len(files) == 1 else f"{len(files)} filer"
    one = "skabelon" if len(templates) == 1 else "skabeloner"
    say(f"{len(templates)} {one} ({kinds}) er skrevet i {folder}: {counted}.")


def _templates(ctx: typer.Context, code: str | None = None) -> "list[Template]":
    """The template of this kommune, or of all that the caller may see."""
    from engine.desk.template import all_templates
    from engine.settings import Settings

    settings = Settings.load(home_of(ctx))
    with office_of(ctx) as office, office.visiting() as visit:
        only = visit.only if code is None else {visit.kommune(code).code}
        return all_templates(visit.conn, settings, office.clock.now(), only=only)


def _field(text: str) -> "TypedField":
    from engine.desk.typed import TypedField

    name = text.strip().casefold().replace("-", "").replace(" ", "")
    if name not in _FIELDS:
        known = "administrator, lokal-kontakt, leverandør-kontakt eller kommentar"
        raise typer.BadParameter(f"skal være {known}, men er {text!r}.", param_hint="--field")
    return TypedField(_FIELDS[name])


def _formats(text: str | None, out: Path | None, *, several: bool) -> "list[Format]":
    """The formats that are wanted; without a word of it, what the file's name says, else DOCX."""
    from engine.desk.template_export import Format

    named = {form.value: form for form in Format}
    if text is None:
        return [named.get(out.suffix.lower().lstrip("."), Format.DOCX) if out else Format.DOCX]
    wanted = text.strip().lower()
    if several and wanted == _EVERY:
        return list(Format)
    if wanted not in named:
        known = ", ".join([*named, _EVERY] if several else named)
        raise typer.BadParameter(f"skal være en af {known}, men er {text!r}.", param_hint="--format")
    return [named[wanted]]


def _file_name(template: "Template", form: "Format") -> str:
    return f"skabelon-{template.kommune_code}.{form}"


def _told(field: "Field") -> str:
    from engine.desk.template_export import shown
    from engine.local_time import local_text

    text = shown(field)
    if field.typed_at is None:
        return text
    return f"{text}  [{field.typed_by}, {local_text(field.typed_at)}, version {field.version}]"


def _refuse_existing(paths: "Sequence[Path]", *, force: bool) -> None:
    from engine.errors import RuleError

    there = [] if force else [path for path in paths if os.path.lexists(path)]
    if len(there) == 1:
        raise RuleError(f"{there[0]} findes i forvejen. Intet er skrevet. Overskriv med --force.")
    if there:
        raise RuleError(
            f"{len(there)} af filerne findes i forvejen, fx {there[0]}. "
            "Intet er skrevet. Overskriv med --force."
        )


def _write(template: "Template", form: "Format", path: Path, *, force: bool) -> None:
    """Write the file whole or not at all."""
    from engine.desk.template_export import export as content_of

    write_file(content_of(template, form), path, force=force)
