"""The handbook's list for a major incident, as data (data/incident.toml), filled in for one incident."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

from engine.domain.incident import Cause, Channel, Phase
from engine.local_time import planned_text
from engine.settings import Settings

# A step's target is its key: where it goes, and where the updates that follow it go.
DRIFTSTATUS = "driftstatus"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the list. `address` is set where its channel is mail."""

    key: str
    title: str
    channel: Channel
    address: str | None
    template: str


def steps_of(cause: Cause, settings: Settings) -> Sequence[Step]:
    """The steps that an incident of this cause takes, each by the way that the settings give it."""
    return [
        Step(step["key"], step["title"], *_way(step["key"], settings), step["text"].strip())
        for step in _data()["step"]
        if cause in step.get("causes", list(Cause))
    ]


def title_of(cause: Cause) -> str:
    title: str = _data()["cause"][cause]["title"]
    return title


def facts_of(incident: Any, settings: Settings) -> dict[str, str]:
    """What every text of one incident may use; `incident` is its row."""
    cause = _data()["cause"][incident.cause]
    basis = _as_sentence(incident.basis)
    parties = settings.parties
    return {
        "nr": str(incident.id),
        "titel": incident.title,
        "grundlag": basis,
        "situation": cause["situation"].format(grundlag=basis),
        "følge": cause["consequence"],
        "siden": planned_text(to_the_minute(incident.began_at)),
        "leverandør": parties.supplier,
        "mail": parties.supplier_email,
        "telefon": parties.supplier_phone,
        "beskedfordeler": parties.beskedfordeler,
        "driftstatus": parties.driftstatus_url,
    }


def to_the_minute(at: datetime) -> datetime:
    """What people are told of when needs no seconds."""
    return at.replace(second=0, microsecond=0)


def step_text(step: Step, facts: Mapping[str, str], next_update_at: datetime) -> str:
    return step.template.format(**facts, næste=planned_text(to_the_minute(next_update_at)))


def update_text(
    facts: Mapping[str, str], *, number: int, phase: Phase, text: str, target: str, until: datetime
) -> tuple[str, str]:
    """Title and text of the update that goes the way of the step `target`. `until` is the next update, or the end."""
    template = _data()["resolved" if phase is Phase.RESOLVED else "update"]
    moment = planned_text(to_the_minute(until))
    whom = next(step["whom"] for step in _data()["step"] if step["key"] == target)
    known = {**facts, "antal": number, "fase": phase.danish, "tekst": text, "hvem": whom}
    known |= {"næste": moment, "slut": moment}
    return template["title"].format(**known), template["text"].strip().format(**known)


def _way(key: str, settings: Settings) -> tuple[Channel, str | None]:
    incident = settings.incident
    if key == DRIFTSTATUS:
        return (Channel.HTTP if incident.driftstatus_api else Channel.MANUAL), None
    address = incident.driftsvagt_email if key == "driftsvagt" else incident.beskedfordeler_email
    return (Channel.MAIL, address) if address else (Channel.MANUAL, None)


def _as_sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((resources.files("engine.data") / "incident.toml").read_text(encoding="utf-8"))
