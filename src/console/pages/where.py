"""7 Fejlsøgning: «Er mit advis kommet?» One question after the other, and at the end what to say and whom to call."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input

from console.danish import folded, short_name
from console.model import Need
from console.pages.advis import event_line
from console.pages.advis_list import filter_of
from console.pages.form import Choice, Label
from console.pages.page import Page
from console.widgets.sheet import Sheet
from console.widgets.spans import BLANK, Line, fit, heading, line
from console.widgets.text_line import TextLine
from engine.errors import RuleError, SundhedsagentError
from engine.local_time import planned_text

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.look_up import TraceLine
    from engine.desk.office import Visit
    from engine.desk.where import Whereabouts

_ASKERS = (("kommune", "kommune"), ("leverandør", "leverandør"))
_QUESTIONS = (
    ("kommune", "2 Hvilken kommune?", "navn eller kode"),
    ("system", "3 Hvilket system?", "det system, hvor adviset mangler"),
    ("id", "4 Hvilket advis?", "MessageHeader.id, BeskedId eller nummer"),
    ("cpr", "  eller borgerens CPR", "10 cifre; kræver en begrundelse"),
    ("reason", "  begrundelse", "hvorfor du søger på CPR; det noteres"),
    ("fra", "  eller fra", "fx 2026-12-01 10:00"),
    ("til", "  til", "fx 2026-12-01 12:00"),
)
_MOST_FOUND = 200


class WherePage(Page[None]):
    """The handbook's section 5.1."""

    view = "fejlsoegning"
    NEED: ClassVar[Need] = Need.READ_ALL
    ABOUT = (
        "«Er mit advis kommet?» Svar på spørgsmålene fra oven; enter går videre, og F2 finder "
        "svaret. Svaret siger, hvad vi ved, "
        "hvad du skal sige, og hvem der skal ringes til. Søges der på CPR, noteres det i revisionsloggen."
    )
    HAS = ("fejl.find", "fejl.forfra", "form.naeste", "kopier", "eksporter")

    DEFAULT_CSS = """
    WherePage #questions { height: auto; max-height: 9; padding: 0 1; }
    WherePage .row { height: 1; }
    WherePage .row Label { width: 25; }
    WherePage #answer { height: 1fr; border-top: solid $border; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._values = {"asker": "leverandør", **{name: "" for name, _, _ in _QUESTIONS}}
        self._kommuner: dict[str, str] = {}
        self._systems: dict[str, list[str]] = {}
        self._found: Whereabouts | None = None

    def content(self) -> Iterable[Widget]:
        yield VerticalScroll(_Questions(), id="questions", can_focus=False)
        yield Sheet(_GUIDE, id="answer")

    def on_mount(self) -> None:
        self.query_one(Choice).focus()

    def fetch(self, visit: "Visit", desk: "Desk") -> None:
        return None

    @on(Choice.Changed)
    def _asker(self, event: Choice.Changed) -> None:
        self._values["asker"] = event.choice.value
        self._hint()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._values[(event.input.id or "").removeprefix("f-")] = event.value
        if event.input.id in {"f-kommune", "f-system"}:
            self.console_app.work(self._suggest(), group="suggest")

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        inputs = list(self.query(Input))
        is_kommune = self._values["asker"] == "kommune"
        if event.input is inputs[-1] or (is_kommune and event.input.id == "f-system"):
            self.do_find()
        else:
            self.focus_next()

    async def _suggest(self) -> None:
        """The kommuner and systems that begin so: to be seen while one types."""

        def read(visit: "Visit", desk: "Desk") -> tuple[dict[str, str], list[str]]:
            from engine.desk.stream import kommune_names
            from engine.desk.systems import list_systems

            names = kommune_names(visit.conn)
            found = _matching(names, self._values["kommune"])
            systems = [item.name for item in list_systems(visit.conn, found[0])] if len(found) == 1 else []
            return names, systems

        try:
            names, systems = await self.console_app.link.read(read)
        except SundhedsagentError:
            return
        found = _matching(names, self._values["kommune"])
        self._kommuner = {code: names[code] for code in found}
        self._systems = {found[0]: systems} if len(found) == 1 else {}
        self._hint()

    def _hint(self) -> None:
        lines = list(_GUIDE)
        if self._values["kommune"].strip():
            shown = ", ".join(
                f"{short_name(name)} ({code})" for code, name in list(self._kommuner.items())[:6]
            )
            lines += [BLANK, line(("Kommune: ", "dim"), shown or "ingen begynder sådan")]
        for systems in self._systems.values():
            lines.append(
                line(("Systemer: ", "dim"), ", ".join(systems) or "ingen; kommunen er ikke tilsluttet")
            )
        self.query_one("#answer", Sheet).show(lines)

    # --- the answer ---------------------------------------------------------------------------------------------------

    def do_find(self) -> None:
        self.console_app.work(self._find(), group="find")

    async def _find(self) -> None:
        values = dict(self._values)
        link = self.console_app.link
        try:
            if values["cpr"].strip() and values["asker"] == "leverandør":
                from console.link import Door

                answer, trace = await link.do(Door.SERVING, lambda act, desk: _by_person(act, desk, values))
            else:
                answer, trace = await link.read(lambda visit, desk: _answer(visit, desk, values))
        except SundhedsagentError as error:
            from console.danish import for_screen

            told = [
                line(("▲ Det kan ikke slås op:", "alarm")),
                *(line(part) for part in for_screen(str(error)).split("\n")),
            ]
            self.query_one("#answer", Sheet).show(told)
            return
        self._found = answer
        sheet = self.query_one("#answer", Sheet)
        sheet.show(_lines(answer, trace))
        sheet.focus()

    def do_forfra(self) -> None:
        for field in self.query(Input):
            field.value = ""
        self._found = None
        self.query_one("#answer", Sheet).show(_GUIDE)
        self.query_one(Choice).focus()

    def do_tilbage(self) -> None:
        if isinstance(self.focused, Sheet):
            self.query_one(Choice).focus()
        else:
            super().do_tilbage()

    @on(Sheet.Opened)
    def _followed(self, event: Sheet.Opened) -> None:
        from console.pages.advis import AdvisPage
        from console.pages.case import CasePage

        kind, _, number = event.link.partition(" ")
        page = (
            AdvisPage(int(number), view=self.view)
            if kind == "advis"
            else CasePage(int(number), view=self.view)
        )
        self.console_app.open(page)

    def do_kopier(self) -> None:
        if self._found is None:
            self.console_app.say("Find først svaret med F2.", "warn")
            return
        found = self._found
        text = "\n".join(
            filter(None, (found.say, found.handed_on, *(contact.shown for contact in found.call)))
        )
        self.console_app.copy(text, "hvad der skal siges, og hvem der skal ringes til")

    def do_eksporter(self) -> None:
        text = self.query_one("#answer", Sheet).text
        self.console_app.save("fejlsoegning.txt", (text + "\n").encode())


class _Questions(Vertical):
    DEFAULT_CSS = "_Questions { height: auto; }"

    def compose(self) -> ComposeResult:
        yield Horizontal(
            _label("1 Hvem spørger?"), Choice(_ASKERS, "leverandør", id="f-asker"), classes="row"
        )
        for name, label, hint in _QUESTIONS:
            field = TextLine(placeholder=hint, id=f"f-{name}", password=name == "cpr")
            field.cursor_blink = False
            yield Horizontal(_label(label), field, classes="row")


def _label(text: str) -> Label:
    return Label(((fit(text, 24), "dim"),))


_GUIDE: Sequence[Line] = (
    line(
        ("En kommune, der savner adviser i et system, sendes altid videre til systemets leverandør.", "dim")
    ),
    line(
        (
            "En leverandør får at vide, hvad vi har: modtaget, fordelt, kvitteret, og om en hændelse er åben.",
            "dim",
        )
    ),
    line(("F2 finder svaret.", "dim")),
)


def _matching(names: dict[str, str], text: str) -> list[str]:
    wish = folded(text)
    if not wish:
        return []
    exact = [code for code, name in names.items() if wish in {code, folded(name), folded(short_name(name))}]
    return exact or [
        code for code, name in names.items() if folded(name).startswith(wish) or code.startswith(wish)
    ]


def _answer(
    visit: "Visit", desk: "Desk", values: dict[str, str]
) -> "tuple[Whereabouts, Sequence[TraceLine]]":
    from dataclasses import replace

    from console.filters import Term
    from engine.desk.look_up import list_advis, trace_advis
    from engine.desk.registry import KommuneName
    from engine.desk.stream import kommune_names
    from engine.desk.where import for_kommune, for_vendor

    names = kommune_names(visit.conn)
    codes = _matching(names, values["kommune"])
    if len(codes) != 1:
        raise RuleError(
            "Skriv, hvilken kommune det er, så kun én passer." if codes else "Ingen kommune hedder sådan."
        )
    kommune = KommuneName(codes[0], names[codes[0]])
    system = _system_named(visit, kommune.code, values["system"])
    if values["asker"] == "kommune":
        return for_kommune(visit.conn, desk.settings, kommune, system), ()
    if system is None:
        raise RuleError("Skriv, hvilket system adviset mangler i.")
    terms = [Term(values["id"].strip())] if values["id"].strip() else []
    terms += [Term(values[name].strip(), name) for name in ("fra", "til") if values[name].strip()]
    if not terms:
        raise RuleError("Skriv noget, adviset kan kendes på: et id, borgerens CPR eller et tidsrum.")
    try:
        wanted, _ = filter_of(terms, visit)
    except ValueError as error:
        raise RuleError(str(error)) from error
    found = list_advis(visit.conn, replace(wanted, limit=_MOST_FOUND))
    answer = for_vendor(visit.conn, desk.settings, kommune, system, found)
    return answer, trace_advis(visit.conn, str(answer.adviser[0].id)) if len(answer.adviser) == 1 else ()


def _by_person(
    act: object, desk: "Desk", values: dict[str, str]
) -> "tuple[Whereabouts, Sequence[TraceLine]]":
    """By the citizen's CPR number: with a reason, and never without a trace."""
    from engine.desk.access import caller_of
    from engine.desk.act import Act
    from engine.desk.look_up import AdvisFilter, trace_advis
    from engine.desk.office import Visit
    from engine.desk.registry import KommuneName
    from engine.desk.search import search_person
    from engine.desk.stream import kommune_names
    from engine.desk.where import for_vendor

    assert isinstance(act, Act)
    names = kommune_names(act.conn)
    codes = _matching(names, values["kommune"])
    if len(codes) != 1:
        raise RuleError("Skriv, hvilken kommune det er, så kun én passer.")
    kommune = KommuneName(codes[0], names[codes[0]])
    system = _system_named(Visit(act.conn, caller_of(act.conn, act.actor)), kommune.code, values["system"])
    if system is None:
        raise RuleError("Skriv, hvilket system adviset mangler i.")
    wanted = AdvisFilter(kommuner=[kommune.code], limit=_MOST_FOUND)
    found = search_person(act, desk.office.box(), values["cpr"], values["reason"], wanted)
    answer = for_vendor(act.conn, desk.settings, kommune, system, found)
    return answer, trace_advis(act.conn, str(answer.adviser[0].id)) if len(answer.adviser) == 1 else ()


