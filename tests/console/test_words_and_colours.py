"""Every action can be found and has its words; every tone can be read; nothing on any screen is English."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from screenshots.person import Person, at_work, opened
from screenshots.scenes import Scene

from console.actions import ACTIONS, EVERYWHERE, VIEWS
from console.app import ConsoleApp
from console.pages.form import FormPage
from console.pages.page import Page
from console.theme import PALETTES, Palette
from engine.home import Home

_ENGLISH = re.compile(
    r"\b(the|and|with|this|that|from|search|select|quit|close|found|matches|failed|loading|cancel|submit|required|"
    r"invalid|keys|screen|hide|toggle|theme|copy|paste|delete|undo|must|should|please|none|true|false|unknown|pending|"
    r"received|published|acknowledged|answered|refused|overdue|proposed|declared|next|previous|page|focus|press|"
    r"primary|receiver|incident step|open|done|skipped|warning|enter a|value|of|is|are|not|was|by)\b",
    re.IGNORECASE,
)
_NAMES_OF_OTHERS = re.compile(r"(Major|MAJOR) (incident|INCIDENT)s?|sundhedsagent [a-z -]+", re.IGNORECASE)


def english_in(screen: str) -> list[str]:
    """English words of a screen; official names are no English."""
    return _ENGLISH.findall(_NAMES_OF_OTHERS.sub("", screen))


def pages() -> Iterator[type[Page[Any]]]:
    """Every kind of page there is."""
    waiting: list[type[Page[Any]]] = [Page]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.HAS:
            yield kind


def test_every_action_has_its_words_and_a_page_that_does_it() -> None:
    import importlib
    import pkgutil

    import console.pages

    for module in pkgutil.iter_modules(console.pages.__path__):
        importlib.import_module(f"console.pages.{module.name}")
    had = set(EVERYWHERE)
    for page in pages():
        had |= set(page.HAS)
        assert page.ABOUT, page
        for id_ in page.HAS:
            method = ACTIONS[id_].method
            assert hasattr(page, method) or hasattr(ConsoleApp, method) or not ACTIONS[id_].keys, (page, id_)
        keys = [key for id_ in (*page.HAS, *EVERYWHERE) for key in ACTIONS[id_].keys.split(",") if key]
        assert len(keys) == len(set(keys)), (
            f"two actions of {page.__name__} have the same key: {sorted(keys)}"
        )
    assert had == set(ACTIONS)
    for action in ACTIONS.values():
        assert action.label
        assert action.help.endswith((".", "?"))


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_every_tone_can_be_read_on_every_ground(palette: Palette) -> None:
    for ground in (palette.ground, palette.bar, palette.cursor, palette.cursor_away):
        for tone, colour in palette.tones.items():
            assert contrast(colour, ground) >= 4.5, (tone, colour, ground)
    assert contrast(palette.alarm_text, palette.alarm_ground) >= 4.5


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast of two colours."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_search_for_english_finds_some() -> None:
    assert english_in("Press enter to select the next page")
    assert english_in("Alt går, som det skal") == []


# From where one can get with a few keys: every kind of page, and every form.
_TOURS = {
    Scene.OVERDUE: (
        ("1",),
        ("2", "enter"),
        ("2", "slash"),
        ("2", "a"),
        ("3", "enter"),
        ("3", "v"),
        ("3", "v"),
        ("3", "enter", "m"),
        ("3", "t"),
        ("4",),
        *(
            (*_glostrup, key)
            for _glostrup in [("colon", *"glostrup", "enter", "down")]
            for key in "pneudcwta"
        ),
        ("colon", *"glostrup", "enter"),
        (*("colon", *"glostrup", "enter"), "enter"),
        (*("colon", *"glostrup", "enter"), "a", "enter"),
        (*("colon", *"glostrup", "enter"), "b", "e"),
        ("colon", *"ballerup", "enter", "enter"),
        ("colon", *"albertslund", "enter", "n"),
        ("5",),
        ("5", "enter"),
        ("6",),
        ("6", "n"),
        ("7",),
        ("7", "f2"),
        ("8",),
        ("8", "v"),
        ("1", "b"),
        ("1", "enter"),
    ),
    Scene.INCIDENT: (
        ("1",),
        ("6",),
        ("6", "enter"),
        ("6", "enter", "t"),
        ("6", "enter", "u"),
        ("6", "enter", "l"),
        ("2", "o"),
    ),
    Scene.EMPTY: (("1",), ("2",), ("3",), ("4", "enter"), ("5", "enter"), ("6",), ("8",)),
}


_SEEN = {
    Scene.OVERDUE: {
        "AdvisList",
        "AdvisPage",
        "CasePage",
        "ChecklistList",
        "FormPage",
        "IncidentList",
        "KommuneList",
        "KommunePageView",
        "LogPage",
        "MailPage",
        "Overview",
        "PendingList",
        "RequestPage",
        "SystemPage",
        "TemplateList",
        "TemplatePage",
        "WherePage",
    },
    Scene.INCIDENT: {"IncidentPage", "IncidentList", "FormPage", "Overview", "AdvisList"},
    Scene.EMPTY: {"Overview", "KommunePageView", "TemplatePage"},
}


@pytest.mark.parametrize("scene", _TOURS)
async def test_nothing_on_any_screen_is_english(scene: Scene, scene_path: Callable[[Scene], Path]) -> None:
    home = Home(scene_path(scene))
    with at_work():
        async with opened(home, size=(120, 44), scene=scene) as person:
            seen: set[type] = set()
            for tour in _TOURS[scene]:
                await person.presses(*tour)
                assert english_in(person.screen) == [], person.screen
                kind = type(person.app.screen)
                if kind not in seen and not issubclass(kind, FormPage):
                    await person.presses("question_mark")
                    assert english_in(person.screen) == [], person.screen
                seen.add(kind)
                await _go_home(person)
    assert {kind.__name__ for kind in seen} >= _SEEN[scene]


async def _go_home(person: Person) -> None:
    """Back to where each tour begins, whatever is open."""
    while len(person.app.screen_stack) > 1:
        person.app.pop_screen()
    for view in VIEWS:
        if view in person.app._screen_stacks and view != person.app.current_mode:
            del person.app._screen_stacks[view][1:]
    person.app.go("overblik")
    await person.settled()
