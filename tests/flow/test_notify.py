"""Mails about cases: who is told, when, and when not. Every time is counted from the deadline that was missed."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from engine.desk.cases import note_case, release_case, take_case
from engine.desk.maintenance import cancel_maintenance, plan_maintenance
from engine.domain.alarm import MailKind
from engine.flow.mail_texts import MailTexts
from engine.ports import SendResult
from engine.store import tables
from tests.flow.test_watch import cases, published
from tests.flow.world import FRB, PRIMARY, SECOND, UNWATCHED, World

LEFT_OUT = UNWATCHED

CONTACT, VENDOR = "a@b.example", "v@v.example"


def kinds(world: World, address: str = CONTACT) -> list[str]:
    """The kinds of the mails that were sent to one address, in order."""
    return [
        row.kind for row in world.rows(tables.mail, "kind", "address", "sent_at") if row.address == address
    ]


async def missed(world: World, count: int = 1) -> list:
    """So many adviser without the primary's kvittering; the clock stands at the deadline."""
    specs = [await published(world) for _ in range(count)]
    await world.after(minutes=45)
    return specs


async def run_for(world: World, *, minutes: int = 0, hours: int = 0) -> None:
    """Let time pass as an engine sees it that looks now and then: over hours more rarely than over minutes."""
    minutes += 60 * hours
    rarely = minutes // 5 if minutes >= 60 else 0
    for step in [5] * rarely + [1] * (minutes - 5 * rarely):
        await world.after(minutes=step)


# --- who, and when ----------------------------------------------------------------------------------------------------


async def test_kommune_and_vendor_get_one_opening_mail_once_the_moments_misses_are_gathered(
    world: World,
) -> None:
    await missed(world, 3)
    await world.after(seconds=29)
    assert world.mails.sent == []
    await world.after(seconds=1)
    assert sorted(mail.address for mail in world.mails.sent) == [CONTACT, VENDOR]
    assert {mail.subject for mail in world.mails.sent} == {
        "3 adviser uden kvittering fra Cura, Københavns Kommune (sag 1)"
    }


async def test_what_comes_before_the_first_mail_is_mailed_to_nobody(world: World) -> None:
    (spec,) = await missed(world)
    world.acknowledge(spec, PRIMARY)
    await world.after(seconds=10)
    await run_for(world, minutes=60)
    assert world.mails.sent == []
    assert cases(world)[0].closed_at is not None


async def test_a_second_mail_follows_after_a_quarter_of_an_hour_where_the_case_has_grown(
    world: World,
) -> None:
    await published(world)
    await world.after(minutes=5)
    await published(world)
    await world.after(minutes=40)
    await run_for(world, minutes=14)
    assert kinds(world) == ["case-opened"]
    await run_for(world, minutes=3)
    assert kinds(world) == ["case-opened", "case-grown"]


@pytest.mark.long_on_server
async def test_a_case_that_has_not_grown_is_left_alone_until_the_reminder(world: World) -> None:
    await missed(world)
    await world.after(seconds=30)
    await run_for(world, minutes=239)
    assert kinds(world) == ["case-opened"]
    await run_for(world, minutes=1)
    assert kinds(world) == ["case-opened", "case-reminder"]
    await run_for(world, hours=8)
    assert kinds(world) == ["case-opened", *["case-reminder"] * 3]
    assert "Der er ikke kommet flere til siden sidste mail." in world.mails.sent[-1].text


@pytest.mark.long_on_server
async def test_a_reminder_says_what_is_new(world: World) -> None:
    await missed(world)
    await run_for(world, minutes=20)
    await published(world)
    await run_for(world, hours=4)
    assert "Siden sidste mail er der kommet 1 til." in world.mails.sent[-1].text


@pytest.mark.long_on_server
async def test_one_closing_mail_when_all_has_come(world: World) -> None:
    specs = await missed(world, 2)
    await world.after(seconds=30)
    for spec in specs:
        world.acknowledge(spec, PRIMARY)
    await run_for(world, minutes=30)
    assert kinds(world) == kinds(world, VENDOR) == ["case-opened", "case-closed"]
    assert world.mails.sent[-1].subject.startswith("Løst: Cura")


async def test_an_address_that_is_both_gets_one_mail(world: World) -> None:
    with world.db.writing() as tx:
        tx.conn.execute(update(tables.receiver).values(vendor_email=CONTACT))
    await missed(world)
    await world.after(seconds=30)
    assert [mail.address for mail in world.mails.sent] == [CONTACT]


