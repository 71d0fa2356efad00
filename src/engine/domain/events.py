"""Every fact there can be: one kind per decision or change of state, in the past tense, with its Danish sentence.

An event's data never holds personal data: it goes to the trace, the console, logs and reports as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ALARM = "alarm"


class EventKind(StrEnum):
    ADVIS_RECEIVED = "advis-received"
    ADVIS_REFUSED = "advis-refused"
    PROFILE_BROKEN = "profile-broken"
    COPY_RECEIVED = "copy-received"
    COPY_DIFFERED = "copy-differed"
    IDENTITY_CONFLICTED = "identity-conflicted"
    VERDICT_REPEATED = "verdict-repeated"
    REPUBLICATION_ORDERED = "republication-ordered"
    ADVIS_PUBLISHED = "advis-published"
    ADVIS_PUBLISHED_AGAIN = "advis-published-again"
    PUBLICATION_FAILED = "publication-failed"
    PUBLICATION_DELAYED = "publication-delayed"
    KVITTERING_RECEIVED = "kvittering-received"
    KVITTERING_REPEATED = "kvittering-repeated"
    KVITTERING_CONFLICTED = "kvittering-conflicted"
    KVITTERING_UNEXPECTED = "kvittering-unexpected"
    KVITTERING_UNMATCHED = "kvittering-unmatched"
    KVITTERING_MATCHED_LATER = "kvittering-matched-later"
    ANSWER_ORDERED = "answer-ordered"
    ANSWER_SENT = "answer-sent"
    ENVELOPE_FAILED = "envelope-failed"
    RECEIPT_RECEIVED = "receipt-received"
    RECEIPT_NEGATIVE = "receipt-negative"
    RECEIPT_MISSING = "receipt-missing"
    RECEIPT_UNKNOWN = "receipt-unknown"
    ACKNOWLEDGEMENT_FROM_OUTSIDE = "acknowledgement-from-outside"
    QUARANTINED = "quarantined"
    KOMMUNE_CONNECTED = "kommune-connected"
    RECEIVER_ADDED = "receiver-added"
    RECEIVER_REMOVED = "receiver-removed"
    KVITTERING_WAIVED = "kvittering-waived"
    SWITCHOVER_PLANNED = "switchover-planned"
    SWITCHOVER_CHANGED = "switchover-changed"
    SWITCHOVER_CANCELLED = "switchover-cancelled"
    SWITCHOVER_CARRIED_OUT = "switchover-carried-out"
    CASE_OPENED = "case-opened"
    ADVIS_DELAYED = "advis-delayed"
    KVITTERING_MISSED = "kvittering-missed"
    KVITTERING_MISSED_QUIETLY = "kvittering-missed-quietly"
    CASE_TAKEN = "case-taken"
    CASE_RELEASED = "case-released"
    CASE_NOTED = "case-noted"
    CASE_RAISED = "case-raised"
    CASE_ESCALATED = "case-escalated"
    CASE_HELD = "case-held"
    CASE_LET_GO = "case-let-go"
    CASE_CLOSED = "case-closed"
    MAINTENANCE_PLANNED = "maintenance-planned"
    MAINTENANCE_CANCELLED = "maintenance-cancelled"
    MAIL_ORDERED = "mail-ordered"
    MAIL_SENT = "mail-sent"
    MAIL_FAILED = "mail-failed"
    MAIL_REFUSED = "mail-refused"
    MAIL_RETRIED = "mail-retried"
    MAIL_TEXT_BROKEN = "mail-text-broken"
    INCIDENT_PROPOSED = "incident-proposed"
    INCIDENT_ENDED_ITSELF = "incident-ended-itself"
    INCIDENT_CAME_BACK = "incident-came-back"
    INCIDENT_DECLARED = "incident-declared"
    INCIDENT_DISMISSED = "incident-dismissed"
    INCIDENT_STEP_DONE = "incident-step-done"
    INCIDENT_STEP_SKIPPED = "incident-step-skipped"
    INCIDENT_STEP_FAILED = "incident-step-failed"
    INCIDENT_STEP_REFUSED = "incident-step-refused"
    INCIDENT_UPDATED = "incident-updated"
    INCIDENT_UPDATE_DUE = "incident-update-due"
    INCIDENT_RESOLVED = "incident-resolved"
    REGION_SILENT = "region-silent"
    REGION_HEARD = "region-heard"
    ADVIS_RESENT = "advis-resent"
    QUARANTINE_RETRIED = "quarantine-retried"
    QUARANTINE_DISCARDED = "quarantine-discarded"
    HANDLED = "handled"
    STALLED = "stalled"
    MOVED_AGAIN = "moved-again"
    CLOCK_WAS_SET = "clock-was-set"
    DATABASE_RESTORED = "database-restored"
    CERTIFICATE_EXPIRES = "certificate-expires"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_UNUSABLE = "certificate-unusable"
    CERTIFICATE_GOOD = "certificate-good"


_SENTENCES: dict[EventKind, str] = {
    EventKind.ADVIS_RECEIVED: "Modtaget fra {hospital} i konvolut {envelope_id}; afventer kvittering fra {receivers}",
    EventKind.ADVIS_REFUSED: "Afvist med fatal-error: {findings}",
    EventKind.PROFILE_BROKEN: "{count} afvigelse(r) fra MedComs profil; adviset sendes videre",
    EventKind.COPY_RECEIVED: "Kopi modtaget i konvolut {envelope_id}; ikke fordelt igen",
    EventKind.COPY_DIFFERED: "Kopien i konvolut {envelope_id} afviger fra det første advis",
    EventKind.IDENTITY_CONFLICTED: (
        "Konvolut {envelope_id} bruger samme MessageHeader.id til en anden afsender, borger eller kontakt;"
        " sat i karantæne"
    ),
    EventKind.VERDICT_REPEATED: "Samme svar ({code}) sendes igen til sygehuset i konvolut {envelope_id}",
    EventKind.REPUBLICATION_ORDERED: "Fordeles igen under samme BeskedId efter transient-error (runde {round})",
    EventKind.ADVIS_PUBLISHED: "Beskedfordeleren har taget imod (StatusKode 20); BeskedId {besked_id}, frist kl. {due}",
    EventKind.ADVIS_PUBLISHED_AGAIN: "Fordelt igen (runde {round}); ingen frist begynder forfra",
    EventKind.PUBLICATION_FAILED: "Beskedfordeleren tog ikke imod (forsøg {attempts}): {error}; nyt forsøg kl. {next}",
    EventKind.PUBLICATION_DELAYED: "Ikke fordelt efter {hours} timer; forsøgene fortsætter",
    EventKind.KVITTERING_RECEIVED: "Kvittering {code} fra {receiver}{late}",
    EventKind.KVITTERING_REPEATED: "Gentaget kvittering {code} fra {receiver}; ændrer intet",
    EventKind.KVITTERING_CONFLICTED: (
        "Kvittering {code} fra {receiver} modsiger den tidligere ({state}); ikke sendt videre"
    ),
    EventKind.KVITTERING_UNEXPECTED: "Kvittering {code} fra {receiver}, som ikke var spurgt; ikke sendt videre",
    EventKind.KVITTERING_UNMATCHED: "Uafklaret kvittering: {reason}",
    EventKind.KVITTERING_MATCHED_LATER: "En tidligere uafklaret kvittering hører til dette advis",
    EventKind.ANSWER_ORDERED: "Svar {code} fra {receiver} sendes til sygehuset",
    EventKind.ANSWER_SENT: "Svar {code} er sendt til sygehuset i konvolut {envelope_id}",
    EventKind.ENVELOPE_FAILED: (
        "Konvolut {envelope_id} kunne ikke sendes (forsøg {attempts}): {error}; nyt forsøg kl. {next}"
    ),
    # A VANS receipt is never called a kvittering: that word is the receivers' alone.
    EventKind.RECEIPT_RECEIVED: "VANS har bekræftet konvolut {envelope_id}",
    EventKind.RECEIPT_NEGATIVE: "VANS har afvist konvolut {envelope_id} ({error}); den sendes igen",
    EventKind.RECEIPT_MISSING: "VANS har ikke bekræftet konvolut {envelope_id} inden fristen; den sendes igen",
    EventKind.RECEIPT_UNKNOWN: "VANS bekræfter eller afviser en ukendt konvolut {envelope_id}",
    EventKind.ACKNOWLEDGEMENT_FROM_OUTSIDE: "En kvittering udefra er modtaget; en kvittering besvares aldrig",
    EventKind.QUARANTINED: "Sat i karantæne: {reason}",
    EventKind.KOMMUNE_CONNECTED: "{kommune} er tilsluttet med {receiver} som primært modtagersystem",
    EventKind.RECEIVER_ADDED: "{receiver} er tilføjet som modtagersystem",
    EventKind.RECEIVER_REMOVED: "{receiver} er fjernet som modtagersystem{forced}",
    EventKind.KVITTERING_WAIVED: "Kvittering fra {receiver} afventes ikke længere: systemet er fjernet",
    EventKind.SWITCHOVER_PLANNED: "Omlægning planlagt til {at}: {new} bliver primært i stedet for {old}",
    EventKind.SWITCHOVER_CHANGED: "Omlægningen til {new} er flyttet fra {before} til {at}",
    EventKind.SWITCHOVER_CANCELLED: "Omlægningen til {new}, planlagt til {at}, er annulleret",
    EventKind.SWITCHOVER_CARRIED_OUT: "Omlægning gennemført: {new} er primært i stedet for {old} fra {at}{late}",
    EventKind.CASE_OPENED: "Sag {case} åbnet: {what}",
    EventKind.ADVIS_DELAYED: "Beskedfordeleren har ikke taget imod adviset inden {minutes} min; sag {case}",
    EventKind.KVITTERING_MISSED: "Ingen kvittering fra {receiver} inden fristen; sag {case}",
    EventKind.KVITTERING_MISSED_QUIETLY: (
        "Ingen kvittering fra {receiver} inden fristen, men systemet har servicevindue; ingen mail; sag {case}"
    ),
    EventKind.CASE_TAKEN: "Sag {case} er taget af {who}{note}",
    EventKind.CASE_RELEASED: "Sag {case} er givet fri igen{note}",
    EventKind.CASE_NOTED: "Note til sag {case}: {note}",
    EventKind.CASE_RAISED: "Sag {case} rejses igen: {why}",
    EventKind.CASE_ESCALATED: "Ingen har taget sag {case}; {whom}",
    EventKind.CASE_HELD: "Mails om sag {case} holdes tilbage: major incident {incident} forklarer den",
    EventKind.CASE_LET_GO: "Mails om sag {case} holdes ikke længere tilbage: major incident {incident} er slut",
    EventKind.CASE_CLOSED: "Sag {case} er lukket: {why}",
    EventKind.MAINTENANCE_PLANNED: "Servicevindue for {receiver} fra {begins} til {ends}: {reason}",
    EventKind.MAINTENANCE_CANCELLED: "Servicevinduet for {receiver} fra {begins} er aflyst",
    EventKind.MAIL_ORDERED: "Mail til {address}: {subject}",
    EventKind.MAIL_SENT: "Mail er sendt til {address}: {subject}",
    EventKind.MAIL_FAILED: "Mail til {address} kunne ikke sendes (forsøg {attempts}): {error}; nyt forsøg kl. {next}",
    EventKind.MAIL_REFUSED: "Mail til {address} er afvist for bestandig: {error}",
    EventKind.MAIL_RETRIED: "Mail til {address} forsøges igen",
    EventKind.MAIL_TEXT_BROKEN: "Hjemmets egen mailtekst {name} kan ikke bruges: {error}; den indbyggede er brugt",
    EventKind.INCIDENT_PROPOSED: "Major incident {incident} foreslået: {basis}",
    EventKind.INCIDENT_ENDED_ITSELF: "Det, der gav anledning til hændelse {incident}, er ophørt",
    EventKind.INCIDENT_CAME_BACK: "Det, der gav anledning til hændelse {incident}, er tilbage: {basis}",
    EventKind.INCIDENT_DECLARED: "Major incident {incident} erklæret: {title}",
    EventKind.INCIDENT_DISMISSED: "Forslaget om major incident {incident} er afvist: {reason}",
    EventKind.INCIDENT_STEP_DONE: "{step} er udført af {person}{note}",
    EventKind.INCIDENT_STEP_SKIPPED: "{step} er sprunget over: {note}",
    EventKind.INCIDENT_STEP_FAILED: "{step} kunne ikke sendes (forsøg {attempts}): {error}; nyt forsøg kl. {next}",
    EventKind.INCIDENT_STEP_REFUSED: "{step} kan ikke sendes: {error}; det skal gøres manuelt",
    EventKind.INCIDENT_UPDATED: "{phase}: {text}",
    EventKind.INCIDENT_UPDATE_DUE: "Hændelse {incident} skal opdateres inden kl. {due}",
    EventKind.INCIDENT_RESOLVED: "Major incident {incident} er løst: {text}",
    EventKind.REGION_SILENT: "Der kommer intet fra {region}: {basis}",
    EventKind.REGION_HEARD: "Der kommer igen adviser fra {region}",
    EventKind.ADVIS_RESENT: "Fordeles igen under samme BeskedId (runde {round}): {reason}",
    EventKind.QUARANTINE_RETRIED: "{name} er taget ud af karantænen og prøves igen{reason}",
    EventKind.QUARANTINE_DISCARDED: "{name} i karantænen er kasseret: {reason}",
    EventKind.HANDLED: "{what} er behandlet: {note}",
    EventKind.STALLED: "{what} har stået stille i {minutes} min: {detail}",
    EventKind.MOVED_AGAIN: "{what} er i gang igen",
    EventKind.CLOCK_WAS_SET: "Maskinens ur er stillet {seconds} s; alle frister er flyttet med",
    EventKind.DATABASE_RESTORED: (
        "Databasen er gendannet fra sikkerhedskopien fra {at}; det, der skete derefter, er ikke med"
    ),
    EventKind.CERTIFICATE_EXPIRES: "Certifikatet til {uses}{where} udløber {day}, {left}",
    EventKind.CERTIFICATE_EXPIRED: "Certifikatet til {uses}{where} udløb {day}",
    EventKind.CERTIFICATE_UNUSABLE: "Certifikatet til {uses}{where} kan ikke bruges: {error}",
    EventKind.CERTIFICATE_GOOD: "Certifikatet til {uses}{where} er i orden igen og gælder til {day}",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. `actor` is "motor", a receiver's name, a hospital's endpoint or a person's identity."""

    at: datetime
    kind: EventKind
    actor: str
    level: Level
    advis_id: int | None
    kommune_code: str | None
    data: Mapping[str, Any]

    @property
    def sentence(self) -> str:
        """What happened, in Danish; data that is missing shows as a dash, never as an error."""
        return _SENTENCES[self.kind].format_map(_Dashes(self.data))


class _Dashes(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "–"
