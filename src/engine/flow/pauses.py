"""Growing pauses: every retry has one, so that trouble outside is not made worse from here."""

from datetime import timedelta


def pause(attempts: int, first: timedelta, longest: timedelta) -> timedelta:
    """How long to wait after `attempts` failures: doubles from `first`, never past `longest`."""
    # Past 2^20 the product is over any `longest`; larger powers would overflow a timedelta.
    return min(first * (1 << min(attempts - 1, 20)), longest)
