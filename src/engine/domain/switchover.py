"""A switchover (omlægning): the planned moment at which another receiver becomes a kommune's primary."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SwitchoverState(StrEnum):
    """A switchover is planned, and then either done or cancelled, for good."""

    PLANNED = "planned"
    DONE = "done"
    CANCELLED = "cancelled"

    @property
    def danish(self) -> str:
        return {"planned": "planlagt", "done": "gennemført", "cancelled": "annulleret"}[self]


@dataclass(frozen=True, slots=True)
class DueSwitchover:
    """A switchover whose instant has come. An advis received at the instant belongs to the new primary."""

    id: int
    kommune_code: str
    from_receiver_id: int
    to_receiver_id: int
    from_name: str
    to_name: str
    at: datetime
