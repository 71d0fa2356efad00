"""How people and systems around the production line behave."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Habits:
    """Shares of all adviser, or of all messages."""

    deadline_s: float = 10.0  # as the engines have it: what comes later is late
    copied: float = 0.05  # sent once more at once, in a new envelope
    copied_when_answered: float = 0.03
    copied_when_transient: float = 0.5  # of those who hear it
    twice_at_once: float = 0.02  # the same envelope to two engines at the same time
    late: float = 0.03
    transient: float = 0.03
    negative: float = 0.05
    repeated: float = 0.03  # the same kvittering twice
    contradicted: float = 0.02  # the primary says the opposite when the hospital has its answer
    vans_refuses: float = 0.02
    receipts: bool = True  # whether hospitals confirm what they get
    negative_receipts: float = 0.02


CALM = Habits(
    deadline_s=2_700,
    copied=0,
    copied_when_answered=0,
    copied_when_transient=0,
    twice_at_once=0,
    late=0,
    transient=0,
    negative=0,
    repeated=0,
    contradicted=0,
    vans_refuses=0,
    receipts=False,
    negative_receipts=0,
)
"""Nothing but adviser, their kvitteringer and their answers: for measuring."""
