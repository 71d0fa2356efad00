"""Anmodninger: a kommune asks for 3.1, 3.2 or 3.3; an administrator carries it out or returns it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from textual.widget import Widget

from console.link import Door
from console.pages.form import Field, Form, FormPage, Values, note_form
from console.pages.kommune_forms import YES_NO
from console.pages.page import Page
from console.pages.sheet_page import SheetPage
from console.widgets.live_table import Column, LiveTable
from console.widgets.spans import BLANK, Line, fact, heading, line
from engine.domain.procedure import RequestState
from engine.domain.registration import begun, checked_email, checked_name, checked_uuid
from engine.local_time import exact_moment, planned_text

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.kommune_state import KommunePage
    from engine.desk.office import Visit
    from engine.desk.requests import Accepted, Request


class RequestPage(SheetPage["Request"]):
    """One anmodning with its fields."""

    ABOUT = (
        "En anmodning fra en kommune. Imødekom udfører den efter de samme regler, som hvis en "
        "administrator selv gjorde det; "
        "send tilbage giver kommunen en begrundelse."
    )
    HAS = ("anmodning.imoedekom", "anmodning.send-tilbage", "kopier")

    def __init__(self, request_id: int, *, view: str) -> None:
        super().__init__(view=view)
        self._number = request_id

    def crumbs(self) -> str:
        name = f"{self.data.kommune_name} › " if self.data else ""
        return f"Kommuner › {name}Anmodning {self._number}"

    def kommune_code(self) -> str | None:
        return self.data.kommune if self.data else None

    def fetch(self, visit: "Visit", desk: "Desk") -> "Request":
        from engine.desk.requests import show_request

        found = show_request(visit.conn, self._number)
        visit.kommune(found.kommune)
        return found

    def lines(self, data: "Request", now: datetime) -> Sequence[Line]:
        from engine.desk.requests import FIELD_WORDS

        lines = [
            line((f"Anmodning om {_TITLES.get(data.kind, data.kind)}", "strong")),
            fact("Kommune", f"{data.kommune_name} ({data.kommune})"),
            fact("Tilstand", data.state.danish, "warn" if data.state is RequestState.HANDED_IN else "ok"),
            fact("Indsendt", f"{planned_text(data.handed_in_at)} af {data.handed_in_by}"),
        ]
        if data.decided_at is not None:
            lines.append(fact("Afgjort", f"{planned_text(data.decided_at)} af {data.decided_by}"))
        if data.reason:
            lines.append(fact("Begrundelse", data.reason))
        lines += [BLANK, heading("Det, der er bedt om")]
        lines += [
            line((f"{begun(FIELD_WORDS[name])}: ", "dim"), value, indent=2)
            for name, value in data.fields.items()
        ]
        return lines

    def off(self, action: Any) -> str | None:
        if (
            action.id.startswith("anmodning.")
            and self.data is not None
            and self.data.state is not RequestState.HANDED_IN
        ):
            return f"Anmodningen er allerede {self.data.state.danish}."
        return None

    def do_imoedekom(self) -> None:
        assert self.data is not None
        found = self.data

        def work(act: Any, desk: Any, values: Values) -> "Accepted":
            from engine.desk.requests import accept_request

            return accept_request(act, found.id, seen=found.version)

        def outside(done: "Accepted", desk: "Desk") -> None:
            if done.system_uuid is not None:
                desk.home.make_dueslag(done.system_uuid)

        self.console_app.open(
            FormPage(
                Form(
                    title=f"{self.crumbs()} › Imødekom",
                    view=self.view,
                    fields=[],
                    door=Door.ADMINISTERING,
                    work=work,
                    done=lambda done: done.sentence,
                    outside=outside,
                    told=lambda _: [
                        f"Anmodningen om {_TITLES.get(found.kind, found.kind)} i {found.kommune_name} udføres nu.",
                        *(f"{name}: {value}" for name, value in _in_words(found).items()),
                    ],
                    save="imødekom",
                )
            )
        )

    def do_send_tilbage(self) -> None:
        assert self.data is not None
        found = self.data

        def work(act: Any, desk: Any, reason: str) -> "Request":
            from engine.desk.requests import return_request

            return return_request(act, found.id, reason, seen=found.version)

        self.console_app.open(
            note_form(
                f"{self.crumbs()} › Send tilbage",
                self.view,
                "Begrundelsen",
                work,
                lambda done: f"Anmodning {done.id} er sendt tilbage til {done.kommune_name}.",
                help="Hvad skal rettes?",
                door=Door.ADMINISTERING,
                save="send tilbage",
            )
        )


_TITLES = {
    "3.1": "3.1: et nyt kvitterende modtagersystem",
    "3.2": "3.2: at fjerne et modtagersystem",
    "3.3": "3.3: at udskifte det primære modtagersystem",
}


def _in_words(found: "Request") -> dict[str, str]:
    from engine.desk.requests import FIELD_WORDS

    return {begun(FIELD_WORDS[name]): value for name, value in found.fields.items()}


class RequestKinds(Page[None]):
    """What can be asked for."""

    view = "kommuner"
    ABOUT = (
        "Vælg, hvad kommunen vil anmode om. En administrator udfører det eller sender det "
        "tilbage med en begrundelse."
    )
    HAS = ("aabn",)

    def __init__(self, page: "KommunePage") -> None:
        super().__init__()
        self._page = page

    def crumbs(self) -> str:
        return f"Kommuner › {self._page.view.name} › Anmod"

    def content(self) -> Iterable[Widget]:
        yield LiveTable([Column("Anmod om", lambda row: (row[1], ""), 30, share=1)], id="kinds")

    def on_mount(self) -> None:
        table = self.query_one(LiveTable)
        table.show_list(list(_TITLES.items()), lambda row: row[0])
        table.focus()

    def fetch(self, visit: "Visit", desk: "Desk") -> None:
        return None

    def on_live_table_opened(self, event: "LiveTable.Opened") -> None:
        self.console_app.pop_screen()
        self.console_app.open(hand_in_form(self._page, event.row[0]))


def hand_in_form(page: "KommunePage", kind: str) -> FormPage[Any]:
    """The handbook's fields of one procedure."""
    kommune = page.view

    def work(act: Any, desk: Any, values: Values) -> "Request":
        from engine.desk.requests import hand_in

        return hand_in(act, kommune.code, kind, _fields_of(page, kind, values))

    return FormPage(
        Form(
            title=f"Kommuner › {kommune.name} › Anmod om {kind}",
            view="kommuner",
            fields=_asked(page, kind),
            door=Door.FILLING_IN,
            kommune=kommune.code,
            work=work,
            done=lambda done: (
                f"Anmodning {done.id} om {done.kind} er indsendt. En administrator tager den derfra."
            ),
            told=lambda _: [
                f"{kommune.name} anmoder om {_TITLES[kind]}. Intet ændres, før en administrator imødekommer."
            ],
            save="indsend",
        )
    )


