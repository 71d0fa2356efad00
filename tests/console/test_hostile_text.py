"""Text from outside changes nothing on the screen but itself: no markup, no escapes, no turned writing, no moved cells.

Every text of a database is put in the place of a hostile one, and in another copy of a tame one that takes the same
cells. Then each page is drawn from both, and must be the same in every cell where the tame text does not stand.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from screenshots.person import Person, at_work, opened
from screenshots.scenes import Scene
from sqlalchemy import Text

from console.danish import printable
from engine.home import Home
from engine.store import tables

_TAME = "Ж"  # stands nowhere else

HOSTILE = (
    "[bold red on white]Vred[/] [@click=app.quit]her[/] [link=https://x.example]x[/link] {x} $x %s &lt; \\[x]",
    "a\x1b[2J\x1b[31mrød\x1b]0;titel\x07\x1bP+q\x1b\\\x9b2Jb\x08\x08\x00\x7f\x85c\t\x0bd",
    "admin\u202egnirtseb\u202c \u2066skjult\u2069 \u200f\u200eשלום עולם مرحبا\u061c",
    "a\u200bb\u200dc\ufeffd\u2060e\u00adf\u180eg\U000e0041h\ufff9i\xa0j",
    "A\u030arhus Ko\u0308ge cafe\u0301 日本語テキスト 👩‍👩‍👧 🇩🇰 e\u0335\u0336\u0337\u0338 ﷽ ǅ",
    "Endeløst" * 300 + " " + "ord " * 300,
)

# Texts that the program finds rows by, or that are no text but JSON; and those that come with it.
_KEYS = {
    "bundle_seen.bundle_id",
    "bundle_seen.message_id",
    "envelope_in.delivery_key",
    "envelope_out.claimed_by",
    "handled.subject",
    "kommune.epj",
    "kommune.name",
    "kommune.region",
    "kvittering.besked_id",
    "kvittering.delivery_key",
    "mail.order_key",
    "procedure.subject",
    "quarantine.delivery_key",
    "role_grant.granted_by",
    "role_grant.identity",
    "timekeeping.boot",
    "unit.sor",
}
_JSON = {
    "advis.episodes",
    "advis.findings",
    "audit.after",
    "audit.before",
    "event.data",
    "noted_receiver.agreement_dates",
    "receiver.agreement_dates",
    "receiver.overview_emails",
    "request.fields",
}
_NO_TEXT = {"agreement", "at", "case", "certification", "code", "codes", "due", "kind", "late", "next"}


def poison(home: Home, texts: Sequence[str]) -> None:
    """Put one of `texts` in the place of every text there is; in front stands what it is sorted by."""
    with sqlite3.connect(home.database_file) as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        for table in tables.metadata.sorted_tables:
            for column in table.c:
                name = f"{table.name}.{column.name}"
                if type(column.type) is not Text or name in _KEYS:
                    continue
                rows = db.execute(f'SELECT rowid, "{column.name}" FROM "{table.name}"').fetchall()
                for rowid, old in rows:
                    if old:
                        text = f"{rowid:03} {texts[rowid % len(texts)]}"
                        new = _poisoned(old, text) if name in _JSON else text
                        db.execute(
                            f'UPDATE OR IGNORE "{table.name}" SET "{column.name}" = ? WHERE rowid = ?',
                            (new, rowid),
                        )
    db.close()


def _poisoned(data: str, text: str) -> str:
    found = json.loads(data)
    if isinstance(found, dict):
        found = {
            key: text if isinstance(value, str) and value and key not in _NO_TEXT else value
            for key, value in found.items()
        }
    return json.dumps(found)


def tame(text: str) -> str:
    """As many cells, and blanks where the hostile one is shown with blanks."""
    return "".join(" " if char == " " else _TAME * cell_len(char) for char in printable(text))


TOURS = {
    Scene.OVERDUE: (
        "1", "2", "2 down enter", "2 enter m", "3", "3 v", "3 v v", "3 enter", "3 enter m", "3 t",
        "4", "4 / enter", "4 / enter c", "4 / enter e", "4 / enter t", "5", "5 enter", "5 enter down e", "7", "8",
        "8 enter", "8 v", "8 v enter", "question_mark", "colon",
    ),
    Scene.INCIDENT: ("1", "6", "6 enter", "6 enter u", "8"),
}  # fmt: skip


@pytest.mark.parametrize("scene", TOURS)
async def test_text_from_outside_changes_only_itself(
    scene: Scene, scene_home: Callable[[Scene], Home], tmp_path: Path
) -> None:
    drawn: list[dict[str, list[list[Cell]]]] = []
    for texts in (HOSTILE, [tame(text) for text in HOSTILE]):
        home = scene_home(scene)
        poison(home, texts)
        with at_work():
            async with opened(home, size=(120, 34), scene=scene) as person:
                drawn.append({tour: await visited(person, tour) for tour in TOURS[scene]})
        home.path.rename(tmp_path / f"done-{len(drawn)}")
    hostile, harmless = drawn
    assert any(cell[0] == _TAME for grid in harmless.values() for line in grid for cell in line)
    for tour in TOURS[scene]:
        differs = [
            (y, x, one, other)
            for y, (line, twin) in enumerate(zip(hostile[tour], harmless[tour], strict=True))
            for x, (one, other) in enumerate(zip(line, twin, strict=True))
            if one != other and (other[0] != _TAME or one[1] != other[1])
        ]
        assert not differs, f"{tour}: {differs[:5]}\n{_lines(hostile[tour])}\n{_lines(harmless[tour])}"


Cell = tuple[str, Any]  # a character and its style


async def visited(person: Person, tour: str) -> list[list[Cell]]:
    """Go there by keys, and back again without any; what was drawn."""
    for key in tour.split():
        if key == "/":
            await person.presses("slash")
            await person.types("kommune:glostrup")
            await person.presses("enter")
        else:
            await person.presses(key)
    grid = [list(line) for line in cells_of(person)]
    while len(person.app.screen_stack) > 1:
        person.app.pop_screen()
    await person.settled()
    return grid


def cells_of(person: Person) -> Iterator[Iterator[Cell]]:
    """What is written to the terminal, cell by cell; nothing in it may act on the terminal."""
    width, height = person.app.size
    update = person.app.screen._compositor.render_update(full=True)
    strips = update.strips  # type: ignore[union-attr]
    assert len(strips) == height
    for strips_of_line in strips:
        line = [segment for strip in strips_of_line for segment in strip]
        for segment in line:
            assert segment.control is None
            assert segment.text.isprintable(), segment.text
        assert sum(cell_len(segment.text) for segment in line) == width
        yield _cells(line)


def _cells(line: Iterable[Segment]) -> Iterator[Cell]:
    """A wide character and what it covers count as two; what takes no cell of its own does not count."""
    for segment in line:
        for char in segment.text:
            for _ in range(get_character_cell_size(char)):
                yield char, segment.style


def _lines(grid: list[list[Cell]]) -> str:
    return "\n".join("".join(char for char, _ in line) for line in grid)


def test_every_text_of_the_database_is_taken_up() -> None:
    texts = {
        f"{table.name}.{column.name}"
        for table in tables.metadata.sorted_tables
        for column in table.c
        if type(column.type) is Text
    }
    assert texts >= _KEYS
    assert texts >= _JSON
