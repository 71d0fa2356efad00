"""Alarm cases: what is missing of one kommune, and when which mail goes out about it (behaviour section 5).

`moves` is the whole rule, values in and values out: what is to be done with a case now, and with its timers.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum


class CaseKind(StrEnum):
    MISSING_KVITTERING = "missing-kvittering"
    DELAYED_PUBLICATION = "delayed-publication"

    @property
    def danish(self) -> str:
        return _KINDS[self]


_KINDS = {
    CaseKind.MISSING_KVITTERING: "manglende kvitteringer",
    CaseKind.DELAYED_PUBLICATION: "ikke fordelt",
}


class MailKind(StrEnum):
    """What a mail is about; its text stands in data/mails under the same name."""

    CASE_OPENED = "case-opened"
    CASE_GROWN = "case-grown"
    CASE_REMINDER = "case-reminder"
    CASE_CLOSED = "case-closed"
    CASE_ESCALATED = "case-escalated"
    OVERVIEW = "overview"
    INCIDENT_PROPOSED = "incident-proposed"
    INCIDENT_STEP = "incident-step"
    INCIDENT_UPDATE_DUE = "incident-update-due"

    @property
    def danish(self) -> str:
        return _MAILS[self]


_MAILS = {
    MailKind.CASE_OPENED: "en sag er åbnet",
    MailKind.CASE_GROWN: "den er vokset et kvarter efter",
    MailKind.CASE_REMINDER: "påmindelse om en sag",
    MailKind.CASE_CLOSED: "alt i sagen er kommet",
    MailKind.CASE_ESCALATED: "ingen har taget sagen",
    MailKind.OVERVIEW: "Kvitteringsoverblik for et døgn",
    MailKind.INCIDENT_PROPOSED: "en major incident er foreslået",
    MailKind.INCIDENT_STEP: "trin og opdateringer i en major incident",
    MailKind.INCIDENT_UPDATE_DUE: "den lovede opdatering nærmer sig",
}


class Move(StrEnum):
    """What is done with a case when it is looked at."""

    OPENING = "opening"  # the first mail
    GROWN = "grown"  # the one after it, where more has come
    REMINDER = "reminder"
    WAIT = "wait"  # a mail was due, and there is a reason not to send it: the timer goes on
    RAISE = "raise"  # taken no longer: it got worse, or was taken too long ago
    ESCALATE = "escalate"
    POSTPONE = "postpone"  # the escalation: nobody need take what the vendor has planned
    HOLD = "hold"  # a major incident explains it
    LET_GO = "let-go"  # and does so no longer
    CLOSE = "close"


class Stage(IntEnum):
    """How far a case has come with its mails."""

    NEW = 0  # the opening mail has not been sent
    OPENED = 1  # it has; a second one follows where the case has grown
    REMINDED = 2  # from here on, reminders


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseState:
    """What decides about a case. Timers are None where they do not run."""

    missing: int  # what is still missing now
    misses: int  # all that ever joined
    quiet_misses: int = 0  # of them inside maintenance: no mail is sent for those alone
    told_misses: int = 0  # outside maintenance, when the last mail was written
    stage: Stage = Stage.NEW
    mail_due: datetime | None = None
    taken: bool = False
    taken_misses: int = 0
    retake_due: datetime | None = None
    worsened_due: datetime | None = None  # from then on it is raised again where it has grown
    escalate_due: datetime | None = None
    held: bool = False
    explained: bool = False  # a declared major incident explains it
    in_maintenance: bool = False  # the receiver's
    window_since_mail: bool = False  # maintenance has begun since the last mail

    @property
    def loud_misses(self) -> int:
        """Those that mails are sent for."""
        return self.misses - self.quiet_misses

    @property
    def has_grown(self) -> bool:
        return self.loud_misses > self.told_misses


def moves(case: CaseState, now: datetime) -> list[Move]:
    """Everything that is to be done now, in order; usually nothing or one thing."""
    if case.missing == 0:
        return [Move.CLOSE]
    if case.explained:
        return [] if case.held else [Move.HOLD]
    if case.held:
        return [Move.LET_GO]  # the timers start anew with it
    if case.taken:
        is_worse = case.misses > case.taken_misses and _is_due(case.worsened_due, now)
        if is_worse or _is_due(case.retake_due, now):
            return [Move.RAISE]  # with it the next mail is due at once
    found: list[Move] = []
    if _is_due(case.mail_due, now):
        found.append(_mail(case))
    if _is_due(case.escalate_due, now) and not case.taken:
        found.append(Move.POSTPONE if case.in_maintenance else Move.ESCALATE)
    return found


def _mail(case: CaseState) -> Move:
    if case.stage is Stage.NEW:
        return Move.OPENING if case.loud_misses else Move.WAIT
    if case.taken or case.in_maintenance:
        return Move.WAIT
    if case.has_grown:
        return Move.GROWN if case.stage is Stage.OPENED else Move.REMINDER
    # What was told before a window is not told again after it.
    return Move.WAIT if case.stage is Stage.OPENED or case.window_since_mail else Move.REMINDER


def _is_due(at: datetime | None, now: datetime) -> bool:
    return at is not None and at <= now
