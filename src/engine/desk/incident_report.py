"""An incident as a report: what happened, who did what and when, what it meant. Free of personal data."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, or_, select

from engine.desk.incidents import Incident, show_incident
from engine.local_time import planned_text
from engine.settings import Settings
from engine.store import tables


@dataclass(frozen=True, slots=True)
class IncidentReport:
    """`minutes` lasts until it was resolved or dismissed, or until now. `delayed` are the adviser of that time that
    took longer than `publish.alarm_after` to the Beskedfordeler, or have not got there yet.
    """

    made_at: datetime
    incident: Incident
    until: datetime
    minutes: int
    received: int
    delayed: int


def report_incident(conn: Connection, settings: Settings, incident_id: int, now: datetime) -> IncidentReport:
    incident = show_incident(conn, incident_id)
    line = incident.line
    until = line.resolved_at or line.dismissed_at or now
    received, delayed = _adviser(conn, line.began_at, until, settings.publish.alarm_after)
    minutes = max(0, (until - line.began_at) // timedelta(minutes=1))
    return IncidentReport(now, incident, until, minutes, received, delayed)


def _adviser(conn: Connection, began: datetime, until: datetime, alarm_after: timedelta) -> tuple[int, int]:
    advis = tables.advis
    took = advis.c.published_at - advis.c.received_at
    is_late = or_(advis.c.published_at.is_(None), took > alarm_after // timedelta(microseconds=1))
    # What came just before was under way when it began.
    of_time = (
        advis.c.received_at >= began - alarm_after,
        advis.c.received_at <= until,
        advis.c.refused.is_(False),
    )
    received = select(func.count()).where(advis.c.received_at >= began, advis.c.received_at <= until)
    delayed = select(func.count()).where(*of_time, is_late)
    return conn.execute(received).scalar_one(), conn.execute(delayed).scalar_one()


def as_data(report: IncidentReport) -> dict[str, Any]:
    """The report for programs."""
    incident = report.incident
    return {
        "made_at": report.made_at,
        "incident": incident.line,
        "minutes": report.minutes,
        "adviser_received": report.received,
        "adviser_delayed": report.delayed,
        "cases_held_back": incident.cases,
        "steps": incident.steps,
        "updates": incident.updates,
        "events": incident.events,
    }


def as_markdown(report: IncidentReport) -> str:
    """The report for people, Danish."""
    incident, line = report.incident, report.incident.line
    facts = [
        ("Årsag", line.cause.danish),
        ("Tilstand", line.stands),
        ("Grundlag", line.basis),
        ("Begyndt", planned_text(line.began_at)),
        ("Foreslået", _by(line.proposed_at, line.proposed_by)),
        ("Erklæret", _by(line.declared_at, line.declared_by)),
        ("Afvist", _by(line.dismissed_at, line.dismissed_by)),
        ("Begrundelse", line.reason),
        ("Ophørt af sig selv", planned_text(line.over_at) if line.over_at else None),
        ("Løst", _by(line.resolved_at, line.resolved_by)),
        ("Varighed", f"{report.minutes // 60} t {report.minutes % 60} min"),
        ("Adviser modtaget imens", str(report.received)),
        ("Adviser forsinket", str(report.delayed)),
        ("Sager holdt tilbage", str(incident.cases)),
    ]
    parts = [
        f"# Hændelse {line.id}: {_plain(line.title)}",
        f"Rapport dannet {planned_text(report.made_at)}.",
        "\n".join(
            ["| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in facts if value)]
        ),
        "## Trin",
        *(_steps(incident) or ["Ingen."]),
        "## Opdateringer",
        *(
            [
                f"- **{planned_text(each.at)}, {each.phase.danish}** ({_plain(each.by)}): {_plain(each.text)}"
                for each in incident.updates
            ]
            or ["Ingen."]
        ),
        "## Forløb",
        "\n".join(
            f"- {planned_text(each.at)}: {_plain(each.sentence)} ({_plain(each.actor)})"
            for each in incident.events
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _steps(incident: Incident) -> list[str]:
    rows = [
        f"| {_cell(step.title)} | {step.channel.danish} | {step.state.danish} | {_cell(step.person or '')} "
        f"| {planned_text(step.done_at) if step.done_at else ''} | {_cell(step.note or step.last_error or '')} |"
        for step in incident.steps
    ]
    head = ["| trin | hvordan | tilstand | hvem | hvornår | note |", "|---|---|---|---|---|---|"]
    return ["\n".join([*head, *rows])] if rows else []


def _by(at: datetime | None, who: str | None) -> str | None:
    return None if at is None else f"{planned_text(at)} af {who}"


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """One line: what people typed cannot begin a heading or end a table."""
    return " ".join(text.split())
