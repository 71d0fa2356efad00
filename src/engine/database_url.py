"""Where a home's database is, told without reading all of the settings: a look-up should start fast."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from engine.errors import SettingsError, os_reason

DATABASE_VARIABLE = "SUNDHEDSAGENT_DATABASE__URL"
_SCHEMES = ("postgresql://", "postgres://")


def database_url(settings_file: Path) -> str:
    """The address of the PostgreSQL database, as libpq takes it; empty: the home's own SQLite file.

    SettingsError where the file cannot be read, or the address is none.
    """
    if DATABASE_VARIABLE in os.environ:
        url, where = os.environ[DATABASE_VARIABLE], f"Miljøvariablen {DATABASE_VARIABLE}"
    else:
        section = read_toml(settings_file).get("database", {})
        url, where = (
            section.get("url", "") if isinstance(section, dict) else "",
            f"{settings_file}: database.url",
        )
    try:
        return checked_url(url)
    except SettingsError as error:
        raise SettingsError(f"{where} {error}") from error


def checked_url(url: object) -> str:
    """The address without blanks around it; SettingsError, as the end of a sentence, where it is none."""
    if not isinstance(url, str) or (url.strip() and not url.strip().startswith(_SCHEMES)):
        raise SettingsError(
            'skal være tom eller en adresse som "postgresql://bruger@server:5432/sundhedsagent"'
        )
    return url.strip()


def without_password(url: str) -> str:
    """The address as people may read it: without password and parameters."""
    if not url:
        return url
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    user = user.partition(":")[0]
    return urlunsplit((parts.scheme, f"{user}@{host}" if user else host, parts.path, "", ""))


def read_toml(settings_file: Path) -> dict[str, Any]:
    """What the settings file says; SettingsError where it cannot be read."""
    try:
        return tomllib.loads(settings_file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(
            f"{settings_file} findes ikke. Opret en hjemmemappe med: sundhedsagent init MAPPE"
        ) from error
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"at line (\d+), column (\d+)", str(error))
        place = f"linje {where[1]}, kolonne {where[2]}" if where else "filens slutning"
        raise SettingsError(f"{settings_file} er ikke gyldig TOML: fejl ved {place}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{settings_file} er ikke gemt som UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise SettingsError(f"{settings_file} kan ikke læses: {os_reason(error)}") from error
