"""Listening on a port that the settings name."""

import contextlib
import socket
from collections.abc import Iterator

from engine.errors import SettingsError, os_reason

# Requests that are not accepted yet: a burst waits here, and is not refused.
_BACKLOG = 1_024


@contextlib.contextmanager
def bound(address: str, port: int, section: str) -> Iterator[socket.socket]:
    """A socket that listens; SettingsError, which names the keys of the `section`, where it cannot."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((address, port))
        except (socket.gaierror, TypeError) as error:  # a name that nobody has, or that cannot be one
            raise _deaf(address, port, section, "ingen maskine hedder sådan") from error
        except OSError as error:
            raise _deaf(address, port, section, os_reason(error)) from error
        listener.listen(_BACKLOG)
        listener.setblocking(False)  # noqa: FBT003 - its own way
        yield listener


def _deaf(address: str, port: int, section: str, reason: str) -> SettingsError:
    return SettingsError(
        f"Der kan ikke lyttes på {address}, port {port}: {reason}. "
        f"Vælg en anden {section}.port (0: ingen), eller ret {section}.address."
    )
