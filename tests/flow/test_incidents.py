"""A major incident: what each state allows, what declaring it sets going, and what becomes of mails and HTTP."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from engine.domain.alarm import MailKind
from engine.domain.incident import Cause, IncidentState, Phase
from engine.errors import NotFoundError, RuleError
from engine.flow import incidents
from engine.flow.mail_texts import MailTexts
from engine.flow.timekeeping import open_ledger
from engine.ports import SendResult, StatusUpdate
from engine.store import tables
from engine.store.ledger import Ledger
from tests.flow.test_notify import missed
from tests.flow.world import World

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
DRIFTSVAGT, KMD = "driftsvagt@kombit.example", "vagt@kmd.example"
MAILED = {"incident": {"driftsvagt_email": DRIFTSVAGT, "beskedfordeler_email": KMD}}
BY_HTTP = {"incident": {"driftstatus_api": "https://status.example/v1/pages/x"}}


def do(world: World, act: Callable[[Ledger], Any]) -> Any:
    with world.db.writing() as tx:
        ledger = open_ledger(tx, world.clock)
        done = act(ledger)
        ledger.write()
        return done


def propose(world: World, cause: Cause = Cause.BESKEDFORDELER, **more: Any) -> int:
    more = {"basis": "al fordeling mislykkes", "began_at": world.clock.now() - 5 * MINUTE, **more}
    found: int = do(
        world, lambda ledger: incidents.propose(ledger, world.settings, MailTexts(), cause, **more)
    )
    return found


def declare(world: World, incident_id: int = 1) -> None:
    do(world, lambda it: incidents.declare(it, world.settings, MailTexts(), incident_id, by="anna"))


def dismiss(world: World, incident_id: int = 1) -> None:
    do(world, lambda it: incidents.dismiss(it, incident_id, by="anna", reason="planlagt"))


def update(world: World, incident_id: int = 1, **more: Any) -> None:
    more = {"by": "anna", "phase": Phase.IDENTIFIED, "text": "Fejlen er fundet.", **more}
    do(world, lambda it: incidents.add_update(it, world.settings, MailTexts(), incident_id, **more))


def resolve(world: World, incident_id: int = 1) -> None:
    do(
        world,
        lambda it: incidents.resolve(
            it, world.settings, MailTexts(), incident_id, by="anna", text="Alt kører igen."
        ),
    )


def step(world: World, key: str, incident_id: int = 1, **more: Any) -> None:
    more = {"by": "anna", "person": "Anna", "at": world.clock.now(), "note": "", **more}
    do(world, lambda it: incidents.set_step(it, incident_id, key, **more))


def ended(world: World, cause: Cause = Cause.BESKEDFORDELER) -> None:
    do(world, lambda it: incidents.ended_itself(it, cause))


def the(world: World, incident_id: int = 1) -> Any:
    return next(row for row in world.rows(tables.incident) if row.id == incident_id)


def steps(world: World) -> dict[str, tuple[str, str]]:
    return {row.step: (row.channel, row.state) for row in world.rows(tables.incident_step)}


def mails(world: World, kind: MailKind) -> list[Any]:
    return [row for row in world.rows(tables.mail) if row.kind == kind]


# --- states ---------------------------------------------------------------------------------------------------------

INTO: dict[IncidentState, list[Callable[[World], None]]] = {
    IncidentState.PROPOSED: [],
    IncidentState.DECLARED: [declare],
    IncidentState.DISMISSED: [dismiss],
    IncidentState.RESOLVED: [declare, resolve],
}
MOVES: dict[Callable[[World], None], tuple[IncidentState, IncidentState]] = {
    declare: (IncidentState.PROPOSED, IncidentState.DECLARED),
    dismiss: (IncidentState.PROPOSED, IncidentState.DISMISSED),
    update: (IncidentState.DECLARED, IncidentState.DECLARED),
    resolve: (IncidentState.DECLARED, IncidentState.RESOLVED),
}


@pytest.mark.parametrize("state", IncidentState)
@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.__name__)
async def test_each_state_allows_its_own_moves_and_no_others(world, state, move) -> None:
    propose(world)
    for into in INTO[state]:
        into(world)
    before = world.rows(tables.incident), world.rows(tables.event), steps(world)
    allowed, becomes = MOVES[move]
    if state is allowed:
        move(world)
        assert the(world).state == becomes
        return
    with pytest.raises(RuleError, match=f"{state.danish} og kan ikke"):
        move(world)
    assert (world.rows(tables.incident), world.rows(tables.event), steps(world)) == before


async def test_an_update_does_not_resolve_and_promises_nothing_in_the_past(world) -> None:
    propose(world)
    declare(world)
    with pytest.raises(RuleError, match="incident resolve 1"):
        update(world, phase=Phase.RESOLVED)
    with pytest.raises(RuleError, match="i fremtiden"):
        update(world, next_update_at=world.clock.now())


async def test_no_incident_and_no_step_of_that_name(world) -> None:
    with pytest.raises(NotFoundError, match="ingen hændelse 7"):
        declare(world, 7)
    propose(world)
    with pytest.raises(NotFoundError, match="før den er erklæret"):
        step(world, "driftsvagt")
    declare(world)
    with pytest.raises(NotFoundError, match="driftstatus, driftsvagt, beskedfordeler"):
        step(world, "driftvagt")


# --- proposals ------------------------------------------------------------------------------------------------------


async def test_what_is_seen_again_and_again_is_proposed_once_and_told_at_once(world) -> None:
    assert [propose(world) for _ in range(3)] == [1, 1, 1]
    assert propose(world, Cause.PROCESSING) == 2
    await world.drain()
    told = [mail.subject for mail in world.mails.sent]
    assert told[0] == "Major incident foreslået: Beskedfordeleren tager ikke imod sygehusadviser (hændelse 1)"
    assert len(told) == 2


async def test_two_of_another_cause_are_two(world) -> None:
    assert [propose(world, Cause.OTHER, title=title) for title in ("Strøm", "Brand")] == [1, 2]


async def test_it_ends_and_comes_back_while_a_person_has_not_decided(world) -> None:
    propose(world)
    ended(world)
    ended(world)
    assert the(world).over_at == world.clock.now()
    assert propose(world) == 1
    assert the(world).over_at is None
    kinds = [kind for kind in world.events() if kind.startswith("incident")]
    assert kinds == ["incident-proposed", "incident-ended-itself", "incident-came-back"]


async def test_a_dismissal_holds_while_the_same_lasts_but_not_for_ever(world) -> None:
    propose(world)
    dismiss(world)
    assert propose(world) == 1
    world.clock.advance(8 * HOUR - MINUTE)
    assert propose(world) == 1
    world.clock.advance(MINUTE)
    assert propose(world) == 2


async def test_a_dismissal_holds_no_longer_than_what_was_seen(world) -> None:
    propose(world)
    dismiss(world)
    ended(world)
    assert propose(world) == 2


async def test_one_called_resolved_too_early_is_proposed_anew_after_a_quarter_of_an_hour(world) -> None:
    propose(world)
    declare(world)
    resolve(world)
    assert propose(world) == 1
    world.clock.advance(15 * MINUTE)
    assert propose(world) == 2


async def test_it_is_declared_by_itself_where_the_settings_say_so(make_world) -> None:
    world = make_world(incident={"auto_declare": True})
    propose(world)
    assert (the(world).state, the(world).declared_by) == ("declared", "motor")


# --- what declaring sets going --------------------------------------------------------------------------------------


async def test_without_addresses_every_step_is_manual_with_a_text_to_paste(world) -> None:
    propose(world)
    declare(world)
    assert steps(world) == {
        "driftstatus": ("manual", "open"),
        "driftsvagt": ("manual", "open"),
        "beskedfordeler": ("manual", "open"),
    }
    text = world.rows(tables.incident_step)[0].text
    assert "Sundhedsagenten kan ikke aflevere sygehusadviser til Beskedfordeleren." in text
    assert "siden 14.3.2026 kl. 10:25" in text  # began
    assert "Næste opdatering: 14.3.2026 kl. 11:30" in text  # the promised update
    assert "{" not in text


@pytest.mark.parametrize("cause", Cause)
async def test_the_one_who_runs_the_beskedfordeler_is_told_of_their_own_trouble_alone(world, cause) -> None:
    propose(world, cause)
    declare(world)
    assert ("beskedfordeler" in steps(world)) == (cause is Cause.BESKEDFORDELER)
    assert [row.text for row in world.rows(tables.incident_step) if "{" in row.text] == []


async def test_a_step_by_mail_is_done_when_its_mail_has_been_sent(make_world) -> None:
    world = make_world(**MAILED)
    propose(world)
    declare(world)
    assert steps(world)["driftsvagt"] == ("mail", "sending")
    world.mails.verdict = lambda _: SendResult("nede")
    await world.drain()
    assert steps(world)["driftsvagt"] == ("mail", "sending")
    world.mails.verdict = lambda _: SendResult()
    await world.after(minutes=1)
    assert steps(world)["driftsvagt"] == ("mail", "done")
    sent = {mail.address: mail for mail in world.mails.sent}
    subject = (
        "Major incident på Sundhedsagenten: Beskedfordeleren tager ikke imod sygehusadviser (hændelse 1)"
    )
    assert sent[DRIFTSVAGT].subject == subject
    assert "Opret venligst en fejl på Beskedfordeleren" in sent[KMD].text


async def test_a_refused_mail_makes_the_step_manual_and_a_mended_address_makes_it_done(make_world) -> None:
    world = make_world(**MAILED)
    propose(world)
    declare(world)
    world.mails.verdict = lambda mail: SendResult("findes ikke", final=mail.address == DRIFTSVAGT)
    await world.drain()
    assert steps(world)["driftsvagt"] == ("manual", "open")
    row = next(each for each in world.rows(tables.incident_step) if each.step == "driftsvagt")
    assert row.last_error == "driftsvagt@kombit.example afvises: findes ikke"
    with world.db.writing() as tx:
        mail = tables.mail
        tx.conn.execute(
            mail.update()
            .where(mail.c.address == DRIFTSVAGT)
            .values(sent_at=world.clock.now(), refused_at=None)
        )
    await world.drain()
    assert steps(world)["driftsvagt"] == ("mail", "done")


async def test_a_step_by_mail_is_not_ticked_by_hand(make_world) -> None:
    world = make_world(**MAILED)
    propose(world)
    declare(world)
    with pytest.raises(RuleError, match="sendes som mail"):
        step(world, "driftsvagt")


async def test_a_manual_step_keeps_who_when_and_what(world) -> None:
    propose(world)
    declare(world)
    at = world.clock.now() - timedelta(seconds=10)
    step(world, "driftsvagt", person="Bo", at=at, note="Sag 4711")
    row = world.rows(tables.incident_step)[1]
    assert (row.state, row.person, row.done_at, row.note) == ("done", "Bo", at, "Sag 4711")
    with pytest.raises(RuleError, match="allerede udført af Bo"):
        step(world, "driftsvagt")
    with pytest.raises(RuleError, match="i fremtiden"):
        step(world, "driftstatus", at=world.clock.now() + HOUR)


# --- updates --------------------------------------------------------------------------------------------------------


async def test_an_update_goes_the_ways_of_the_steps_that_were_not_left_out(make_world) -> None:
    world = make_world(**MAILED)
    propose(world)
    declare(world)
    await world.drain()
    step(world, "driftstatus", skip=True, note="Siden er nede")
    update(world, next_update_at=world.clock.now() + 2 * HOUR)
    await world.drain()
    assert {key: state for key, state in steps(world).items() if key.startswith("update")} == {
        "update-1-driftsvagt": ("mail", "done"),
        "update-1-beskedfordeler": ("mail", "done"),
    }
    text = next(mail.text for mail in reversed(world.mails.sent) if mail.address == DRIFTSVAGT)
    assert "Identificeret: Fejlen er fundet." in text
    assert "kl. 12:30" in text


async def test_a_later_update_takes_the_place_of_one_that_nobody_got_round_to(world) -> None:
    propose(world)
    declare(world)
    update(world)
    step(world, "update-1-driftsvagt")
    resolve(world)
    found = steps(world)
    assert found["update-1-driftstatus"] == ("manual", "skipped")
    assert found["update-1-driftsvagt"] == ("manual", "done")
    assert found["driftstatus"] == found["update-2-driftstatus"] == ("manual", "open")
    titles = {row.step: row.title for row in world.rows(tables.incident_step)}
    assert titles["update-1-driftsvagt"] == "Opdatering 1 til KOMBITs driftsvagt: Identificeret"
    assert titles["update-2-driftstatus"] == "Meld løst til driftstatus"


async def test_the_last_update_says_that_it_is_over_and_promises_no_more(make_world) -> None:
    world = make_world(**MAILED)
    propose(world)
    declare(world)
    resolve(world)
    await world.drain()
    text = next(mail.text for mail in reversed(world.mails.sent) if mail.address == DRIFTSVAGT)
    assert "Løst: Alt kører igen." in text
    assert "Næste opdatering" not in text
    assert the(world).next_update_at is None


async def test_the_promised_update_is_reminded_of_once_per_promise(world) -> None:
    propose(world)
    declare(world)
    await world.after(minutes=49)
    assert mails(world, MailKind.INCIDENT_UPDATE_DUE) == []
    await world.after(minutes=1)
    await world.after(minutes=30)
    assert len(mails(world, MailKind.INCIDENT_UPDATE_DUE)) == 1
    assert world.events().count("incident-update-due") == 1
    update(world)
    await world.after(minutes=49)
    assert len(mails(world, MailKind.INCIDENT_UPDATE_DUE)) == 1
    await world.after(minutes=1)
    assert len(mails(world, MailKind.INCIDENT_UPDATE_DUE)) == 2
    resolve(world)
    await world.after(hours=3)
    assert len(mails(world, MailKind.INCIDENT_UPDATE_DUE)) == 2


# --- by HTTP --------------------------------------------------------------------------------------------------------


async def test_the_status_page_gets_the_incident_and_then_its_updates_in_order(make_world) -> None:
    world = make_world(**BY_HTTP)
    world.status_page.verdict = lambda _: SendResult(external_id="abc")
    propose(world)
    declare(world)
    update(world)
    resolve(world)
    await world.drain()
    assert [(each.external_id, each.phase) for each in world.status_page.posted] == [
        (None, "investigating"),
        ("abc", "identified"),
        ("abc", "resolved"),
    ]
    assert {each.key for each in world.status_page.posted} == {"sundhedsagenten-1"}
    assert {state for key, (_, state) in steps(world).items() if "driftstatus" in key} == {"done"}


async def test_updates_wait_while_the_page_cannot_be_reached(make_world) -> None:
    world = make_world(**BY_HTTP)
    tried: list[str] = []

    def down(item: StatusUpdate) -> SendResult:
        tried.append(item.phase)
        return SendResult("nede")

    world.status_page.verdict = down
    propose(world)
    declare(world)
    update(world)
    await world.drain()
    await world.after(minutes=1)
    assert set(tried) == {"investigating"}  # an update alone would make an incident of its own
    failed = [row for row in world.rows(tables.event) if row.kind == "incident-step-failed"]
    assert len(failed) >= 2
    assert all("Opret driftsmeddelelse" in row.data for row in failed)
    world.status_page.verdict = lambda _: SendResult(external_id="abc")
    await world.after(minutes=2)
    assert [each.phase for each in world.status_page.posted] == ["investigating", "identified"]


async def test_what_the_page_refuses_becomes_manual_and_so_does_what_waits_for_it(make_world) -> None:
    world = make_world(**BY_HTTP)
    world.status_page.verdict = lambda _: SendResult("driftstatus svarer 401", final=True)
    propose(world)
    declare(world)
    update(world)
    await world.drain()
    assert steps(world)["driftstatus"] == steps(world)["update-1-driftstatus"] == ("manual", "open")
    assert world.events().count("incident-step-refused") == 1
    resolve(world)
    assert steps(world)["update-2-driftstatus"] == ("manual", "open")


async def test_a_person_may_do_by_hand_what_the_page_does_not_take(make_world) -> None:
    world = make_world(**BY_HTTP)
    world.status_page.verdict = lambda _: SendResult("nede")
    propose(world)
    declare(world)
    update(world)
    await world.drain()
    step(world, "driftstatus", note="På hjemmesiden")
    world.status_page.verdict = lambda _: SendResult(external_id="abc")
    await world.after(minutes=5)
    assert world.status_page.posted == []
    assert steps(world)["driftstatus"] == ("manual", "done")
    assert steps(world)["update-1-driftstatus"] == ("manual", "open")


# --- cases ----------------------------------------------------------------------------------------------------------


async def test_cases_are_held_while_it_lasts_and_mailed_a_quarter_of_an_hour_after_it(world) -> None:
    propose(world)
    declare(world)
    await missed(world)
    await world.after(minutes=10)
    assert [row.held_by for row in world.rows(tables.alarm_case)] == [1]
    assert mails(world, MailKind.CASE_OPENED) == []
    resolve(world)
    await world.drain()
    await world.after(minutes=14)
    assert mails(world, MailKind.CASE_OPENED) == []
    await world.after(minutes=2)
    assert len(mails(world, MailKind.CASE_OPENED)) == 2


async def test_silence_from_vans_explains_no_missing_kvittering(world) -> None:
    propose(world, Cause.VANS_SILENT)
    declare(world)
    await missed(world)
    await world.after(seconds=30)
    assert [row.held_by for row in world.rows(tables.alarm_case)] == [None]
    assert len(mails(world, MailKind.CASE_OPENED)) == 2
