"""The rule of the cases, as values: what holds whatever the case looks like."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.alarm import CaseState, Move, Stage, moves

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TIMERS = st.none() | st.sampled_from([NOW - timedelta(hours=1), NOW, NOW + timedelta(seconds=1)])
MAILS = {Move.OPENING, Move.GROWN, Move.REMINDER}


@st.composite
def case_states(draw: st.DrawFn) -> CaseState:
    misses = draw(st.integers(1, 9))
    quiet = draw(st.integers(0, misses))
    return CaseState(
        missing=draw(st.integers(0, misses)),
        misses=misses,
        quiet_misses=quiet,
        told_misses=draw(st.integers(0, misses - quiet)),
        stage=draw(st.sampled_from(Stage)),
        mail_due=draw(TIMERS),
        taken=draw(st.booleans()),
        taken_misses=draw(st.integers(0, misses)),
        retake_due=draw(TIMERS),
        worsened_due=draw(TIMERS),
        escalate_due=draw(TIMERS),
        held=draw(st.booleans()),
        explained=draw(st.booleans()),
        in_maintenance=draw(st.booleans()),
        window_since_mail=draw(st.booleans()),
    )


@given(case_states())
def test_what_holds_for_every_case(case: CaseState) -> None:
    found = moves(case, NOW)
    mails = MAILS & set(found)
    assert len(mails) <= 1
    assert (found == [Move.CLOSE]) == (case.missing == 0)
    if case.missing and case.explained:
        assert found in ([], [Move.HOLD])  # no single mail while a major incident explains it
    if case.mail_due is None or case.mail_due > NOW:
        assert not mails
    if case.misses == case.quiet_misses:
        assert Move.OPENING not in found  # missed inside maintenance alone: recorded, not mailed
    if case.in_maintenance:
        assert not mails & {Move.GROWN, Move.REMINDER}
    if case.taken:
        assert not {Move.GROWN, Move.REMINDER, Move.ESCALATE} & set(found)
    if case.stage is Stage.NEW:
        assert mails <= {Move.OPENING}
    else:
        assert Move.OPENING not in found  # one opening mail, ever


@given(case_states())
def test_a_due_mail_is_sent_put_off_or_explained_and_never_forgotten(case: CaseState) -> None:
    """Every timer that is due leads to a move that sets it anew: none stands in the past for ever."""
    found = set(moves(case, NOW))
    if case.missing and case.mail_due is not None and case.mail_due <= NOW and not case.explained:
        assert found & (MAILS | {Move.WAIT, Move.RAISE, Move.LET_GO})
    if case.missing and case.escalate_due is not None and case.escalate_due <= NOW and not case.taken:
        assert case.explained or found & {Move.ESCALATE, Move.POSTPONE, Move.LET_GO}
