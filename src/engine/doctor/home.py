"""The home itself: its settings, folders, key and disk, and whether an engine works in it."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.doctor.ports import engine_process
from engine.domain.checkup import Checked, Subject
from engine.errors import HomeError, SettingsError
from engine.home import Home, is_engine_running, payload_key
from engine.settings import PLACEHOLDERS, Settings, refuse_placeholders
from engine.store.payloads import PayloadBox
from engine.store.sealing import refuse_other_key

HOME = Subject("home", "Hjemmemappe")
SETTINGS = Subject("settings", "Indstillinger")
FOLDERS = Subject("folders", "Mapper")
KEY = Subject("key", "Nøgle")
DISK = Subject("disk", "Disk")
ENGINE = Subject("engine", "Motor")

_OTHERS = 0o077  # what the group and everybody else may do
_GIB, _MIB = 1024**3, 1024**2
_LITTLE_PERCENT, _LITTLE = 10, 2 * _GIB
_LEAST_PERCENT, _LEAST = 2, 200 * _MIB
_TEST_PLACE = "eksterntest-"


def look_at_home(home: Home) -> Checked | None:
    """What is wrong where there is no home at all; None where there is one, or what is left of one."""
    if not home.path.exists():
        return HOME.fault(
            f"{home.path} findes ikke", f"Opret en hjemmemappe med: sundhedsagent init {home.path}"
        )
    if not home.path.is_dir():
        return HOME.fault(f"{home.path} er ikke en mappe", "Vælg hjemmemappen med --home MAPPE")
    if not os.access(home.path, os.R_OK | os.X_OK):
        return HOME.fault(
            f"{home.path}: du har ikke adgang", "Kør som den bruger, hjemmet tilhører (sudo -u)"
        )
    if not any(path.exists() for path in (home.settings_file, home.key_file, home.database_file)):
        return HOME.fault(
            f"{home.path} er ikke en hjemmemappe", f"Opret en med: sundhedsagent init {home.path}"
        )
    return None


# --- settings ---------------------------------------------------------------------------------------------------------


def look_at_settings(home: Home) -> tuple[Settings | None, list[Checked]]:
    """The settings where they can be read, and what there is to say of them."""
    try:
        settings = Settings.load(home)
    except SettingsError as error:
        heading, *faults = str(error).split("\n")
        do = "Ret det i sundhedsagent.toml eller i miljøet. Motoren starter ikke sådan."
        return None, [SETTINGS.fault(fault.strip(), do) for fault in faults or [heading]]
    return settings, [_placeholders(settings), *_advice(settings)]


def _placeholders(settings: Settings) -> Checked:
    left = [key for key in PLACEHOLDERS if getattr(settings, key) in PLACEHOLDERS.values()]
    try:
        refuse_placeholders(settings)
    except SettingsError as error:
        return SETTINGS.told(str(error), "Ret dem i sundhedsagent.toml.")
    if settings.environment == "production":
        return SETTINGS.good("kan læses; produktion, uden pladsholdere")
    found = 'environment = "test"' + (f", og {len(left)} UUID'er er pladsholdere" if left else "")
    return SETTINGS.advice(
        f"kan læses; {found}",
        'Før produktion: ret UUID\'erne til dem fra ADM, og sæt environment = "production".',
    )


def _advice(settings: Settings) -> Iterator[Checked]:
    """What an engine works without, and people miss."""
    in_production = settings.environment == "production"
    empty = {
        "alarm.lead_email": "En sag, som ingen tager, bliver ikke mailet til hotlinens leder. Sæt adressen.",
        "incident.driftsvagt_email": "Ved en major incident skal KOMBITs driftsvagt orienteres manuelt. Sæt adressen.",
        "incident.beskedfordeler_email": (
            "En fejl på Beskedfordeleren skal meldes manuelt til den, der driver den. Sæt adressen."
        ),
    }
    for key, do in empty.items():
        section, _, name = key.partition(".")
        if not getattr(getattr(settings, section), name):
            yield SETTINGS.advice(f"{key} er tom", do)
    if not settings.monitor.port:
        yield SETTINGS.advice(
            "monitor.port er 0", "Ingen kan overvåge motoren udefra. Vælg en port; se docs/alarmregler.yml."
        )
    listen = settings.listen
    if listen.port and listen.client_ca and not (listen.clients or listen.token):
        yield SETTINGS.advice(
            "listen.clients er tom: alle med et certifikat fra listen.client_ca kan aflevere",
            "Udsteder den til andre end jer, så nævn fingeraftrykkene på dem, der må.",
        )
    if in_production and settings.mail.send_by == "folder":
        yield SETTINGS.advice(
            'mail.send_by = "folder"', 'Mails lægges i mail/ og sendes ikke. Hent dem dér, eller brug "smtp".'
        )
    if settings.mail.send_by == "smtp" and settings.mail.sender.endswith(".localdomain"):
        yield SETTINGS.advice(
            f"mail.sender er {settings.mail.sender}",
            "Modtagernes servere afviser den. Sæt en rigtig adresse.",
        )
    if in_production and settings.beskedfordeler.via == "amqp":
        for key in ("server", "sts"):
            if _TEST_PLACE in getattr(settings.beskedfordeler, key):
                yield SETTINGS.advice(
                    f"beskedfordeler.{key} er KOMBITs eksterne test",
                    "Sæt produktionens adresse, når det er den.",
                )


# --- folders ----------------------------------------------------------------------------------------------------------


def look_at_folders(home: Home) -> list[Checked]:
    found = [*_missing_folders(home), *_split_folders(home), *_open_to_others(home)]
    return found or [FOLDERS.good(f"{home.path}: alle {len(home.folders)} findes og kan skrives")]


def _missing_folders(home: Home) -> Iterator[Checked]:
    for folder in (home.path, *home.folders):
        if not folder.is_dir():
            do = f"Genskab den: mkdir -p -m 700 {folder}. Er det en montering, så monter den igen."
            yield FOLDERS.fault(f"{folder} findes ikke", do)
        elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            do = "Kør som den bruger, motoren kører som. Er det den, så giv den adgang med chown eller chmod."
            yield FOLDERS.fault(f"{folder} kan ikke læses og skrives af {_user()}", do)


def _split_folders(home: Home) -> Iterator[Checked]:
    """What cannot be taken is moved to the quarantine by rename, which cannot cross to another file system."""
    pairs = ((home.vans_in, home.vans_quarantine), (home.afsend, home.beskedfordeler_quarantine))
    for folder, quarantine in pairs:
        if folder.is_dir() and quarantine.is_dir() and folder.stat().st_dev != quarantine.stat().st_dev:
            yield FOLDERS.fault(
                f"{folder} og {quarantine} ligger på hver sin disk",
                f"Monter hele {folder.parent} i stedet for mapperne hver for sig.",
            )


def _open_to_others(home: Home) -> Iterator[Checked]:
    for path in (home.path, home.settings_file, home.database_file):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & _OTHERS:
            mode = "700" if path.is_dir() else "600"
            yield FOLDERS.advice(
                f"{path} er åben for andre brugere", f"Er det ikke meningen: chmod {mode} {path}"
            )


def _user() -> str:
    return f"bruger {os.geteuid()}"


# --- key --------------------------------------------------------------------------------------------------------------


def look_at_key(home: Home) -> list[Checked]:
    try:
        box = PayloadBox(payload_key(home))
    except HomeError as error:
        return [KEY.told(str(error), "Hent nøglen fra en sikkerhedskopi.")]
    try:
        _refuse_other_key(home, box)
    except HomeError as error:
        return [KEY.told(str(error), "Hent den rigtige nøgle fra en sikkerhedskopi.")]
    except Exception:  # noqa: BLE001 - the database's own line says what is wrong with it
        found = "kan læses; databasen kan ikke spørges, om det er den rigtige"
        return [KEY.unknown(found, "Ret databasen først; se dens linje.")]
    return [KEY.good("kan læses, og det er den, databasen kender")]


def _refuse_other_key(home: Home, box: PayloadBox) -> None:
    if not home.database_url and not home.database_file.is_file():
        raise FileNotFoundError(home.database_file)  # to open it would make one
    db = home.open_database()
    try:
        with db.reading() as conn:
            refuse_other_key(conn, box)
    finally:
        db.close()


# --- disk, engine -----------------------------------------------------------------------------------------------------


def look_at_disk(home: Home) -> list[Checked]:
    """Each file system once: the database's, and where folders are mounts, theirs."""
    places: dict[int, Path] = {}
    for path in (home.path, home.database_file, *home.folders):
        if path.exists():
            places.setdefault(path.stat().st_dev, path)
    return [_space(path, os.statvfs(path)) for path in places.values()]


