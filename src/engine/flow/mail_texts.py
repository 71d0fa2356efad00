"""The texts of all mails: Jinja2 templates in the package, each of which an administrator can replace in the home.

A template `<kind>.txt` begins with its subject, as "Emne: …" on the first line; `<kind>.html` is the same mail as HTML.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import structlog
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.domain.alarm import MailKind
from engine.local_time import date_text, planned_text

log = structlog.get_logger(__name__)

_SUBJECT = "Emne: "
_LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class MailText:
    """One mail's words. `fault` tells why the home's own template could not be used, where it could not."""

    subject: str
    text: str
    html: str
    fault: str | None = None


class MailTexts:
    """Writes mails; `own` is the folder with the home's own templates, which may lack any of them."""

    def __init__(self, own: Path | None = None) -> None:
        self._own = own
        self._environment = _packaged_texts() if own is None else _own_texts(own)

    def write(self, kind: MailKind, facts: Mapping[str, Any]) -> MailText:
        """The mail in the home's own words, or in the package's where those cannot be used: no mail is lost to a slip
        in a template.
        """
        try:
            return _write(self._environment, kind, facts)
        except (jinja2.TemplateError, ValueError, TypeError, OSError) as error:
            if self._own is None:
                raise
            fault = _told(error)
            log.warning("mail-template-broken", template=kind.value, error=fault)
            written = _write(_packaged_texts(), kind, facts)
            return MailText(written.subject, written.text, written.html, fault)


@cache
def _packaged_texts() -> jinja2.Environment:
    return _environment(jinja2.FunctionLoader(packaged_text))


def _own_texts(folder: Path) -> jinja2.Environment:
    """What is not in the folder is the package's: a template, or a part that several of them include."""
    return _environment(
        jinja2.ChoiceLoader([jinja2.FileSystemLoader([folder]), jinja2.FunctionLoader(packaged_text)])
    )


def _environment(loader: jinja2.BaseLoader) -> jinja2.Environment:
    # Sandboxed: who may write in the templates' folder may not run programs as the engine.
    environment = ImmutableSandboxedEnvironment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        autoescape=lambda name: name is not None and name.endswith(".html"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.filters["tid"] = _moment
    environment.filters["antal"] = _number
    environment.filters["varighed"] = _length
    return environment


def packaged_text(name: str) -> str | None:
    """The source of one of the package's own templates; None where there is none of that name."""
    try:
        return (resources.files("engine.data") / "mails" / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _write(environment: jinja2.Environment, kind: MailKind, facts: Mapping[str, Any]) -> MailText:
    text = environment.get_template(f"{kind.value}.txt").render(facts)
    first, _, rest = text.partition("\n")
    subject = " ".join(first.removeprefix(_SUBJECT).split())
    if not first.startswith(_SUBJECT) or not subject or len(subject) > _LONGEST_SUBJECT:
        raise ValueError(f'første linje skal være "{_SUBJECT}…" med højst {_LONGEST_SUBJECT} tegn')
    html = environment.get_template(f"{kind.value}.html").render({**facts, "emne": subject})
    return MailText(subject, rest.strip("\n") + "\n", html.strip("\n") + "\n")


def _moment(value: datetime | date) -> str:
    return planned_text(value) if isinstance(value, datetime) else date_text(value)


def _number(value: int) -> str:
    return f"{value:,}".replace(",", ".")


def _length(seconds: float) -> str:
    """A length of time in its two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} t {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _told(error: Exception) -> str:
    """What is wrong with a template, without what it was filled in with."""
    match error:
        case jinja2.TemplateSyntaxError():
            return f"linje {error.lineno}: {error.message}"
        case jinja2.UndefinedError():
            return f"ukendt felt: {error.message}"
        case OSError():
            return "filen kan ikke læses"
        case _:
            return str(error) if isinstance(error, ValueError) else type(error).__name__