def _asked(page: "KommunePage", kind: str) -> list[Field]:
    others = [item.found for item in page.receivers if not item.found.is_primary]
    names = [(item.facts.uuid, item.facts.name) for item in others]
    first = names[0][0] if names else ""
    if kind == "3.1":
        return [
            Field(
                "name", "Systemets navn i ADM", check=lambda text: checked_name(text, "navnet"), needed=True
            ),
            Field("uuid", "Systemets UUID i ADM", check=checked_uuid, needed=True),
            Field("vendor", "Leverandør i ADM", needed=True),
            Field(
                "vendor_email",
                "Leverandørens e-mail",
                check=lambda text: checked_email(text, "adressen"),
                needed=True,
            ),
            Field("area", "Forvaltningsområde", needed=True),
            Field("agreed_by", "Aftalt af", needed=True),
            Field("only_kvittering", "Kun MedComKvittering", "nej", choices=YES_NO),
        ]
    if kind == "3.2":
        return [Field("receiver", "System", first, choices=names, needed=True)]
    return [
        Field("receiver", "Nyt primært system", first, choices=names, needed=True),
        Field(
            "at",
            "Dato og tidspunkt",
            "",
            "fx 2026-12-01 10:00",
            lambda text: exact_moment(text, "tidspunktet"),
            needed=True,
        ),
    ]


def _fields_of(page: "KommunePage", kind: str, values: Values) -> dict[str, str]:
    if kind == "3.1":
        return {name: value for name, value in values.items() if (name, value) != ("only_kvittering", "nej")}
    chosen = next(
        (item.found.facts for item in page.receivers if item.found.facts.uuid == values["receiver"]), None
    )
    name, uuid = (chosen.name, chosen.uuid) if chosen else ("", "")
    if kind == "3.2":
        return {"name": name, "uuid": uuid}
    primary = next(item.found.facts for item in page.receivers if item.found.is_primary)
    return {
        "old_name": primary.name,
        "old_uuid": primary.uuid,
        "new_name": name,
        "new_uuid": uuid,
        "at": values["at"],
    }
