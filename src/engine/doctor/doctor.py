"""The whole examination of a home, in the order in which its lines are read."""

from functools import partial
from pathlib import Path

from engine.clock import SystemClock
from engine.doctor import certificates, home, lines
from engine.doctor.database import CLOCK, DATABASE, look_at_clock, look_at_database
from engine.doctor.examination import Check, examine, on_disk
from engine.doctor.ports import LISTENER, MONITOR, look_at_port
from engine.domain.checkup import Checked, Subject
from engine.home import Home
from engine.settings import Settings

OTHERS = Subject("others", "Forbindelser")

_LOCKED_S = 45.0  # the database itself gives up before, and says what is wrong


def examine_home(path: Path) -> list[Checked]:
    """Everything there is to say of the home in a folder. It changes nothing, and never raises."""
    found, settings = Home(path.absolute()), []
    first = on_disk(home.HOME, lambda: [each for each in [home.look_at_home(found)] if each is not None])
    nothing_there = examine(first)
    if nothing_there:
        return nothing_there

    def look_at_settings() -> list[Checked]:
        read, told = home.look_at_settings(found)
        settings.append(read)
        return told

    told = examine(on_disk(home.SETTINGS, look_at_settings))
    read = settings[0] if settings else None
    return told + examine(*_of_home(found), *(_of_settings(found, read) if read else _not_looked_at()))


def _of_home(found: Home) -> list[Check]:
    """What can be looked at whether the settings can be read or not."""
    database = on_disk(DATABASE, partial(look_at_database, found))
    return [
        on_disk(home.KEY, partial(home.look_at_key, found)),
        on_disk(home.FOLDERS, partial(home.look_at_folders, found)),
        on_disk(home.DISK, partial(home.look_at_disk, found)),
        Check(database.subject, database.look, _LOCKED_S),
        on_disk(CLOCK, partial(look_at_clock, found)),
        on_disk(home.ENGINE, partial(home.look_at_engine, found)),
    ]


def _of_settings(found: Home, settings: Settings) -> list[Check]:
    checks = certificates.checks(settings, SystemClock().now) + lines.checks(settings)
    listen, monitor = settings.listen, settings.monitor
    if settings.takes_vans or settings.takes_pushes:
        look = partial(look_at_port, LISTENER, found, listen.address, listen.port)
        checks.append(on_disk(LISTENER, look))
    if monitor.port:
        checks.append(on_disk(MONITOR, partial(look_at_port, MONITOR, found, monitor.address, monitor.port)))
    return checks


def _not_looked_at() -> list[Check]:
    found = "certifikater, forbindelser og porte er ikke undersøgt: indstillingerne kan ikke læses"
    return [on_disk(OTHERS, lambda: [OTHERS.unknown(found, "Ret indstillingerne først, og kør igen.")])]
