"""Names of what has a pulse: stations, channels and regions.

Where several engines share a database, what is one engine's own (itself, its inboxes and its stations) has that
engine's name behind it: `inbox:vans@machine:/home`.
"""

BESKEDFORDELER = "channel:beskedfordeler"
VANS_OUT = "channel:vans-out"
MAIL = "channel:mail"
DRIFTSTATUS = "channel:driftstatus"
VANS_IN = "channel:vans-in"  # good when an advis came in, copies too
ENGINE = "engine"  # beats while an engine is at work
WATCH = "watch"  # beats while somebody listens for silence
INBOX_VANS = "inbox:vans"  # since when its oldest delivery lies there, as its engine last saw it
INBOX_BESKEDFORDELER = "inbox:beskedfordeler"
REPORT = "report"  # good when the daily Kvitteringsoverblik was ordered
_STATION, _REGION = "station:", "region:"


def own(name: str, holder: str) -> str:
    """The name of what is one engine's own; `holder` is empty where the engine has its database alone."""
    return f"{name}@{holder}" if holder else name


def parted(name: str) -> tuple[str, str]:
    """The name as it is for every engine, and whose it is; empty where it is everybody's."""
    name, _, holder = name.partition("@")
    return name, holder


def station(name: str) -> str:
    return _STATION + name


def region(code: str) -> str:
    """The adviser of the kommuner of one region."""
    return _REGION + code


def region_of(name: str) -> str | None:
    """The region's code; None where it is no region's pulse."""
    return name.removeprefix(_REGION) if name.startswith(_REGION) else None
