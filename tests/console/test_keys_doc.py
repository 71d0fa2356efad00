"""docs/taster.md has every page's keys as the program has them. `python -m tests.console.test_keys_doc` writes it."""

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import console.pages
from console.actions import ACTIONS, EVERYWHERE, VIEWS
from console.pages.page import Page

_PATH = Path(__file__).parents[2] / "docs" / "taster.md"
_VIEWS = {
    "Overview": "1 Overblik",
    "AdvisList": "2 Adviser",
    "PendingList": "3 Kvitteringer",
    "KommuneList": "4 Kommuner",
    "TemplateList": "5 Skabelon",
    "IncidentList": "6 Hændelser",
    "WherePage": "7 Fejlsøgning",
    "LogPage": "8 Log",
}
_OTHERS = {
    "AdvisPage": "Et advis",
    "MessagePage": "En besked",
    "CasePage": "En sag",
    "MailPage": "En mail",
    "KommunePageView": "En kommune",
    "SystemPage": "Et modtagersystem",
    "SwitchoverPage": "En omlægning",
    "ChecklistList": "En kommunes tjeklister",
    "ChecklistPage": "En tjekliste",
    "RequestKinds": "At anmode",
    "RequestPage": "En anmodning",
    "TemplatePage": "En kommunes skabelon",
    "IncidentPage": "En hændelse",
    "QuarantinePage": "Noget i karantæne",
    "KvitteringPage": "En kvittering uden advis",
    "TodoItemPage": "Et punkt, der kræver handling",
    "LogEntryPage": "En linje i loggen",
    "FormPage": "At udfylde",
    "ConfirmPage": "At bekræfte",
}


def pages() -> Iterator[type[Page[Any]]]:
    """Every kind of page there is."""
    for module in pkgutil.iter_modules(console.pages.__path__):
        importlib.import_module(f"console.pages.{module.name}")
    waiting: list[type[Page[Any]]] = [Page]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.HAS:
            yield kind


def document() -> str:
    kinds = {kind.__name__: kind for kind in pages()}
    lines = [
        "# Konsollens taster",
        "",
        "De samme taster står nederst på skærmen, og `?` viser dem på hver side. `:` finder enhver handling og enhver",
        "kommune ved navn. En handling, din rolle ikke må, er dæmpet; trykker du alligevel, står der hvorfor.",
        "",
        "## Overalt",
        "",
        *_table([id_ for id_ in EVERYWHERE if not id_.startswith("vis.")]),
        "",
        f"`1` til `{len(VIEWS)}` viser siderne. Pilene, `j` og `k`, PgUp og PgDn, Home og End flytter; enter og",
        "dobbeltklik åbner; tab går til næste felt eller rude. Musen virker alle steder.",
    ]
    for name, heading in {**_VIEWS, **_OTHERS}.items():
        lines += ["", f"## {heading}", "", kinds[name].ABOUT, "", *_table(kinds[name].HAS)]
    return "\n".join(lines) + "\n"


def _table(ids: Sequence[str]) -> list[str]:
    rows = [f"| `{ACTIONS[id_].shown}` | {ACTIONS[id_].label} | {ACTIONS[id_].help} |" for id_ in ids]
    return ["| tast | handling | hvad den gør |", "|---|---|---|", *rows]


def test_every_kind_of_page_is_in_it() -> None:
    assert {kind.__name__ for kind in pages()} == {*_VIEWS, *_OTHERS}


def test_the_keys_are_as_it_says() -> None:
    assert _PATH.read_text(encoding="utf-8") == document(), "run python -m tests.console.test_keys_doc"


if __name__ == "__main__":
    _PATH.write_text(document(), encoding="utf-8")
