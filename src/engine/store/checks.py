"""How a database is examined: what is looked at, and how a look becomes a line."""

from collections.abc import Callable
from typing import NoReturn

from sqlalchemy.exc import DBAPIError

from engine.database_errors import database_trouble
from engine.domain.checkup import Checked, Subject

FILES = Subject("files", "Filer")
LOADING = Subject("loading", "Indlæsning")
ROWS = Subject("rows", "Antal rækker")
REVISION = Subject("revision", "Revision")
INTEGRITY = Subject("integrity", "Integritet")
SCHEMA = Subject("schema", "Tabeller")
TRIGGERS = Subject("triggers", "Triggere")
FOREIGN_KEYS = Subject("foreign-keys", "Fremmednøgler")
ONE_PRIMARY = Subject("one-primary", "Ét primært system")
ONE_VERDICT = Subject("one-verdict", "Ét svar")
NUMBERS = Subject("numbers", "Numre")
AUDIT = Subject("audit", "Revisionslog")
KEY = Subject("key", "Nøgle")

RESTORE = "Gendan fra en sikkerhedskopi: sundhedsagent restore"
FROM_OUTSIDE = (
    "Find ud af, hvem der har ændret databasen uden om Sundhedsagenten, og gendan den fra en kopi fra før."
)
_AGAIN = "Prøv igen. Bliver det ved, så gendan fra en sikkerhedskopi: sundhedsagent restore"


class Fault(Exception):  # noqa: N818 - what a look finds, and no failure of the look
    """Ends a look: what was found, and what to do about it."""

    def __init__(self, found: str, do: str) -> None:
        super().__init__(found)
        self.found = found
        self.do = do


def fault(found: str, do: str) -> NoReturn:
    raise Fault(found, do)


def tried(subject: Subject, look: Callable[[], str]) -> Checked:
    """The line of a look; it gives what it saw, or raises a Fault. A database that fails is a fault too."""
    try:
        return subject.good(look())
    except Fault as wrong:
        return subject.fault(wrong.found, wrong.do)
    except DBAPIError as error:
        trouble = database_trouble(error) or type(error).__name__
        return subject.fault(f"kan ikke undersøges: {trouble}", _AGAIN)


def some(found: list[str], most: int = 5) -> str:
    """The first few of many names."""
    more = len(found) - most
    return ", ".join(found[:most]) + (f" og {more} til" if more > 0 else "")
