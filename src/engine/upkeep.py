"""What an administrator does to a home's database: bring it up to date, and look whether it is in order."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from engine.domain.checkup import Checked, Verdict
from engine.errors import HomeError
from engine.home import Home, engine_lock, payload_key
from engine.store.checks import REVISION, fault, tried
from engine.store.revisions import newest_revision


def upgrade_home(path: Path) -> tuple[str, str]:
    """Bring the tables to this package's revision while no engine runs; the revisions before and after."""
    home = Home.at(path)
    before = home.revision()
    with _alone(home):
        for folder in home.folders:
            folder.mkdir(exist_ok=True)
        with closing(home.open_database()) as db:
            db.upgrade()
    return before, home.revision()


def check_home(path: Path) -> Iterator[Checked]:
    """Every check of a home's database, beside an engine that works; of another version only what can be told of it.

    HomeError where there is no home, or its database cannot be reached.
    """
    from engine.store.payloads import PayloadBox  # noqa: PLC0415 - slow to import, as what stands below
    from engine.store.rules import database_checks, whole  # noqa: PLC0415

    home = Home.at(path)
    yield (check := tried(REVISION, partial(_revision, home)))
    with closing(home.open_database()) as db:
        if check.verdict is not Verdict.GOOD:
            yield whole(db)
            return
        try:
            box, why = PayloadBox(payload_key(home)), ""
        except HomeError as error:
            box, why = None, str(error)
        yield from database_checks(db, box, why)


def _revision(home: Home) -> str:
    found, newest = home.revision(), newest_revision()
    if found < newest:
        fault(f"{found}; denne version bruger {newest}", "Stop motoren, og kør: sundhedsagent db upgrade")
    if found > newest:
        fault(f"{found}; denne version bruger {newest}", "Installer en nyere udgave af Sundhedsagenten her.")
    return found


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Hold the home, and a shared database, while no engine works on them."""
    with engine_lock(home):
        if home.database_url:
            from engine.store.postgresql import without_engines  # noqa: PLC0415

            with without_engines(home.database_url):
                yield
        else:
            yield
