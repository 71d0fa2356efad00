"""Adviser sent to the Beskedfordeler once more: first how many and which, then a reason, then they go."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from console.danish import number
from console.filters import Term
from console.pages.form import note_form
from console.widgets.spans import fact, line
from engine.errors import SundhedsagentError
from engine.local_time import planned_text

if TYPE_CHECKING:
    from console.app import ConsoleApp
    from console.link import Desk
    from engine.desk.look_up import AdvisFilter
    from engine.desk.office import Visit
    from engine.desk.resend import Resend


def resend_form(app: "ConsoleApp", terms: Sequence[Term], ids: Sequence[int] | None) -> None:
    """Count what would be sent, and ask for the reason."""
    app.work(_ask(app, terms, ids))


async def _ask(app: "ConsoleApp", terms: Sequence[Term], ids: Sequence[int] | None) -> None:
    def plan(visit: "Visit", desk: "Desk") -> "tuple[Resend, AdvisFilter]":
        from console.pages.advis_list import filter_of
        from engine.desk.look_up import AdvisFilter
        from engine.desk.resend import plan_resend
        from engine.errors import RuleError

        if ids is None:
            wanted, missed = filter_of(terms, visit)
            if missed:
                raise RuleError("Overskredne sendes igen ét ad gangen, fra det enkelte advis.")
        else:
            wanted = AdvisFilter(ids=list(ids), kommuner=visit.only)
        return plan_resend(visit.conn, wanted, desk.clock.now()), wanted

    try:
        planned, wanted = await app.link.read(plan)
    except SundhedsagentError as error:
        app.say(str(error), "alarm")
        return
    if not planned.ids:
        app.say(f"Intet at sende igen. {_left_out(planned) or 'Ingen adviser passer.'}", "warn")
        return

    def work(act: Any, desk: Any, reason: str) -> "Resend":
        from engine.desk.resend import resend

        return resend(act, replace(wanted, ids=planned.ids), reason)

    intro = [
        line(
            (f"{_counted(len(planned.ids))} sendes til Beskedfordeleren igen under samme BeskedId.", "strong")
        ),
        fact("Kommuner", f"{len(planned.kommuner)}"),
        fact("Ældste", planned_text(planned.oldest) if planned.oldest else None),
        fact("Nyeste", planned_text(planned.newest) if planned.newest else None),
        line("Ingen frist begynder forfra, og det, der er kvitteret, forbliver kvitteret."),
    ]
    if left := _left_out(planned):
        intro.append(line((left, "warn")))
    app.open(
        note_form(
            "Adviser › Send igen",
            "adviser",
            "Begrundelsen",
            work,
            lambda done: f"{_counted(len(done.ids))} sendes igen.",
            intro=intro,
            confirm=True,
            told=lambda _: [f"{_counted(len(planned.ids))} sendes igen under samme BeskedId."],
            save="send igen",
        )
    )


def _counted(count: int) -> str:
    return "1 advis" if count == 1 else f"{number(count)} adviser"


def _left_out(planned: "Resend") -> str:
    told = (
        (planned.refused, "er afvist og aldrig fordelt"),
        (planned.waiting, "er allerede på vej"),
        (planned.just_sent, "er sendt igen for mindre end et minut siden"),
    )
    parts = [f"{_counted(count)} {what}" for count, what in told if count]
    return f"Udeladt: {', '.join(parts)}." if parts else ""
