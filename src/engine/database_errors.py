"""What a database's error says to people: in Danish, and without the values that the server quotes."""

import sqlite3

_SQLITE = {
    "database or disk is full": "der er ikke plads på disken; intet er ændret",
    "database is locked": "databasen er låst af et andet program; prøv igen",
    "attempt to write a readonly database": "databasen kan kun læses; intet er ændret",
    "disk I/O error": "disken kan ikke læses eller skrives",
    "database disk image is malformed": "databasefilen er beskadiget",
    "unable to open database file": "databasefilen kan ikke åbnes",
    "file is not a database": "databasefilen er ingen database",
}

# By SQLSTATE, or its first two characters: PostgreSQL's appendix A.
_POSTGRESQL = {
    "08": "forbindelsen til databasen er afbrudt",
    "25006": "databasen kan kun læses (er det en reserve?); intet er ændret",
    "25P03": "forbindelsen stod stille midt i en ændring og blev lukket; intet er ændret",
    "28": "databaseserveren afviser brugernavnet eller adgangskoden",
    "3D000": "databasen findes ikke på serveren",
    "42501": "databasebrugeren mangler rettigheder",
    "53100": "der er ikke plads på databaseserverens disk; intet er ændret",
    "53300": "databaseserveren har ikke flere forbindelser",
    "55P03": "databasen er optaget af et andet program; prøv igen",
    "57P": "databaseserveren er lukket ned eller ved at starte",
}
_NO_STATE = "databaseserveren kan ikke nås"


def database_trouble(error: BaseException) -> str | None:
    """What is wrong with the database itself; None where the error is about something else.

    `error` is SQLAlchemy's or the driver's own.
    """
    cause = getattr(error, "orig", None) or error
    if isinstance(cause, sqlite3.Error):
        return _SQLITE.get(str(cause), f"databasen svarer: {cause}")
    if type(cause).__module__.partition(".")[0] == "psycopg":
        return _of_server(getattr(cause, "sqlstate", None))
    return None


def _of_server(state: str | None) -> str:
    if state is None:
        return _NO_STATE
    known = (_POSTGRESQL.get(state[:length]) for length in (5, 3, 2))
    return next((text for text in known if text), f"databasen svarer med fejl {state}")
