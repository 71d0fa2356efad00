"""`backup` and `restore`."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.commands.checkup import tell
from engine.commands.danish import Commands
from engine.commands.db import tell_all
from engine.commands.output import number, say
from engine.database_url import DATABASE_VARIABLE, checked_url
from engine.errors import BackupError, HomeError, SettingsError
from engine.home import KEY_VARIABLE, Home, given_key, home_path, payload_key

if TYPE_CHECKING:
    from engine.backup.make import Made
    from engine.backup.restore import Restored

_A_LITTLE = timedelta(minutes=15)  # a VANS provider's clock is not ours; what comes twice is a copy


def backup(
    ctx: typer.Context,
    target: Annotated[
        Path, typer.Argument(metavar="MAPPE", help="Hvor sikkerhedskopierne ligger; helst på en anden disk.")
    ],
    keep: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Behold de N nyeste af dette hjem, og slet de ældre."),
    ] = None,
) -> None:
    from importlib.metadata import version

    from engine.backup.make import make_backup
    from engine.clock import SystemClock

    home = Home.at(home_path(ctx.find_root().obj))
    made = make_backup(home, target, SystemClock(), version("sundhedsagent"), keep=keep)
    say(*_made(made))


def _made(made: "Made") -> Iterator[str]:
    manifest = made.manifest
    yield f"Sikkerhedskopien er lavet: {made.folder} ({number(manifest.size)} byte)."
    yield (
        f"Den rummer databasen (revision {manifest.revision}, {number(manifest.rows.get('advis', 0))} adviser), "
        "indstillingerne og hjemmets egne mailtekster."
    )
    yield (
        "Nøglen (payload.key) er med vilje ikke med: gem den et andet sted. Heller ikke miljøets indstillinger, "
        "certifikater og filerne i vans/, beskedfordeler/ og mail/."
    )
    if made.removed:
        yield f"Slettet: {', '.join(folder.name for folder in made.removed)}."
    yield f"Prøv den: sundhedsagent restore --verify {made.folder}"


def restore(
    ctx: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="SIKKERHEDSKOPI", help="Mappen, som sundhedsagent backup lavede.")
    ],
    target: Annotated[
        Path | None, typer.Argument(metavar="MAPPE", help="En ny eller tom mappe, som bliver hjemmet.")
    ] = None,
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Bevis, at kopien kan bruges, uden at røre ved noget.")
    ] = False,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="ADRESSE",
            help="En tom PostgreSQL-database; med --verify en server, hvor der må oprettes en midlertidig.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FIL", help=f"Nøglen, payload.key. Ellers gælder {KEY_VARIABLE}."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Med --verify: skriv JSON i stedet for tekst.")
    ] = False,
) -> None:
    url = _url(database)
    if verify:
        if target is not None:
            raise typer.BadParameter("--verify gendanner ikke; udelad mappen.", param_hint="MAPPE")
        _verify(ctx, folder, key, url, as_json=as_json)
        return
    if target is None:
        raise typer.BadParameter("mangler. Skal kopien kun prøves, så brug --verify.", param_hint="MAPPE")
    _restore(folder, target, key, url)


def _url(database: str | None) -> str | None:
    if not database:
        return None
    try:
        return checked_url(database)
    except SettingsError as error:
        raise typer.BadParameter(f"{error}.", param_hint="--database") from error


def _verify(ctx: typer.Context, folder: Path, key: Path | None, url: str | None, *, as_json: bool) -> None:
    from engine.backup.verify import verify_backup
    from engine.store.payloads import PayloadBox

    secret = given_key(key) or _key_of_home(ctx)
    box = None if secret is None else PayloadBox(secret)
    if tell_all(verify_backup(folder.absolute(), box, url), as_json=as_json):
        raise BackupError(f"Sikkerhedskopien {folder} kan ikke bruges: se det, der er mærket ✗.")


def _key_of_home(ctx: typer.Context) -> bytes | None:
    """The key of the home that the command line means, where there is one."""
    try:
        home = Home(home_path(ctx.find_root().obj))
    except HomeError:
        return None
    return payload_key(home) if home.key_file.exists() else None


def _restore(folder: Path, target: Path, key_file: Path | None, url: str | None) -> None:
    from engine.backup.restore import Key, restore_backup
    from engine.desk.access import caller_identity

    secret = given_key(key_file)
    if secret is None:
        raise BackupError(
            f"Nøglen mangler: giv den med --key FIL eller i {KEY_VARIABLE}. Uden den kan intet af det gemte læses."
        )
    caller = caller_identity()
    key = Key(secret, is_from_file=key_file is not None)
    restored = restore_backup(folder.absolute(), target, key, url, actor=caller, tell=tell)
    say(*_restored(restored, caller), *_before_it_runs(restored), *_when_it_runs(restored))


def _restored(restored: "Restored", caller: str) -> Iterator[str]:
    import os

    from engine.local_time import planned_text

    home = restored.home
    yield ""
    yield f"Hjemmemappen {home.path} er gendannet, som den var {planned_text(restored.manifest.taken_at)}."
    yield f"Databasen er {home.database_name}."
    if not home.key_file.exists():
        yield f"Nøglen er ikke skrevet i hjemmet: den skal fortsat stå i {KEY_VARIABLE}."
    if restored.manifest.database == "postgresql" and os.environ.get(DATABASE_VARIABLE):
        yield f"Bemærk: {DATABASE_VARIABLE} er sat og gælder frem for adressen i {home.settings_file.name}."
    if caller not in restored.administrators:
        yield f"Du ({caller}) er ikke administrator i den. Det er: {', '.join(restored.administrators) or 'ingen'}."


def _before_it_runs(restored: "Restored") -> Iterator[str]:
    home = restored.home.path
    yield ""
    yield "Før motoren startes:"
    yield "  1. Sørg for, at ingen motor længere arbejder på den gamle hjemmemappe eller den gamle database."
    yield (
        "  2. Gør det igen, som er ændret i registret siden: kommuner, modtagersystemer, omlægninger, kontaktpunkter "
        "og roller. Et advis til en kommune, der mangler, bliver afvist over for sygehuset."
    )
    yield (
        f"  3. Flyt filerne fra den gamle hjemmemappes vans/in, vans/out, beskedfordeler/ og mail/ til {home}, hvis de "
        "findes endnu, og læg certifikaterne, hvor indstillingerne siger."
    )
    yield (
        "  4. Foreslå og erklær en major incident (incident propose, incident declare), så mails om kvitteringer, "
        "der kom efter kopien, holdes tilbage, til den er løst."
    )
    yield f"  5. sundhedsagent --home {home} db check"


def _when_it_runs(restored: "Restored") -> Iterator[str]:
    from engine.local_time import planned_text

    since = planned_text(restored.manifest.taken_at - _A_LITTLE)
    yield ""
    yield "Når den kører:"
    yield (
        "  - Det, der ventede, da kopien blev taget, sendes, også det, der er sendt siden: med samme BeskedId, "
        "konvolut-id og Message-ID, så modtagerne kan se, at de har det."
    )
    yield (
        f"  - Bed VANS-leverandøren aflevere alt siden {since} igen. Sygehuse, der har fået svar, sender ikke selv "
        "igen, og de andre højst to gange. Det kendte tages som kopier, resten fordeles under samme BeskedId som før."
    )
    yield (
        "  - Kvitteringer, der er hentet efter kopien, kommer ikke af sig selv. Bed leverandørerne sende dem igen, "
        "eller fordel adviserne igen: sundhedsagent advis resend. Sygehuset kan få det samme svar én gang til."
    )
    yield "  - Frister løber i virkelig tid: de, der er udløbet imens, bliver straks til sager."
    yield (
        "  - Numre på adviser, sager og hændelser, der er givet efter kopien, gives igen til noget andet. Luk selv "
        "det, der siden er oprettet på driftstatus."
    )


def add_to(app: Commands) -> None:
    app.says("backup", "Tag en sikkerhedskopi af hjemmet, mens motoren kører.")(backup)
    app.says("restore", "Gendan et hjem fra en sikkerhedskopi, eller prøv kopien med --verify.")(restore)
