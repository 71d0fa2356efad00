"""The judge of the production line: a good history passes, and each thing that can be wrong with one is found."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.production.checker import STATIONS, judge

KOMMUNE, OTHER, PRIMARY, SECOND = "0101", "0147", "cura", "nexus"
RECEIVERS = {KOMMUNE: [PRIMARY, SECOND], OTHER: ["sensum"]}
History = list[dict[str, Any]]


def offered(message: str, envelope: str, content: str = "bundle") -> dict[str, Any]:
    about = {"envelope": envelope, "message": message}
    return {"what": "offered", **about, "kommune": KOMMUNE, "content": content}


def taken(message: str, envelope: str) -> History:
    receipt = {
        "of": envelope,
        "kind": "PositiveMessage",
        "envelope": f"r-{envelope}",
        "whole": f"r-{envelope}",
    }
    return [{"what": "taken", "envelope": envelope, "message": message}, {"what": "receipt", **receipt}]


def delivered(message: str, system: str, **other: Any) -> dict[str, Any]:
    besked = {"besked": f"b-{message}", "transaction": f"t-{message}", "whole": f"w-{message}"}
    return {"what": "delivered", "system": system, "message": message, "content": "bundle", **besked, **other}


def acknowledged(message: str, system: str, code: str = "ok", content: str = "") -> dict[str, Any]:
    content = content or f"{message} {system} {code}"
    about = {"system": system, "message": message, "code": code}
    return {"what": "acknowledged", **about, "content": content, "core": f"core of {content}", "late": False}


def answered(said: dict[str, Any], envelope: str, **other: Any) -> dict[str, Any]:
    """What `said` says, as it reached the hospital."""
    facts = {name: said[name] for name in ("message", "code", "content", "core")}
    ids = {"envelope": envelope, "vans_message": f"v-{envelope}", "bundle": f"bundle of {envelope}"}
    return {"what": "answered", **facts, **ids, "kommune": KOMMUNE, "whole": f"w-{envelope}", **other}


def confirmed(answer: dict[str, Any], kind: str = "PositiveMessage") -> dict[str, Any]:
    about = {"envelope": answer["envelope"], "vans_message": answer["vans_message"]}
    return {"what": "confirmed", **about, "kind": kind}


def good() -> History:
    """m1: answered at once, and a copy of it after that. m2: a transient-error first, a copy and a publication for it,
    then the verdict, whose first envelope was refused by VANS.
    """
    ok, late = acknowledged("m1", PRIMARY), acknowledged("m1", SECOND, "fatal-error")
    transient, fatal = (
        acknowledged("m2", PRIMARY, "transient-error"),
        acknowledged("m2", PRIMARY, "fatal-error"),
    )
    first, told = answered(ok, "a1"), answered(transient, "a3")
    again = answered(ok, "a2", content="m1 renewed")
    refused = answered(fatal, "a4", vans_message="v-m2")
    accepted = answered(fatal, "a5", vans_message="v-m2", bundle=refused["bundle"])
    anew = {"transaction": "t-m2 again", "whole": "w-m2 again"}
    return [
        offered("m1", "e1"),
        *taken("m1", "e1"),
        delivered("m1", PRIMARY),
        delivered("m1", SECOND),
        delivered("m1", SECOND),
        ok,
        first,
        confirmed(first),
        late,
        offered("m1", "e2", content="resent"),
        *taken("m1", "e2"),
        again,
        again,
        confirmed(again),
        offered("m2", "e3"),
        *taken("m2", "e3"),
        *(delivered("m2", system) for system in (PRIMARY, SECOND)),
        transient,
        acknowledged("m2", SECOND),
        told,
        confirmed(told),
        offered("m2", "e4"),
        *taken("m2", "e4"),
        *(delivered("m2", system, **anew) for system in (PRIMARY, SECOND)),
        fatal,
        refused,
        confirmed(refused, "NegativeMessage"),
        accepted,
        confirmed(accepted),
        {"what": "killed", "engine": 1},
        {"what": "ended", "engine": 1, "code": 1, "at_work": False},
        *({"what": "worked", "engine": n, "station": name, "count": 1} for n in (0, 1) for name in STATIONS),
        {"what": "left", "name": "pending", "count": 0},
    ]


def faults(history: History) -> list[str]:
    return judge(history, RECEIVERS, engines=2).faults


def test_a_good_history_passes_and_is_counted() -> None:
    found = judge(good(), RECEIVERS, engines=2)
    assert found.faults == []
    wanted = {
        "adviser": 2,
        "envelopes": 4,
        "verdicts": 2,
        "kvitteringer": 5,
        "kills": 1,
        "refused answers": 1,
    }
    assert wanted.items() <= found.counts.items()


def without(history: History, **facts: Any) -> None:
    """Take out what has these facts."""
    kept = [each for each in history if not facts.items() <= each.items()]
    assert len(kept) < len(history)
    history[:] = kept


def change(history: History, where: dict[str, Any], **facts: Any) -> None:
    """Change the first that has the facts `where`."""
    found = next(number for number, each in enumerate(history) if where.items() <= each.items())
    history[found] = history[found] | facts


def place(history: History, **facts: Any) -> int:
    return next(number for number, each in enumerate(history) if facts.items() <= each.items())


def a_lost_receipt(history: History) -> None:
    without(history, what="receipt", of="e2")


def a_negative_receipt(history: History) -> None:
    change(history, {"what": "receipt", "of": "e1"}, kind="NegativeMessage")


def two_receipts(history: History) -> None:
    history.append({"what": "receipt", "of": "e1", "kind": "PositiveMessage", "envelope": "x", "whole": "x"})


def a_receipt_for_nothing(history: History) -> None:
    history.append({"what": "receipt", "of": "e9", "kind": "PositiveMessage", "envelope": "x", "whole": "x"})


def an_envelope_that_was_not_taken(history: History) -> None:
    without(history, what="taken", envelope="e2")


def a_lost_advis(history: History) -> None:
    without(history, what="delivered", message="m1", system=SECOND)


def a_stranger(history: History) -> None:
    history.append(delivered("m1", "sensum"))


def a_second_besked_id(history: History) -> None:
    history.append(delivered("m1", PRIMARY, besked="another"))


def one_besked_id_for_two(history: History) -> None:
    for fact in history:
        if fact["what"] == "delivered":
            fact["besked"] = "b"


def altered_content(history: History) -> None:
    history.append(delivered("m1", PRIMARY, content="altered"))


def a_publication_for_a_mere_copy(history: History) -> None:
    history.append(delivered("m1", PRIMARY, transaction="t-m1 again"))


def a_publication_too_many(history: History) -> None:
    history.append(delivered("m2", PRIMARY, transaction="t-m2 once more"))


def a_retry_with_other_bytes(history: History) -> None:
    history.append(delivered("m1", PRIMARY, whole="w-m1 other"))


def a_besked_of_nobody(history: History) -> None:
    history.append(delivered("m9", PRIMARY))


def an_answer_to_nobody(history: History) -> None:
    history.append(answered(acknowledged("m9", PRIMARY), "a9"))


def a_lost_verdict(history: History) -> None:
    without(history, what="answered", message="m2", code="fatal-error")


def an_altered_verdict(history: History) -> None:
    for fact in history:
        if fact["what"] == "answered" and fact["message"] == "m1":
            fact |= {"content": fact["content"] + " altered", "core": "another"}


def the_others_verdict(history: History) -> None:
    said = next(each for each in history if each["what"] == "acknowledged" and each["system"] == SECOND)
    change(history, {"what": "answered", "envelope": "a1"}, content=said["content"], core=said["core"])
    without(history, what="answered", envelope="a2")


def a_verdict_before_it_was_given(history: History) -> None:
    history.insert(0, history.pop(place(history, what="answered", envelope="a1")))


def a_second_verdict(history: History) -> None:
    later = acknowledged("m1", PRIMARY, "fatal-error")
    history += [later, answered(later, "a9")]


def a_repeat_that_says_something_else(history: History) -> None:
    change(history, {"what": "answered", "envelope": "a2"}, core="another")


def the_same_verdict_as_two_messages(history: History) -> None:
    change(history, {"what": "answered", "envelope": "a2"}, content=f"m1 {PRIMARY} ok")


def a_repeat_with_the_old_bundle_id(history: History) -> None:
    for fact in history:
        if fact["what"] == "answered" and fact["message"] == "m1":
            fact["bundle"] = "the old one"


def a_copy_without_its_answer(history: History) -> None:
    without(history, what="answered", envelope="a2")


def a_repeat_for_a_copy_before_the_verdict(history: History) -> None:
    verdict = history[place(history, what="answered", envelope="a4")]
    history.append(answered(verdict, "a9", content="m2 renewed"))


def two_repeats_for_one_copy(history: History) -> None:
    verdict = history[place(history, what="answered", envelope="a2")]
    history.append(answered(verdict, "a9", content="m1 renewed again"))


def a_transient_error_nobody_gave(history: History) -> None:
    change(history, {"what": "answered", "envelope": "a3"}, content="another")


def a_transient_error_after_the_verdict(history: History) -> None:
    history.append(history.pop(place(history, what="answered", envelope="a3")))


def a_transient_error_again_after_the_verdict(history: History) -> None:
    history.append(history[place(history, what="answered", envelope="a3")])


def a_transient_error_twice(history: History) -> None:
    told = place(history, what="answered", envelope="a3")
    history.insert(
        told, history[told] | {"envelope": "a9", "vans_message": "v-a9", "bundle": "b9", "whole": "w9"}
    )


def an_answer_from_elsewhere(history: History) -> None:
    change(history, {"what": "answered", "envelope": "a1"}, kommune=OTHER)


def an_envelope_with_other_bytes(history: History) -> None:
    history.append(history[place(history, what="answered", envelope="a1")] | {"whole": "other"})


def an_answer_sent_again_without_cause(history: History) -> None:
    history.append(
        history[place(history, what="answered", envelope="a1")] | {"envelope": "a9", "whole": "w9"}
    )


def an_answer_not_sent_again(history: History) -> None:
    without(history, what="answered", envelope="a5")


def an_idle_engine(history: History) -> None:
    without(history, what="worked", engine=1, station="collect")


def an_engine_that_ended(history: History) -> None:
    change(history, {"what": "ended"}, at_work=True)


def something_left(history: History) -> None:
    change(history, {"what": "left"}, count=3)


def a_broken_line(history: History) -> None:
    history.append({"what": "broken", "error": "KeyError('x')"})


@pytest.mark.parametrize(
    ("corrupt", "fault"),
    [
        (a_lost_receipt, "envelopes without a positive VANS receipt"),
        (a_negative_receipt, "envelopes without a positive VANS receipt"),
        (two_receipts, "envelopes with receipts that differ"),
        (a_receipt_for_nothing, "receipts for what nobody sent"),
        (an_envelope_that_was_not_taken, "envelopes that were not taken"),
        (a_lost_advis, "adviser that did not reach all their receivers"),
        (a_stranger, "adviser that reached strangers"),
        (a_second_besked_id, "adviser with a second BeskedId"),
        (one_besked_id_for_two, "BeskedIds of two adviser"),
        (altered_content, "adviser whose content is not the hospital's"),
        (a_publication_for_a_mere_copy, "adviser that were published anew without cause"),
        (a_publication_too_many, "adviser that were published anew without cause"),
        (a_retry_with_other_bytes, "publications whose bytes changed"),
        (a_besked_of_nobody, "what nobody sent was delivered or answered"),
        (an_answer_to_nobody, "what nobody sent was delivered or answered"),
        (a_lost_verdict, "adviser without their verdict"),
        (an_altered_verdict, "verdicts that the primary never gave"),
        (the_others_verdict, "verdicts that the primary never gave"),
        (a_verdict_before_it_was_given, "verdicts that the primary never gave"),
        (a_second_verdict, "adviser with two different verdicts"),
        (a_repeat_that_says_something_else, "adviser with two different verdicts"),
        (the_same_verdict_as_two_messages, "the same Acknowledgement as two messages"),
        (a_repeat_with_the_old_bundle_id, "the same Acknowledgement as two messages"),
        (a_copy_without_its_answer, "copies that came after the verdict and were not answered"),
        (a_repeat_for_a_copy_before_the_verdict, "verdicts repeated without a copy"),
        (two_repeats_for_one_copy, "verdicts repeated without a copy"),
        (a_transient_error_nobody_gave, "transient-errors that the primary never gave"),
        (a_transient_error_after_the_verdict, "a transient-error after the verdict"),
        (a_transient_error_again_after_the_verdict, "a transient-error after the verdict"),
        (a_transient_error_twice, "the same Acknowledgement as two messages"),
        (an_answer_from_elsewhere, "answers from another kommune"),
        (an_envelope_with_other_bytes, "envelopes whose bytes changed"),
        (an_answer_sent_again_without_cause, "messages sent again without cause"),
        (an_answer_not_sent_again, "messages not sent again after a negative VANS receipt"),
        (an_idle_engine, "engines that did no part of the work"),
        (an_engine_that_ended, "engines that ended by themselves"),
        (something_left, "left to do at the end, pending"),
        (a_broken_line, "the line itself, broken"),
    ],
)
def test_each_fault_is_found(corrupt: Callable[[History], None], fault: str) -> None:
    history = good()
    corrupt(history)
    assert any(each.startswith(f"{fault}: ") for each in faults(history)), faults(history)