async def test_a_vendor_enrolled_in_kvitteringsoverblik_is_told_at_its_further_addresses(
    world: World,
) -> None:
    with world.db.writing() as tx:
        enrolled = {"overview_enrolled": True, "overview_emails": "vagt@v.example,drift@v.example"}
        tx.conn.execute(update(tables.receiver).values(**enrolled))
    await missed(world)
    await world.after(seconds=30)
    assert {mail.address for mail in world.mails.sent} == {
        CONTACT,
        VENDOR,
        "vagt@v.example",
        "drift@v.example",
    }


async def test_a_delayed_publication_is_mailed_to_the_hotline_and_the_contact_point(world: World) -> None:
    world.beskedfordeler.verdict = lambda _: SendResult("nede")
    world.send(world.hn())
    await world.drain()
    await run_for(world, minutes=11)
    assert {mail.address for mail in world.mails.sent} == {CONTACT, "hotline@multimed.dk"}
    assert world.mails.sent[0].subject == "1 advis til Københavns Kommune er ikke fordelt (sag 1)"
    world.beskedfordeler.verdict = lambda _: SendResult()
    await run_for(world, minutes=6)
    assert kinds(world) == ["case-opened", "case-closed"]


async def test_the_mail_says_what_is_needed_and_nothing_of_the_citizen(world: World) -> None:
    (spec,) = await missed(world)
    await world.after(seconds=30)
    (to_contact,) = [mail for mail in world.mails.sent if mail.address == CONTACT]
    (advis,) = world.rows(tables.advis, "besked_id", "message_id")
    for needed in ("Københavns Kommune", "Cura", "45 minutter", advis.besked_id, advis.message_id, VENDOR):
        assert needed in to_contact.text, needed
        assert needed in to_contact.html, needed
    for personal in (spec.patient.cpr, *spec.patient.given, spec.patient.family):
        assert personal not in to_contact.text + to_contact.html + to_contact.subject


@pytest.mark.long_on_server
async def test_a_case_of_many_lists_the_oldest_and_counts_the_rest(world: World) -> None:
    await missed(world, 23)
    await world.after(seconds=30)
    text = world.mails.sent[0].text
    assert text.count("BeskedId   ") == 20
    assert "og 3 mere." in text


# --- a person takes it ------------------------------------------------------------------------------------------------


@pytest.mark.long_on_server
async def test_a_taken_case_is_reminded_of_no_more_until_it_was_taken_too_long_ago(world: World) -> None:
    await missed(world)
    await world.after(minutes=1)
    with world.acting("anna") as act:
        take_case(act, world.settings, 1, "Ringet til leverandøren")
    await run_for(world, minutes=479)
    assert kinds(world) == ["case-opened"]
    await run_for(world, minutes=2)
    assert kinds(world) == ["case-opened", "case-reminder"]
    assert cases(world, "taken_by")[0].taken_by is None
    assert "case-raised" in world.events()


async def test_a_taken_case_that_grows_is_raised_again(world: World) -> None:
    await published(world)
    await world.after(minutes=20)
    await published(world)
    await world.after(minutes=26)
    with world.acting("anna") as act:
        take_case(act, world.settings, 1, "")
    await run_for(world, minutes=14)
    assert kinds(world) == ["case-opened"]
    await run_for(world, minutes=6)
    assert cases(world, "taken_by")[0].taken_by is None
    assert kinds(world) == ["case-opened", "case-reminder"]


@pytest.mark.long_on_server
async def test_a_released_case_is_reminded_of_again(world: World) -> None:
    await missed(world)
    await world.after(minutes=1)
    with world.acting() as act:
        take_case(act, world.settings, 1, "")
        note_case(act, 1, "Leverandøren genstarter")
        release_case(act, world.settings, 1, "Vagtskifte")
    await run_for(world, minutes=241)
    assert kinds(world) == ["case-opened", "case-reminder"]


async def test_a_case_that_is_taken_at_once_is_still_told_of(world: World) -> None:
    await missed(world)
    with world.acting() as act:
        take_case(act, world.settings, 1, "")
    await world.after(minutes=1)
    assert kinds(world) == ["case-opened"]


