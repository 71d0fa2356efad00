"""Mail on a real SMTP server, and as files."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from engine.home import Home
from engine.links.mail import FolderMail, SmtpMail, mail_bytes, mail_outbox
from engine.ports import OutgoingMail, SendResult
from engine.settings import MailSettings, Settings
from tests.links.smtp_server import PASSWORD, USER, Letterbox, a_certificate, smtp_server, with_logon

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def a_mail(number: int = 1, **changes: Any) -> OutgoingMail:
    fields = {
        "message_id": f"00000000-0000-4000-8000-{number:012}@s.example",
        "address": "kontakt@kommune.example",
        "subject": "3 adviser uden kvittering fra Æblegård (sag 7)",
        "text": "Kære Ørsted\n\nÆØÅ æøå\n.\nslut\n",
        "html": "<p>ÆØÅ æøå</p>\n",
        "ordered_at": NOON,
    }
    return OutgoingMail(**(fields | changes))


async def sent(settings: MailSettings, *mails: OutgoingMail, **changes: Any) -> list[SendResult]:
    link = SmtpMail(settings.model_copy(update=changes))
    try:
        return [result for mail in mails for result in await link.send([mail])]
    finally:
        await link.close()


# --- the mail itself --------------------------------------------------------------------------------------------------


def test_every_attempt_has_the_same_bytes() -> None:
    assert mail_bytes(a_mail(), "a@s.example") == mail_bytes(a_mail(), "a@s.example")
    message = message_from_bytes(mail_bytes(a_mail(), "a@s.example"), policy=default)
    assert message["Message-ID"] == "<00000000-0000-4000-8000-000000000001@s.example>"
    assert message["Date"] == "Mon, 23 Nov 2026 12:00:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Subject"] == "3 adviser uden kvittering fra Æblegård (sag 7)"
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().replace("\r\n", "\n") == a_mail().text
    assert html.get_content().replace("\r\n", "\n") == a_mail().html


@pytest.mark.parametrize("field", ["subject", "address"])
async def test_a_line_break_cannot_add_a_header(field: str) -> None:
    box = Letterbox()
    with smtp_server(box) as settings:
        (result,) = await sent(settings, a_mail(**{field: "x\r\nBcc: other@x.example"}))
    assert result.error
    assert box.mails == []


async def test_as_files_each_mail_has_its_own(new_home: Home) -> None:
    link = mail_outbox(new_home, Settings())
    assert isinstance(link, FolderMail)
    assert await link.send([a_mail(1), a_mail(2)]) == [SendResult()] * 2
    assert await link.send([a_mail(1)]) == [SendResult()]  # once more after a crash
    await link.close()
    assert sorted(path.name[-8:] for path in new_home.mail.iterdir()) == ["0001.eml", "0002.eml"]


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (result,) = await FolderMail(tmp_path / "none", "a@s.example").send([a_mail()])
    assert result == SendResult("Mappen findes ikke")


# --- SMTP -------------------------------------------------------------------------------------------------------------


async def test_mails_go_over_one_connection_with_danish_letters(new_home: Home) -> None:
    box = Letterbox()
    with smtp_server(box) as settings:
        assert await sent(settings, a_mail(1), a_mail(2)) == [SendResult(), SendResult()]
        assert isinstance(mail_outbox(new_home, Settings(mail=settings.model_dump())), SmtpMail)
    assert box.connections == 1
    assert box.addresses == ["kontakt@kommune.example"] * 2
    assert box.messages[0]["Subject"] == a_mail().subject
    assert box.messages[0].get_body(("plain",)).get_content().replace("\r\n", "\n") == a_mail().text


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_encrypted(tmp_path: Path, security: str) -> None:
    authority, context = a_certificate(tmp_path)
    box = Letterbox()
    options = (
        {"ssl_context": context} if security == "tls" else {"tls_context": context, "require_starttls": True}
    )
    with smtp_server(box, **options) as settings:
        known = {"security": security, "ca_file": str(authority)}
        assert await sent(settings, a_mail(), **known) == [SendResult()]
        (stranger,) = await sent(settings, a_mail(), security=security)
    assert stranger == SendResult("Mailserverens certifikat kan ikke godkendes")
    assert len(box.mails) == 1


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
async def test_logging_on() -> None:
    box = Letterbox()
    with smtp_server(box, **with_logon()) as settings:
        assert await sent(settings, a_mail(), user=USER, password=PASSWORD) == [SendResult()]
        (wrong,) = await sent(settings, a_mail(), user=USER, password="forkert")
        (none,) = await sent(settings, a_mail())
    for refused in (wrong, none):
        assert refused.error
        assert refused.error.startswith("Mailserveren afviser os: 53")
        assert not refused.final
    assert len(box.mails) == 1


@pytest.mark.parametrize(
    ("reply", "final", "told"),
    [
        ("550 5.1.1 No such user", True, "Modtageren afvises: 550 5.1.1 No such user"),
        ("450 4.2.0 Try later", False, "Modtageren afvises: 450 4.2.0 Try later"),
    ],
)
async def test_a_recipient_is_refused_for_good_or_for_now_and_the_next_mail_goes(
    reply: str, final: bool, told: str
) -> None:
    box = Letterbox(refuses={"væk@kommune.example": reply, "vaek@kommune.example": reply})
    with smtp_server(box) as settings:
        first, second = await sent(settings, a_mail(1, address="vaek@kommune.example"), a_mail(2))
    assert first == SendResult(told, final=final)
    assert second == SendResult()
    assert box.connections == 1


@pytest.mark.parametrize(("reply", "final"), [("554 5.6.0 Content", True), ("451 4.3.0 Full", False)])
async def test_the_mail_itself_is_refused_for_good_or_for_now(reply: str, final: bool) -> None:
    box = Letterbox(on_data=lambda number: reply if number == 1 else None)
    with smtp_server(box) as settings:
        first, second = await sent(settings, a_mail(1), a_mail(2))
    assert (first.final, second) == (final, SendResult())


async def test_a_connection_that_breaks_in_the_middle_is_begun_anew() -> None:
    box = Letterbox(on_data=lambda number: "hang up" if number == 1 else None)
    with smtp_server(box) as settings:
        first, second = await sent(settings, a_mail(1), a_mail(1))
    assert first == SendResult("Mailserveren afbrød forbindelsen")
    assert second == SendResult()
    assert box.connections == 2


async def test_a_server_that_hangs_is_not_waited_for_for_ever() -> None:
    box = Letterbox(hangs=True)
    with smtp_server(box) as settings:
        (result,) = await sent(settings, a_mail(), timeout=timedelta(milliseconds=300))
    assert result == SendResult("Mailserveren svarer ikke inden for tiden")


async def test_a_server_that_goes_away_and_comes_back() -> None:
    box = Letterbox()
    with smtp_server(box) as settings:
        link = SmtpMail(settings)
        assert await link.send([a_mail(1)]) == [SendResult()]
    (result,) = await link.send([a_mail(2)])
    assert result == SendResult("Der er ingen forbindelse til mailserveren")
    with smtp_server(box, port=settings.port):
        assert await link.send([a_mail(2)]) == [SendResult()]
        await link.close()
    assert len(box.mails) == 2


async def test_a_reply_that_quotes_a_cpr_number_is_not_repeated() -> None:
    box = Letterbox(refuses={"kontakt@kommune.example": "550 mail about 2509479989 refused"})
    with smtp_server(box) as settings:
        (result,) = await sent(settings, a_mail())
    assert result == SendResult("Modtageren afvises: 550", final=True)
