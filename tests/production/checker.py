"""Judges a recorded history: what hospitals, receivers and engines were seen to do, one fact per line.

It knows nothing of how the history came about, and nothing of the engine's own database. Each rule is one of the
product's invariants: no loss, one verdict, one publication, bytes unchanged.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Fact = Mapping[str, Any]
FINAL = {"ok", "fatal-error"}
STATIONS = ("receive", "publish", "collect", "answer")


@dataclass
class Judgement:
    """What is wrong, in words; and what was counted."""

    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def refuse(self, what: str, ids: Iterable[object]) -> None:
        found = sorted(map(str, ids))
        if found:
            self.faults.append(f"{what}: {len(found)}, as {found[0]}")


@dataclass
class _Advis:
    """One advis: facts with their places in the history."""

    kommune: str = ""
    content: str = ""
    offered: dict[str, int] = field(default_factory=dict)  # envelope → when it was first offered
    taken: dict[str, int] = field(default_factory=dict)  # envelope → when an engine first said that it has it
    delivered: list[Fact] = field(default_factory=list)
    said: list[tuple[int, Fact]] = field(default_factory=list)  # by the primary
    answers: list[tuple[int, Fact]] = field(default_factory=list)


def judge(history: Iterable[Fact], receivers: Mapping[str, list[str]], engines: int) -> Judgement:
    """The facts are those that `line.py` notes; `receivers` are the systems of each kommune, its primary first."""
    facts, found = list(history), Judgement()
    adviser = _by_advis(facts, {systems[0] for systems in receivers.values()})
    sent = {message: advis for message, advis in adviser.items() if advis.offered}
    found.refuse("what nobody sent was delivered or answered", adviser.keys() - sent.keys())
    _judge_envelopes(found, facts)
    _judge_beskeder(found, sent, receivers)
    _judge_bytes(found, facts)
    _judge_answers(found, sent)
    _judge_resending(found, facts)
    _judge_the_end(found, facts, engines)
    _count(found, facts, sent)
    return found


def _by_advis(facts: Iterable[Fact], primaries: set[str]) -> dict[str, _Advis]:
    adviser: dict[str, _Advis] = defaultdict(_Advis)
    for place, fact in enumerate(facts):
        match fact["what"]:
            case "offered":
                advis = adviser[fact["message"]]
                advis.kommune, advis.content = fact["kommune"], advis.content or fact["content"]
                advis.offered.setdefault(fact["envelope"], place)
            case "taken":
                adviser[fact["message"]].taken.setdefault(fact["envelope"], place)
            case "delivered":
                adviser[fact["message"]].delivered.append(fact)
            case "acknowledged" if fact["system"] in primaries:
                adviser[fact["message"]].said.append((place, fact))
            case "answered":
                adviser[fact["message"]].answers.append((place, fact))
            case _:
                pass
    return adviser


# --- what comes in ----------------------------------------------------------------------------------------------------


def _judge_envelopes(found: Judgement, facts: Iterable[Fact]) -> None:
    """Each was taken, and has its VANS receipt: one, positive."""
    offered, taken = set(), set()
    receipts: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for fact in facts:
        match fact["what"]:
            case "offered":
                offered.add(fact["envelope"])
            case "taken":
                taken.add(fact["envelope"])
            case "receipt":
                receipts[fact["of"]].add((fact["kind"], fact["envelope"], fact["whole"]))
            case _:
                pass
    positive = {of for of, those in receipts.items() if any(kind == "PositiveMessage" for kind, *_ in those)}
    found.refuse("envelopes that were not taken", offered - taken)
    found.refuse("envelopes without a positive VANS receipt", taken - positive)
    found.refuse(
        "envelopes with receipts that differ", (of for of, those in receipts.items() if len(those) > 1)
    )
    found.refuse("receipts for what nobody sent", receipts.keys() - offered)


# --- what is published ------------------------------------------------------------------------------------------------


def _judge_beskeder(found: Judgement, sent: Mapping[str, _Advis], receivers: Mapping[str, list[str]]) -> None:
    """Under one BeskedId to all its receivers and to no other, as the hospital sent it, anew only for a cause."""
    owners: dict[str, set[str]] = defaultdict(set)
    for message, advis in sent.items():
        of_this, due = [message], set(receivers[advis.kommune])
        reached = {fact["system"] for fact in advis.delivered}
        beskeder = {fact["besked"] for fact in advis.delivered}
        for besked in beskeder:
            owners[besked].add(message)
        is_missing = bool(advis.taken) and not due <= reached
        found.refuse("adviser that did not reach all their receivers", of_this if is_missing else [])
        found.refuse("adviser that reached strangers", of_this if reached - due else [])
        found.refuse("adviser with a second BeskedId", of_this if len(beskeder) > 1 else [])
        is_altered = {fact["content"] for fact in advis.delivered} - {advis.content}
        found.refuse("adviser whose content is not the hospital's", of_this if is_altered else [])
        rounds = len({fact["transaction"] for fact in advis.delivered})
        found.refuse(
            "adviser that were published anew without cause", of_this if rounds > _rounds(advis) else []
        )
    found.refuse("BeskedIds of two adviser", (besked for besked, those in owners.items() if len(those) > 1))


def _rounds(advis: _Advis) -> int:
    """How often it may be published: once, and once more for each copy where the primary said transient-error."""
    is_transient = any(fact["code"] == "transient-error" for _, fact in advis.said)
    return len(advis.offered) if is_transient else 1


def _judge_bytes(found: Judgement, facts: Iterable[Fact]) -> None:
    """What is sent again has the same bytes: a publication, and an envelope."""
    wholes: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for fact in facts:
        match fact["what"]:
            case "delivered":
                wholes["publications", fact["besked"], fact["transaction"]].add(fact["whole"])
            case "answered":
                wholes["envelopes", fact["envelope"]].add(fact["whole"])
            case _:
                pass
    for kind in ("publications", "envelopes"):
        others = (key[1] for key, those in wholes.items() if key[0] == kind and len(those) > 1)
        found.refuse(f"{kind} whose bytes changed", others)


# --- what is answered -------------------------------------------------------------------------------------------------


def _judge_answers(found: Judgement, sent: Mapping[str, _Advis]) -> None:
    faults: dict[str, list[str]] = defaultdict(list)
    for message, advis in sent.items():
        for fault in _faults_of_answers(advis):
            faults[fault].append(message)
    for fault, messages in faults.items():
        found.refuse(fault, messages)


def _faults_of_answers(advis: _Advis) -> Iterator[str]:
    finals = [(place, fact) for place, fact in advis.answers if fact["code"] in FINAL]
    if any(fact["kommune"] != advis.kommune for _, fact in advis.answers):
        yield "answers from another kommune"
    if _is_told_twice(advis.answers):
        yield "the same Acknowledgement as two messages"
    yield from _faults_of_transients(advis, finals[0][0] if finals else None)
    if not finals:
        if any(fact["code"] in FINAL for _, fact in advis.said):
            yield "adviser without their verdict"
        return
    first = finals[0][0]
    verdict = _verdict(advis, finals)
    if verdict is None:
        yield "verdicts that the primary never gave"
        return
    if any((fact["code"], fact["core"]) != (verdict["code"], verdict["core"]) for _, fact in finals):
        yield "adviser with two different verdicts"
    said_at = next(place for place, fact in advis.said if fact["code"] in FINAL)
    copies = list(advis.offered)[1:]
    repeats = len({fact["vans_message"] for _, fact in finals}) - 1
    if repeats < sum(advis.offered[copy] > first for copy in copies):
        yield "copies that came after the verdict and were not answered"
    if repeats > sum(advis.taken.get(copy, said_at) >= said_at for copy in copies):
        yield "verdicts repeated without a copy"


def _verdict(advis: _Advis, finals: list[tuple[int, Fact]]) -> Fact | None:
    """The final kvittering of the primary that went out byte for byte: one that was given before the first answer."""
    first = finals[0][0]
    contents = {fact["content"] for _, fact in finals}
    given = (fact for place, fact in advis.said if fact["code"] in FINAL and place < first)
    return next((fact for fact in given if fact["content"] in contents), None)


def _is_told_twice(answers: Iterable[tuple[int, Fact]]) -> bool:
    """Two messages of VANS are never the same Acknowledgement: what is repeated has a new Bundle.id."""
    messages: dict[str, set[str]] = defaultdict(set)
    for _, fact in answers:
        for identity in (fact["content"], fact["bundle"]):
            messages[identity].add(fact["vans_message"])
    return any(len(those) > 1 for those in messages.values())


def _faults_of_transients(advis: _Advis, first_final: int | None) -> Iterator[str]:
    said = {fact["content"] for _, fact in advis.said if fact["code"] == "transient-error"}
    transients = [(place, fact) for place, fact in advis.answers if fact["code"] == "transient-error"]
    if any(fact["content"] not in said for _, fact in transients):
        yield "transient-errors that the primary never gave"
    if first_final is not None and any(place > first_final for place, _ in transients):
        yield "a transient-error after the verdict"


def _judge_resending(found: Judgement, facts: Iterable[Fact]) -> None:
    """A message goes again, in a new envelope, after a negative VANS receipt and for no other reason."""
    envelopes: dict[str, set[str]] = defaultdict(set)
    refused: Counter[str] = Counter()
    finals, is_confirmed = set(), False
    for fact in facts:
        match fact["what"]:
            case "answered":
                envelopes[fact["vans_message"]].add(fact["envelope"])
                if fact["code"] in FINAL:
                    finals.add(fact["vans_message"])
            case "confirmed":
                is_confirmed = True
                refused[fact["vans_message"]] += fact["kind"] == "NegativeMessage"
            case _:
                pass
    often = (message for message, those in envelopes.items() if len(those) > 1 + refused[message])
    found.refuse("messages sent again without cause", often)
    # A transient-error that was refused may have been overtaken by the verdict.
    rarely = (
        message for message in finals if is_confirmed and len(envelopes[message]) < 1 + refused[message]
    )
    found.refuse("messages not sent again after a negative VANS receipt", rarely)


# --- the engines ------------------------------------------------------------------------------------------------------


def _judge_the_end(found: Judgement, facts: Iterable[Fact], engines: int) -> None:
    worked: Counter[tuple[int, str]] = Counter()
    for fact in facts:
        match fact["what"]:
            case "worked":
                worked[fact["engine"], fact["station"]] += fact["count"]
            case "left":
                found.refuse(
                    f"left to do at the end, {fact['name']}", [fact["count"]] if fact["count"] else []
                )
            case "ended":
                found.refuse("engines that ended by themselves", [fact["engine"]] if fact["at_work"] else [])
            case "broken" | "unreadable":
                found.refuse(f"the line itself, {fact['what']}", [fact.get("error") or fact.get("whole")])
            case _:
                pass
    idle = (f"{number} {name}" for number in range(engines) for name in STATIONS if not worked[number, name])
    found.refuse("engines that did no part of the work", idle)


def _count(found: Judgement, facts: Iterable[Fact], sent: Mapping[str, _Advis]) -> None:
    counts = found.counts
    counts["adviser"] = len(sent)
    counts["envelopes"] = sum(len(advis.offered) for advis in sent.values())
    counts["verdicts"] = sum(any(fact["code"] in FINAL for _, fact in each.answers) for each in sent.values())
    for fact in facts:
        match fact["what"]:
            case "acknowledged":
                counts["kvitteringer"] += 1
                counts["late"] += fact["late"]
            case "answered":
                counts[fact["code"]] += 1
            case "confirmed":
                counts["refused answers"] += fact["kind"] == "NegativeMessage"
            case "killed":
                counts["kills"] += 1
            case "stopped":
                counts[f"{fact['server']} stops"] += 1
            case "delivered":
                counts["deliveries"] += 1
            case _:
                pass
