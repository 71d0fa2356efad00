"""Which page a point of Kræver handling opens."""

from typing import TYPE_CHECKING, Any

from textual.screen import Screen

if TYPE_CHECKING:
    from console.app import ConsoleApp
    from engine.desk.todo import TodoItem


def page_of(item: "TodoItem", app: "ConsoleApp") -> Screen[Any] | None:
    """The page; None where the view itself tells all there is."""
    kind, _, rest = item.key.partition(":")
    first = rest.partition(":")[0]
    match kind:
        case "sag":
            from console.pages.case import CasePage

            return CasePage(int(first), view="overblik")
        case "negativ":
            from console.pages.advis import AdvisPage

            return AdvisPage(int(first), view="overblik")
        case "hændelse" | "trin":
            from console.pages.incident import IncidentPage

            return IncidentPage(int(first), view="overblik")
        case "anmodning":
            from console.pages.request import RequestPage

            return RequestPage(int(first), view="overblik")
        case "karantæne":
            from console.pages.quarantine import QuarantinePage

            return QuarantinePage(int(first))
        case "uafklaret":
            from console.pages.kvittering import KvitteringPage

            return KvitteringPage(int(first))
        case "mail":
            from console.pages.mail import MailPage

            return MailPage(int(first), view="overblik")
        case _:
            from console.pages.todo_item import TodoItemPage

            return TodoItemPage(item)
