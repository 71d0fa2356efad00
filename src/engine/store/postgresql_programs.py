"""pg_dump and pg_restore, as they are installed on the machine.

A password never stands on a command line, where every user of the machine could read it: the programs get it, like the
rest of the address, in their environment.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from engine.errors import BackupError

_DEBIAN = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_VERSION_TIMEOUT_S = 30
_NO_SPACE = "No space left on device"
_SECRETS = {"password", "sslpassword", "oauth_client_secret"}


def dump(url: str, target: Path, *, snapshot: str, server: int) -> None:
    """Write the database in PostgreSQL's custom format, as the exported `snapshot` sees it."""
    _run("pg_dump", server, url, "--format=custom", "--no-owner", "--no-privileges", "--no-tablespaces",
         f"--snapshot={snapshot}", f"--file={target}")  # fmt: skip


def load(url: str, source: Path, *, server: int) -> None:
    """Read a dump into an empty database: all of it, or nothing."""
    _run("pg_restore", server, url, "--no-owner", "--no-privileges", "--no-tablespaces", "--exit-on-error",
         "--single-transaction", str(source))  # fmt: skip


def table_of_contents(source: Path, server: int) -> None:
    """BackupError where pg_restore cannot read the dump. (It reads where everything is, not the rows.)"""
    _run("pg_restore", server, None, "--list", str(source))


def _run(name: str, server: int, url: str | None, *arguments: str) -> None:
    command, environment = [str(_program(name, server)), *arguments], dict(os.environ)
    if url is not None:
        given, rest = _environment(url)
        environment |= given
        command[1:1] = ["--no-password", f"--dbname={rest}"]
    environment |= {"LC_ALL": "C"}
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own program
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
        umask=0o077,
        check=False,
    )
    if done.returncode:
        raise BackupError(_what_it_says(name, done.stderr))


def _program(name: str, at_least: int) -> Path:
    """The program on the path, else where Debian keeps those of all versions: one that knows the server's version."""
    seen = []
    for program in _candidates(name):
        version = _version(program)
        if version >= at_least:
            return program
        seen.append(version)
    needed = f"version {at_least} eller nyere" if at_least else "som de fås"
    found = (
        f"{name} er version {max(seen)}, men databasen kræver mindst {at_least}"
        if seen
        else f"{name} mangler"
    )
    raise BackupError(
        f"{found}. Installer PostgreSQLs klientprogrammer, {needed}"
        f" (Debian: apt install postgresql-client-{at_least or '15'})."
    )


def _candidates(name: str) -> Iterator[Path]:
    on_path = shutil.which(name)
    if on_path is not None:
        yield Path(on_path)
    versions = [folder for folder in _DEBIAN.glob("*") if folder.name.isdigit()]
    for folder in sorted(versions, key=lambda each: int(each.name), reverse=True):
        if (folder / "bin" / name).is_file():
            yield folder / "bin" / name


def _version(program: Path) -> int:
    """0 where it does not say."""
    try:
        said = subprocess.run(  # noqa: S603 - PostgreSQL's own program
            [str(program), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = _VERSION.search(said)
    return int(found[1]) if found else 0


def _environment(url: str) -> tuple[dict[str, str], str]:
    """The address as the programs' environment, and what has no variable there, for the command line."""
    variables = {each.keyword.decode(): each.envvar for each in Conninfo.get_defaults()}
    given: dict[str, str] = {}
    rest: dict[str, str] = {}
    for keyword, value in conninfo_to_dict(url).items():
        variable = variables.get(keyword)
        if variable is not None:
            given[variable.decode()] = str(value)
        elif keyword in _SECRETS:
            raise BackupError(
                f"database.url har {keyword}, som ikke kan gives til pg_dump uden at andre kan læse det. "
                "Brug en nøglefil uden kodeord, som kun motorens bruger kan læse."
            )
        else:
            rest[keyword] = str(value)
    return given, make_conninfo(**rest)


def _what_it_says(name: str, errors: str) -> str:
    """The first line alone: those after it quote statements and rows."""
    if _NO_SPACE in errors:
        return f"{name}: der er ikke plads på disken; intet er ændret."
    lines = [line for line in errors.splitlines() if "error:" in line] or errors.splitlines() or ["intet"]
    return (
        f"{name} mislykkedes og siger: {lines[0].removeprefix(f'{name}: ').removeprefix('error: ').strip()}"
    )