def _space(path: Path, disk: os.statvfs_result) -> Checked:
    # What root keeps for itself counts for nobody.
    free, whole = (
        disk.f_bavail * disk.f_frsize,
        (disk.f_blocks - disk.f_bfree + disk.f_bavail) * disk.f_frsize,
    )
    percent = 100 * free // whole if whole else 0
    found = f"{path}: {size_text(free)} ledig ({percent} %)"
    do = "Gør plads, eller gør disken større: når den er fuld, kan intet modtages."
    if percent < _LEAST_PERCENT or free < _LEAST:
        return DISK.fault(found, do)
    if percent < _LITTLE_PERCENT or free < _LITTLE:
        return DISK.advice(found, do)
    return DISK.good(found)


def size_text(size: int) -> str:
    """A number of bytes as Danes write it: "2,3 GB"."""
    unit, name = (_GIB, "GB") if size >= _GIB else (_MIB, "MB")
    return f"{size / unit:.1f} {name}".replace(".", ",")


def look_at_engine(home: Home) -> Sequence[Checked]:
    try:
        if is_engine_running(home):
            return [ENGINE.good(f"kører i hjemmet (proces {engine_process(home) or 'ukendt'})")]
    except HomeError as error:
        return [ENGINE.unknown(str(error), "Kør som den bruger, motoren kører som.")]
    return [ENGINE.advice("kører ikke i dette hjem", "Start den, når resten er i orden: sundhedsagent run")]