@pytest.mark.long_on_server
async def test_a_case_that_nobody_takes_goes_on_to_the_lead_once(world: World) -> None:
    world.settings = world.settings.model_copy(
        update={"alarm": world.settings.alarm.model_copy(update={"lead_email": "leder@hotline.example"})}
    )
    world.start_engine()
    await missed(world)
    await run_for(world, minutes=119)
    assert kinds(world, "leder@hotline.example") == []
    await run_for(world, hours=6)
    assert kinds(world, "leder@hotline.example") == ["case-escalated"]


async def test_without_a_lead_the_escalation_is_an_event(world: World) -> None:
    await missed(world)
    await run_for(world, minutes=121)
    assert world.events().count("case-escalated") == 1


# --- maintenance ------------------------------------------------------------------------------------------------------


def window(world: World, begins: float, ends: float, system: str = PRIMARY) -> int:
    """Maintenance from and until so many minutes from now."""
    now = world.clock.now()
    with world.acting() as act:
        planned = plan_maintenance(
            act, "0101", system, now + timedelta(minutes=begins), now + timedelta(minutes=ends), "Ny version"
        )
    return planned.id


@pytest.mark.long_on_server
async def test_what_is_missed_inside_a_window_is_recorded_and_mailed_to_nobody(world: World) -> None:
    window(world, 30, 90)
    await missed(world, 2)
    await run_for(world, hours=12)
    assert world.mails.sent == []
    (case,) = cases(world, "misses", "quiet_misses", "closed_at", "escalated_at")
    assert (case.misses, case.quiet_misses, case.closed_at, case.escalated_at) == (2, 2, None, None)
    assert world.events().count("kvittering-missed-quietly") == 2


async def test_a_window_is_of_one_receiver_alone(world: World) -> None:
    window(world, 30, 90, SECOND)
    await missed(world)
    await world.after(seconds=30)
    assert kinds(world) == ["case-opened"]


async def test_a_cancelled_window_is_none(world: World) -> None:
    planned = window(world, 30, 90)
    with world.acting() as act:
        cancel_maintenance(act, planned)
    await missed(world)
    await world.after(seconds=30)
    assert kinds(world) == ["case-opened"]


async def test_the_end_of_a_window_is_outside_it(world: World) -> None:
    window(world, 30, 45)
    await missed(world)
    await world.after(seconds=30)
    assert kinds(world) == ["case-opened"]


@pytest.mark.long_on_server
async def test_what_was_told_before_a_window_is_not_told_again_after_it(world: World) -> None:
    await missed(world)
    await world.after(seconds=30)
    window(world, 10, 60)
    await run_for(world, hours=24)
    assert kinds(world) == ["case-opened"]


@pytest.mark.long_on_server
async def test_what_is_missed_after_a_window_is_told_with_all_that_is_missing(world: World) -> None:
    window(world, 30, 60)
    await published(world)
    await world.after(minutes=50)
    await published(world)
    await run_for(world, minutes=46)
    (mail,) = [mail for mail in world.mails.sent if mail.address == CONTACT]
    assert mail.subject.startswith("2 adviser uden kvittering")
    assert "1 af fristerne er overskredet i et servicevindue" in mail.text


# --- a major incident explains it ---------------------------------------------------------------------------------


def declared(world: World, cause: str = "other") -> None:
    """A major incident, declared now."""
    now = world.clock.now()
    row = {"cause": cause, "state": "declared", "phase": "investigating", "title": "T", "basis": "B"}
    with world.db.writing() as tx:
        tx.insert(tables.incident, [row | {"began_at": now, "proposed_at": now, "proposed_by": "anna"}])


def resolved(world: World) -> None:
    with world.db.writing() as tx:
        tx.conn.execute(update(tables.incident).values(state="resolved", resolved_at=world.clock.now()))


@pytest.mark.parametrize("cause", ["other", "processing", "beskedfordeler"])
@pytest.mark.long_on_server
async def test_while_a_major_incident_explains_it_no_mail_goes_out_and_the_case_says_so_once(
    world: World, cause: str
) -> None:
    declared(world, cause)
    await missed(world, 3)
    await run_for(world, hours=9)
    assert world.mails.sent == []
    assert world.events().count("case-held") == 1
    assert "case-escalated" not in world.events()


async def test_silence_from_vans_explains_no_missing_kvittering(world: World) -> None:
    declared(world, "vans-silent")
    await missed(world)
    await world.after(seconds=30)
    assert kinds(world) == ["case-opened"]


