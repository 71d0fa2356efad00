"""Nothing stalls in silence: every queue, channel and station, with its age limit and what to do past it."""

from dataclasses import dataclass, replace

from engine.domain import pulse


@dataclass(frozen=True, slots=True)
class Watched:
    """`limit` is the setting that says how long it may stand still. `what` and `do` are Danish."""

    name: str
    what: str
    limit: str
    do: str


WATCHED = (
    Watched(
        pulse.INBOX_VANS,
        "Filer fra VANS",
        "incident.unprocessed_after",
        "Se loggen: kører motoren, og er der plads på disken?",
    ),
    Watched(
        pulse.INBOX_BESKEDFORDELER,
        "Kvitteringer fra Beskedfordeleren",
        "incident.unprocessed_after",
        "Se loggen: kører motoren, og er der plads på disken?",
    ),
    Watched(
        "queue:publications",
        "Fordeling til Beskedfordeleren",
        "publish.alarm_after",
        "Se sagerne, og ring til den, der driver Beskedfordeleren.",
    ),
    Watched(
        "queue:envelopes",
        "Konvolutter til VANS",
        "monitor.envelope_after",
        "Ring til VANS-leverandøren: bliver der hentet?",
    ),
    Watched("queue:mails", "Mails", "monitor.mail_after", "Se fejlen: sundhedsagent mail list --waiting"),
    Watched(
        "queue:driftstatus",
        "Meddelelser til driftstatus",
        "monitor.mail_after",
        "Opret dem på hjemmesiden, og sig det: sundhedsagent incident step",
    ),
    Watched(
        "person:quarantine", "Karantænen", "monitor.person_after", "Afgør dem: sundhedsagent quarantine list"
    ),
    Watched(
        "person:unmatched",
        "Uafklarede kvitteringer",
        "monitor.person_after",
        "Se på dem: sundhedsagent kvittering unmatched",
    ),
    Watched(
        "person:proposals",
        "Foreslåede hændelser",
        "monitor.person_after",
        "Erklær eller afvis dem: sundhedsagent incident list --open",
    ),
    Watched(
        "person:mails",
        "Afviste mails",
        "monitor.person_after",
        "Ret adressen, og send igen: sundhedsagent mail list --refused",
    ),
    Watched(
        pulse.BESKEDFORDELER,
        "Beskedfordeleren",
        "publish.alarm_after",
        "Ring til den, der driver Beskedfordeleren.",
    ),
    Watched(pulse.VANS_OUT, "VANS ud", "monitor.envelope_after", "Se loggen, og ring til VANS-leverandøren."),
    Watched(pulse.MAIL, "Mailserveren", "monitor.mail_after", "Se fejlen: sundhedsagent mail list --waiting"),
    Watched(pulse.DRIFTSTATUS, "driftstatus", "monitor.mail_after", "Gør trinnene manuelt imens."),
)
_STATION = "monitor.station_after"
_ENGINE_GONE = (
    "Se, om maskinen kører, og start motoren: det, der ligger i dens mapper, venter."
    " Er motoren nedlagt, glemmes den efter en uge."
)
CHANNELS = {
    pulse.VANS_IN: "VANS ind",
    pulse.VANS_OUT: "VANS ud",
    pulse.BESKEDFORDELER: "Beskedfordeleren",
    pulse.MAIL: "Mail",
    pulse.DRIFTSTATUS: "driftstatus",
}
"""What the engine speaks with, as people call it."""
WAITS_FOR = {
    pulse.BESKEDFORDELER: "queue:publications",
    pulse.VANS_OUT: "queue:envelopes",
    pulse.MAIL: "queue:mails",
    pulse.DRIFTSTATUS: "queue:driftstatus",
}
"""The queue that tries each channel again and again."""


def watched(name: str) -> Watched:
    """What is known of one that is watched; stations are all alike, and regions have words of their own."""
    base, holder = pulse.parted(name)
    if base == pulse.ENGINE:
        return Watched(name, f"Motoren på {holder}", _STATION, _ENGINE_GONE)
    if holder:
        its = watched(base)
        return replace(its, name=name, what=f"{its.what} på {holder}")
    for each in WATCHED:
        if each.name == name:
            return each
    if pulse.region_of(name) is not None:
        return Watched(name, "En region", "", "Ring til regionens driftsvagt og til VANS-leverandøren.")
    station = name.removeprefix(pulse.station(""))
    return Watched(
        name,
        f"Stationen {station}",
        _STATION,
        "Se loggen efter station-failed, og genstart motoren. Intet går tabt.",
    )
