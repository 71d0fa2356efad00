"""Names of what has a pulse: stations, channels and regions."""

BESKEDFORDELER = "channel:beskedfordeler"
VANS_OUT = "channel:vans-out"
MAIL = "channel:mail"
DRIFTSTATUS = "channel:driftstatus"
VANS_IN = "channel:vans-in"  # good when an advis came in, copies too
ENGINE = "engine"  # beats while an engine is at work
WATCH = "watch"  # beats while somebody listens for silence
REPORT = "report"  # good when the daily Kvitteringsoverblik was ordered
_STATION, _REGION = "station:", "region:"


def station(name: str) -> str:
    return _STATION + name


def region(code: str) -> str:
    """The adviser of the kommuner of one region."""
    return _REGION + code


def region_of(name: str) -> str | None:
    """The region's code; None where it is no region's pulse."""
    return name.removeprefix(_REGION) if name.startswith(_REGION) else None
