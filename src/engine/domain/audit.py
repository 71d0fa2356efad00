"""What people change: one word per kind of change, and how the entries are chained by hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What a person did."""

    KOMMUNE_CONNECTED = "kommune-connected"
    KOMMUNE_CHANGED = "kommune-changed"
    CONTACT_CHANGED = "contact-changed"
    RECEIVER_ADDED = "receiver-added"
    RECEIVER_CHANGED = "receiver-changed"
    RECEIVER_REMOVED = "receiver-removed"
    NOTED_ADDED = "noted-added"
    NOTED_CHANGED = "noted-changed"
    NOTED_REMOVED = "noted-removed"
    SWITCHOVER_PLANNED = "switchover-planned"
    SWITCHOVER_CHANGED = "switchover-changed"
    SWITCHOVER_CANCELLED = "switchover-cancelled"
    SWITCHOVER_CARRIED_OUT = "switchover-carried-out"
    PROCEDURE_STARTED = "procedure-started"
    STEP_SET = "step-set"
    REQUEST_HANDED_IN = "request-handed-in"
    REQUEST_ACCEPTED = "request-accepted"
    REQUEST_RETURNED = "request-returned"
    FIELD_TYPED = "field-typed"
    ROLE_GRANTED = "role-granted"
    ROLE_REVOKED = "role-revoked"
    CASE_TAKEN = "case-taken"
    CASE_RELEASED = "case-released"
    CASE_NOTED = "case-noted"
    MAINTENANCE_PLANNED = "maintenance-planned"
    MAINTENANCE_CANCELLED = "maintenance-cancelled"
    MAIL_RETRIED = "mail-retried"
    INCIDENT_PROPOSED = "incident-proposed"
    INCIDENT_DECLARED = "incident-declared"
    INCIDENT_DISMISSED = "incident-dismissed"
    INCIDENT_STEP_SET = "incident-step-set"
    INCIDENT_UPDATED = "incident-updated"
    INCIDENT_RESOLVED = "incident-resolved"
    PERSON_SOUGHT = "person-sought"
    PERSON_SHOWN = "person-shown"
    ADVIS_RESENT = "advis-resent"
    QUARANTINE_RETRIED = "quarantine-retried"
    QUARANTINE_DISCARDED = "quarantine-discarded"
    HANDLED = "handled"
    DATABASE_RESTORED = "database-restored"

    @property
    def danish(self) -> str:
        return _DANISH[self]


_DANISH = {
    Action.KOMMUNE_CONNECTED: "kommune tilsluttet",
    Action.KOMMUNE_CHANGED: "kommune ændret",
    Action.CONTACT_CHANGED: "kontaktpunkt ændret",
    Action.RECEIVER_ADDED: "modtagersystem tilføjet",
    Action.RECEIVER_CHANGED: "modtagersystem ændret",
    Action.RECEIVER_REMOVED: "modtagersystem fjernet",
    Action.NOTED_ADDED: "system uden kvittering noteret",
    Action.NOTED_CHANGED: "system uden kvittering ændret",
    Action.NOTED_REMOVED: "system uden kvittering fjernet",
    Action.SWITCHOVER_PLANNED: "omlægning planlagt",
    Action.SWITCHOVER_CHANGED: "omlægning flyttet",
    Action.SWITCHOVER_CANCELLED: "omlægning annulleret",
    Action.SWITCHOVER_CARRIED_OUT: "omlægning gennemført",
    Action.PROCEDURE_STARTED: "procedure begyndt",
    Action.STEP_SET: "trin sat",
    Action.REQUEST_HANDED_IN: "anmodning indsendt",
    Action.REQUEST_ACCEPTED: "anmodning imødekommet",
    Action.REQUEST_RETURNED: "anmodning sendt tilbage",
    Action.FIELD_TYPED: "felt udfyldt",
    Action.ROLE_GRANTED: "rolle givet",
    Action.ROLE_REVOKED: "rolle frataget",
    Action.CASE_TAKEN: "sag taget",
    Action.CASE_RELEASED: "sag givet fri",
    Action.CASE_NOTED: "note til sag",
    Action.MAINTENANCE_PLANNED: "servicevindue planlagt",
    Action.MAINTENANCE_CANCELLED: "servicevindue aflyst",
    Action.MAIL_RETRIED: "mail forsøgt igen",
    Action.INCIDENT_PROPOSED: "hændelse foreslået",
    Action.INCIDENT_DECLARED: "hændelse erklæret",
    Action.INCIDENT_DISMISSED: "hændelse afvist",
    Action.INCIDENT_STEP_SET: "trin i hændelse sat",
    Action.INCIDENT_UPDATED: "hændelse opdateret",
    Action.INCIDENT_RESOLVED: "hændelse løst",
    Action.PERSON_SOUGHT: "borger fremsøgt",
    Action.PERSON_SHOWN: "borgers oplysninger vist",
    Action.ADVIS_RESENT: "advis fordelt igen",
    Action.QUARANTINE_RETRIED: "karantæne prøvet igen",
    Action.QUARANTINE_DISCARDED: "karantæne kasseret",
    Action.HANDLED: "markeret som behandlet",
    Action.DATABASE_RESTORED: "database gendannet",
}

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: who, when, what, and what it was before and after."""

    id: int
    at: datetime
    actor: str
    action: Action
    kommune_code: str | None
    subject: str
    before: Values | None
    after: Values | None
    reason: str | None

    def hash_after(self, previous_hash: str) -> str:
        """SHA-256 of the entry and of the hash before it, so that no entry can be changed, moved or taken out."""
        parts = [
            previous_hash,
            self.id,
            self.at.isoformat(),
            self.actor,
            self.action.value,
            self.kommune_code,
            self.subject,
            self.before,
            self.after,
            self.reason,
        ]
        text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
