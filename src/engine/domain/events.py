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
