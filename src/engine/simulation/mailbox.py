"""Where an actor's messages come from and go to, however they travel."""

from collections.abc import Iterator
from typing import Protocol


class Mailbox(Protocol):
    """One actor's."""

    def fetch(self) -> Iterator[tuple[str, bytes]]:
        """What waits, with a name each, the oldest first; the same again until it was taken or left."""
        ...

    def taken(self, name: str) -> None: ...

    def left(self, name: str) -> None:
        """It cannot be read: it stays for whoever wants to see why, and is not fetched again."""
        ...

    def send(self, name: str, data: bytes) -> None: ...


class Mailboxes(Protocol):
    """The hospitals' VANS, and each receiver's dueslag with the way back."""

    @property
    def vans(self) -> Mailbox: ...

    def of(self, system_uuid: str) -> Mailbox: ...
