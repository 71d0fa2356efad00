"""Incidents: causes, states, phases and channels (behaviour section 6, the handbook's section 5)."""

from enum import StrEnum


class Cause(StrEnum):
    """Why all kommuner with certainty do not receive."""

    VANS_SILENT = "vans-silent"  # (a) nothing comes in from VANS
    PROCESSING = "processing"  # (b) adviser cannot be processed
    BESKEDFORDELER = "beskedfordeler"  # (c) the Beskedfordeler does not accept
    OTHER = "other"  # (d) another cause, proposed by hand

    @property
    def danish(self) -> str:
        return _CAUSES[self]

    @property
    def explains_misses(self) -> bool:
        """Whether it explains missing kvitteringer. Silence from VANS does not: what was published had come."""
        return self is not Cause.VANS_SILENT


_CAUSES = {
    Cause.VANS_SILENT: "Der kommer ingen adviser fra VANS",
    Cause.PROCESSING: "Adviser kan ikke behandles",
    Cause.BESKEDFORDELER: "Beskedfordeleren tager ikke imod",
    Cause.OTHER: "Anden årsag",
}


class IncidentState(StrEnum):
    PROPOSED = "proposed"
    DECLARED = "declared"
    DISMISSED = "dismissed"
    RESOLVED = "resolved"

    @property
    def danish(self) -> str:
        return _STATES[self]


_STATES = {
    IncidentState.PROPOSED: "foreslået",
    IncidentState.DECLARED: "erklæret",
    IncidentState.DISMISSED: "afvist",
    IncidentState.RESOLVED: "løst",
}


class Phase(StrEnum):
    """How far the work on a declared incident has come, in the words of driftstatus."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"

    @property
    def danish(self) -> str:
        return _PHASES[self]


_PHASES = {
    Phase.INVESTIGATING: "Undersøges",
    Phase.IDENTIFIED: "Identificeret",
    Phase.MONITORING: "Overvåges",
    Phase.RESOLVED: "Løst",
}


class Channel(StrEnum):
    """How a step reaches those whom it is for."""

    MAIL = "mail"
    HTTP = "http"
    MANUAL = "manual"

    @property
    def danish(self) -> str:
        return {"mail": "e-mail", "http": "HTTP", "manual": "manuelt"}[self.value]


class IncidentStepState(StrEnum):
    OPEN = "open"  # a person is to do it
    SENDING = "sending"  # the engine is sending it
    DONE = "done"
    SKIPPED = "skipped"  # by a person, with a note

    @property
    def danish(self) -> str:
        return {"open": "mangler", "sending": "sendes", "done": "udført", "skipped": "sprunget over"}[
            self.value
        ]
