"""A form that checks as one types, tells in words what will change, and confirms once.

What is typed is never lost to an error: it stands until it is saved or given up.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from console.danish import for_screen, printable
from console.link import Door
from console.pages.page import Page
from console.widgets.sheet import Question, Sheet
from console.widgets.spans import BLANK, Cell, Line, fit, heading, line, strip_of
from console.widgets.text_line import TextLine
from engine.errors import RuleError, SundhedsagentError

if TYPE_CHECKING:
    from console.link import Desk
    from engine.desk.act import Act
    from engine.desk.office import Visit

T = TypeVar("T")
Values = Mapping[str, str]

_LABEL = 24


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to fill in. `check` raises RuleError with what is wrong; `choices` are values with their words."""

    name: str
    label: str
    value: str = ""
    help: str = ""
    check: Callable[[str], object] | None = None
    choices: Sequence[tuple[str, str]] = ()
    needed: bool = False

    def fault(self, value: str) -> str | None:
        """What is wrong with a value, Danish."""
        if not value.strip():
            return "skal udfyldes" if self.needed else None
        if self.check is None:
            return None
        try:
            self.check(value)
        except RuleError as error:
            return for_screen(str(error))
        return None

    def shown(self, value: str) -> str:
        return dict(self.choices).get(value, value) or "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form(Generic[T]):
    """What is asked, and what becomes of it. `told` says in words what will happen; `done` what has."""

    title: str
    view: str
    fields: Sequence[Field]
    work: "Callable[[Act, Desk, Values], T]"
    done: Callable[[T], str]
    door: Door = Door.SERVING
    kommune: str | None = None
    intro: Sequence[Line] = ()
    told: Callable[[Values], Sequence[str]] | None = None
    changes: Sequence[tuple[str, str, str]] = ()  # what changes besides the fields: name, before, after
    confirm: bool = True
    outside: "Callable[[T, Desk], None] | None" = None  # done beside the database, once it is committed
    after: Callable[[T], None] | None = None
    save: str = "gem"  # the word of the key


class Choice(Widget, can_focus=True):
    """One of few; the arrows change it."""

    DEFAULT_CSS = "Choice { height: 1; }"

    value: reactive[str] = reactive("", layout=False)

    class Changed(Message):
        """Another one is chosen."""

        def __init__(self, choice: "Choice") -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, choices: Sequence[tuple[str, str]], value: str, *, id: str) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._choices = choices
        self.set_reactive(Choice.value, value)

    def on_key(self, event: events.Key) -> None:
        steps = {"left": -1, "right": 1, "space": 1, "up": None, "down": None}
        step = steps.get(event.key)
        if event.key == "enter":
            self.screen.focus_next()
            event.stop()
        elif step is not None:
            self._turn(step)
            event.stop()

    def on_click(self) -> None:
        self._turn(1)

    def _turn(self, by: int) -> None:
        values = [value for value, _ in self._choices]
        place = values.index(self.value) if self.value in values else 0
        self.value = values[(place + by) % len(values)]
        self.post_message(self.Changed(self))

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        spans: list[Cell] = [("‹ " if self.has_focus else "  ", "accent")]
        for value, word in self._choices:
            chosen = value == self.value
            spans.append((f"({'●' if chosen else ' '}) {word}  ", "strong" if chosen else "dim"))
        spans.append(("›" if self.has_focus else " ", "accent"))
        ground = "cursor" if self.has_focus else "bar"
        return strip_of(spans if y == 0 else (), self.size.width, self.app.theme, ground)