def _system_named(visit: "Visit", code: str, text: str) -> str | None:
    """The UUID of the system whose name begins so, where one does; else what was written, for the desk to judge."""
    from engine.desk.systems import list_systems

    wish = folded(text)
    if not wish:
        return None
    every = list_systems(visit.conn, code)
    found = [item for item in every if folded(item.name) == wish or item.uuid == wish]
    found = found or [item for item in every if folded(item.name).startswith(wish)]
    return (found[0].uuid or found[0].name) if len(found) == 1 else text


def _lines(found: "Whereabouts", trace: "Sequence[TraceLine]") -> list[Line]:
    lines = [
        line((found.answer.danish, "strong")),
        line((f"{found.system or 'Et system'} i {found.kommune_name}", "dim")),
    ]
    lines += [BLANK, heading("Sig"), *(line(part) for part in found.say.split("\n"))]
    if found.call:
        lines += [
            BLANK,
            heading("Ring til"),
            *(line(f"  {contact.shown}", indent=4) for contact in found.call),
        ]
    if found.handed_on:
        lines += [BLANK, heading("Tekst, klar til at give videre"), line((found.handed_on, "accent"))]
    if found.known:
        lines += [BLANK, heading("Det ved vi"), *(line(f"  {each}", indent=4) for each in found.known)]
    if found.case is not None:
        lines.append(
            line(
                (f"  Sag {found.case.id}: {found.case.state}", "warn"), link=f"sag {found.case.id}", indent=4
            )
        )
    if found.adviser:
        lines += [BLANK, heading("Adviser")]
        lines += [
            line(
                f"  {view.id}: {view.code or '–'}, {view.state.danish}, modtaget {planned_text(view.received_at)}",
                link=f"advis {view.id}",
                indent=4,
            )
            for view in found.adviser
        ]
    if trace:
        lines += [BLANK, heading("Hvad der er sket"), *(event_line(each) for each in trace)]
    return lines