@pytest.mark.long_on_server
async def test_reminders_stop_while_a_major_incident_explains_them(world: World) -> None:
    await missed(world)
    await world.after(minutes=1)
    declared(world)
    await run_for(world, hours=9)
    assert kinds(world) == ["case-opened"]


@pytest.mark.long_on_server
async def test_after_the_incident_what_still_has_not_come_is_told_a_quarter_of_an_hour_later(
    world: World,
) -> None:
    declared(world)
    late, *_ = [*await missed(world), *await missed(world)]
    await run_for(world, hours=1)
    resolved(world)
    await run_for(world, minutes=14)
    assert world.mails.sent == []
    world.acknowledge(late, PRIMARY)
    await run_for(world, minutes=2)
    assert kinds(world) == ["case-opened"]
    assert world.mails.sent[0].subject.startswith("1 advis uden kvittering")
    assert world.events().count("case-let-go") == 1


@pytest.mark.long_on_server
async def test_a_case_that_the_incident_held_from_the_first_closes_without_a_mail(world: World) -> None:
    declared(world)
    (spec,) = await missed(world)
    await run_for(world, minutes=30)
    world.acknowledge(spec, PRIMARY)
    await run_for(world, minutes=1)
    resolved(world)
    await run_for(world, hours=1)
    assert world.mails.sent == []
    assert cases(world)[0].closed_at is not None


# --- one case that cannot be worked -----------------------------------------------------------------------------------


async def test_a_case_that_cannot_be_worked_holds_up_no_other(world: World, monkeypatch) -> None:
    from engine.flow import notify

    write = notify.order_case_mails

    def broken(ledger, texts, settings, case, kind, *, missing):
        if case.kommune_code == "0101":
            raise ValueError("a bug")
        write(ledger, texts, settings, case, kind, missing=missing)

    monkeypatch.setattr(notify, "order_case_mails", broken)
    await published(world)
    world.send(world.hn(kommune=FRB))
    await world.drain()
    await world.after(minutes=45)
    await world.after(seconds=30)
    assert {row.kommune_code for row in world.rows(tables.mail, "kommune_code")} == {"0147"}
    monkeypatch.setattr(notify, "order_case_mails", write)
    await run_for(world, minutes=6)
    assert {row.kommune_code for row in world.rows(tables.mail, "kommune_code")} == {"0101", "0147"}


# --- the mail itself --------------------------------------------------------------------------------------------------


async def test_a_crash_between_case_and_mail_is_not_possible(world: World) -> None:
    """The mail stands in the outbox in the transaction that moves the case on."""
    world.mails.verdict = lambda _: SendResult("nede")
    await missed(world)
    await world.after(seconds=30)
    world.start_engine()
    world.mails.verdict = lambda _: SendResult()
    await run_for(world, minutes=5)
    assert kinds(world) == ["case-opened"]
    assert len(world.mails.sent) == 2


async def test_the_homes_own_words_are_used_and_a_slip_in_them_loses_no_mail(world: World, tmp_path) -> None:
    own = tmp_path / "mail-templates"
    own.mkdir()
    (own / "case-opened.txt").write_text("Emne: Vores ord om {{ kommune }}\n\n{{ mangler }} mangler\n")
    (own / "case-closed.txt").write_text("Emne: {{ ukendt }}\n\nx\n")
    texts = MailTexts(own)
    world.start_engine(texts)
    (spec,) = await missed(world)
    await world.after(seconds=30)
    assert world.mails.sent[0].subject == "Vores ord om Københavns Kommune"
    world.acknowledge(spec, PRIMARY)
    await world.drain()
    assert world.mails.sent[-1].subject.startswith("Løst: Cura")
    assert "mail-text-broken" in world.events()


@pytest.mark.parametrize(
    "source", ["ingen linje", "Emne: \n\nx", "Emne: {% if %}\n", "Emne: {{ ''.__class__.__mro__ }}\n\nx"]
)
def test_a_template_that_cannot_be_used_gives_way_to_the_packages_own(tmp_path, source: str) -> None:
    (tmp_path / "case-closed.txt").write_text(source)
    names = "slags modtagersystem kommune sag hotline_navn hotline_mail hotline_telefon"
    facts = dict.fromkeys(names.split(), "x")
    now = datetime(2026, 3, 14, tzinfo=UTC)
    written = MailTexts(tmp_path).write(MailKind.CASE_CLOSED, facts | {"aabnet": now, "nu": now, "i_alt": 1})
    assert written.subject.startswith("Løst: alle adviser til x")
    assert written.fault