class Label(Widget):
    """A field's name, or what is wrong with it."""

    DEFAULT_CSS = "Label { height: auto; }"

    def __init__(self, spans: Sequence[Cell], *, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._spans = spans

    def show(self, spans: Sequence[Cell]) -> None:
        if spans != self._spans:
            self._spans = spans
            self.refresh(layout=True)

    def _wrapped(self, width: int) -> list[list[Cell]]:
        from console.widgets.spans import wrapped

        return wrapped(Line(tuple(self._spans)), max(1, width))

    def get_content_height(self, container: Any, viewport: Any, width: int) -> int:
        return len(self._wrapped(width)) if self._spans else 0

    def render_line(self, y: int) -> Strip:
        lines = self._wrapped(self.size.width)
        return strip_of(lines[y] if y < len(lines) else (), self.size.width, self.app.theme)


class FormPage(Page[None], Generic[T]):
    """One form."""

    ABOUT = (
        "Udfyld felterne. Det, du skriver, prøves, mens du skriver. Gem prøver det hele af "
        "uden at ændre noget, viser, hvad "
        "der vil ske, og spørger én gang. Esc fortryder."
    )
    HAS = ("form.gem", "form.naeste")

    DEFAULT_CSS = """
    FormPage #intro { height: auto; max-height: 40%; }
    FormPage #fields { height: 1fr; padding: 0 1; }
    FormPage .field { height: auto; }
    FormPage .row { height: 1; }
    FormPage .row Label { width: 25; }
    FormPage .fault { padding-left: 25; }
    FormPage #changes { height: auto; max-height: 50%; border-top: solid $border; }
    """

    def __init__(self, form: Form[T]) -> None:
        super().__init__()
        shown = [replace(field, value=printable(field.value)) for field in form.fields]
        self.form = replace(form, fields=shown)  # what was never typed over is no change
        self.view = form.view
        self._values = {field.name: field.value for field in self.form.fields}
        self._trouble: str | None = None
        self._gives_up = False
        self._saving = False

    def crumbs(self) -> str:
        return self.form.title

    def kommune_code(self) -> str | None:
        return self.form.kommune

    def label_of(self, action: Any) -> str:
        return self.form.save if action.id == "form.gem" else str(action.label)

    def content(self) -> Iterable[Widget]:
        if self.form.intro:
            intro = Sheet(self.form.intro, id="intro")
            intro.can_focus = False
            yield intro
        yield VerticalScroll(*(_FieldRow(field) for field in self.form.fields), id="fields", can_focus=False)
        changes = Sheet(id="changes")
        changes.can_focus = False
        yield changes

    def fetch(self, visit: "Visit", desk: "Desk") -> None:
        return None

    def on_mount(self) -> None:
        inputs = self.query("Input, Choice")
        if inputs:
            inputs.first().focus()
        self._draw()

    @property
    def values(self) -> Values:
        return dict(self._values)

    @property
    def is_changed(self) -> bool:
        return any(self._values[field.name] != field.value for field in self.form.fields)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._set((event.input.id or "").removeprefix("f-"), event.value)

    @on(Choice.Changed)
    def _chosen(self, event: Choice.Changed) -> None:
        self._set((event.choice.id or "").removeprefix("f-"), event.choice.value)

    def _set(self, name: str, value: str) -> None:
        if self._values.get(name) == value:
            return
        self._values[name] = value
        self._trouble, self._gives_up = None, False
        field = next(each for each in self.form.fields if each.name == name)
        fault = field.fault(value) if value.strip() else None
        self.query_one(f"#x-{name}", Label).show(((f"▲ {fault}", "alarm"),) if fault else ())
        self._draw()

    @on(Input.Submitted)
    def _entered(self) -> None:
        inputs = list(self.query("Input, Choice"))
        if self.focused is inputs[-1]:
            self.do_gem()
        else:
            self.focus_next()

    def _draw(self) -> None:
        self.query_one("#changes", Sheet).show(self._lines())

    def _lines(self) -> list[Line]:
        if self._trouble is not None:
            return [
                line(("▲ Det kan ikke gemmes:", "alarm")),
                *(line((part, "alarm")) for part in self._trouble.split("\n")),
            ]
        return what_changes(self.form, self._values) or [line(("Intet er skrevet endnu.", "dim"))]

    def do_gem(self) -> None:
        if self._saving:
            return
        faults = [
            (field, fault) for field in self.form.fields if (fault := field.fault(self._values[field.name]))
        ]
        for field, fault in faults:
            self.query_one(f"#x-{field.name}", Label).show(((f"▲ {fault}", "alarm"),))
        if faults:
            self.query_one(f"#f-{faults[0][0].name}").focus()
            return
        self._saving = True
        self.console_app.work(self._try())

    async def _try(self) -> None:
        form, values = self.form, self.values
        try:
            if form.confirm:
                await self.console_app.link.do(
                    form.door,
                    lambda act, desk: form.work(act, desk, values),
                    kommune=form.kommune,
                    rehearse=True,
                )
                self.console_app.open(ConfirmPage(form, values, self._carry_out))
            else:
                await self._save(values)
        except SundhedsagentError as error:
            self._refused(error)
        finally:
            self._saving = False

    def _carry_out(self, values: Values) -> None:
        async def save() -> None:
            try:
                await self._save(values)
            except SundhedsagentError as error:
                self._refused(error)

        self.console_app.work(save())

    async def _save(self, values: Values) -> None:
        form = self.form
        result = await self.console_app.link.do(
            form.door, lambda act, desk: form.work(act, desk, values), kommune=form.kommune
        )
        if form.outside is not None:
            outside = form.outside
            await self.console_app.link.run(lambda desk: outside(result, desk))
        if self.is_current:
            self.console_app.pop_screen()
        self.console_app.say(form.done(result), "ok")
        self.console_app.look_now()
        if form.after is not None:
            form.after(result)

    def _refused(self, error: SundhedsagentError) -> None:
        self._trouble = for_screen(str(error))
        self._draw()

    def do_tilbage(self) -> None:
        if self.is_changed and not self._gives_up:
            self._gives_up = True
            self.console_app.say("Det skrevne er ikke gemt. Tryk esc igen for at kassere det.", "warn")
        else:
            super().do_tilbage()


class _FieldRow(Vertical):
    """A field: its name, where it is filled in, and what is wrong."""

    def __init__(self, field: Field) -> None:
        super().__init__(classes="field")
        self._field = field

    def compose(self) -> ComposeResult:
        field = self._field
        widget: Widget
        if field.choices:
            widget = Choice(field.choices, field.value, id=f"f-{field.name}")
        else:
            widget = TextLine(field.value, placeholder=field.help, id=f"f-{field.name}")
            widget.cursor_blink = False
        label = fit(field.label + (" *" if field.needed else ""), _LABEL)
        yield Horizontal(Label(((label, "dim"),)), widget, classes="row")
        yield Vertical(Label((), id=f"x-{field.name}"), classes="fault field")


class ConfirmPage(Page[None]):
    """What will happen, and one question."""

    ABOUT = "Læs, hvad der vil ske. j gør det; n eller esc går tilbage, og intet er ændret."
    HAS = ("form.ja", "form.nej")

    def __init__(self, form: Form[Any], values: Values, carry_out: Callable[[Values], None]) -> None:
        super().__init__()
        self.view = form.view
        self._form = form
        self._values = values
        self._carry_out = carry_out

    def crumbs(self) -> str:
        return f"{self._form.title} › Bekræft"

    def content(self) -> Iterable[Widget]:
        yield Question(
            [
                *what_changes(self._form, self._values),
                BLANK,
                line(("Det er prøvet af og kan lade sig gøre. Intet er ændret endnu.", "dim")),
                BLANK,
                line(("Skal det gøres?  ", "strong"), ("j", "accent"), " ja   ", ("n", "accent"), " nej"),
            ]
        )

    def fetch(self, visit: "Visit", desk: "Desk") -> None:
        return None

    def do_ja(self) -> None:
        self.console_app.pop_screen()
        self._carry_out(self._values)

    def do_nej(self) -> None:
        self.console_app.pop_screen()


def what_changes(form: Form[Any], values: Values) -> list[Line]:
    """Before and after in words."""
    lines: list[Line] = []
    if form.told is not None:
        told = form.told(values)
        lines += [heading("Det sker"), *(line(text, indent=2) for text in told)] if told else []
    changed = [field for field in form.fields if values[field.name] != field.value]
    shown = [(field.label, field.shown(field.value), field.shown(values[field.name])) for field in changed]
    rows = [*form.changes, *shown]
    if rows:
        lines += [BLANK, heading("Før → efter")] if lines else [heading("Før → efter")]
    lines += (
        line((f"{name}: ", "dim"), before, (" → ", "dim"), (after, "strong"), indent=2)
        for name, before, after in rows
    )
    return lines


def note_form(
    title: str,
    view: str,
    label: str,
    work: "Callable[[Act, Desk, str], T]",
    done: Callable[[T], str],
    *,
    intro: Sequence[Line] = (),
    needed: bool = True,
    help: str = "Ingen personoplysninger",  # noqa: A002 - the form's own word
    door: Door = Door.SERVING,
    kommune: str | None = None,
    after: Callable[[T], None] | None = None,
    confirm: bool = False,
    told: Callable[[Values], Sequence[str]] | None = None,
    save: str = "gem",
) -> FormPage[T]:
    """A form that asks for one text."""
    from engine.domain.registration import checked_remark

    field = Field(
        "note", label, help=help, check=lambda text: checked_remark(text, label.lower()), needed=needed
    )
    return FormPage(
        Form(
            title=title,
            view=view,
            fields=(field,),
            work=lambda act, desk, values: work(act, desk, values["note"]),
            done=done,
            intro=intro,
            door=door,
            kommune=kommune,
            confirm=confirm,
            after=after,
            told=told,
            save=save,
        )
    )
