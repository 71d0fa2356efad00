"""What a person says to points of Kræver handling."""

from typing import TYPE_CHECKING, Any

from console.pages.form import FormPage, note_form
from console.pages.overview import todo_lines

if TYPE_CHECKING:
    from console.app import ConsoleApp
    from engine.desk.todo import TodoItem


def handled_form(app: "ConsoleApp", item: "TodoItem") -> FormPage[Any]:
    """It has been seen to. The engine says which points that ends."""

    def work(act: Any, desk: Any, note: str) -> "TodoItem":
        from engine.desk.todo import mark_handled

        return mark_handled(act, desk.settings, item.key, note)

    return note_form(
        "Overblik › Behandlet",
        "overblik",
        "Noten",
        work,
        lambda done: f"Behandlet: {done.what}",
        intro=todo_lines(item, app.clock.now()),
    )
