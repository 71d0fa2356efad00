"""The ports that the engine listens on: free, or held by our own engine."""

import errno
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from engine.domain.checkup import Checked, Subject
from engine.errors import os_reason
from engine.home import Home, is_engine_running

LISTENER = Subject("listen", "Indgang over HTTPS")
MONITOR = Subject("monitor", "Overvågning")
"""Named as the sections of their settings."""

_LISTENS = "0A"  # a socket's state in /proc/net/tcp
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def look_at_port(subject: Subject, home: Home, address: str, port: int) -> list[Checked]:
    where, error, runs = f"{address}, port {port}", _bind_error(address, port), is_engine_running(home)
    if error is None and runs:
        do = (
            "Den er startet med andre indstillinger, eller er ved at starte. Bliver det ved, så genstart den."
        )
        return [subject.fault(f"{where}: motoren kører, men lytter ikke her", do)]
    if error is None:
        return [subject.good(f"{where}: er fri")]
    another = f"vælg en anden {subject.name}.port (0: ingen)"
    if error.errno != errno.EADDRINUSE:
        is_name = isinstance(error, socket.gaierror)
        reason = "ingen maskine hedder sådan" if is_name else os_reason(error)
        return [subject.fault(f"{where}: {reason}", f"Ret {subject.name}.address, eller {another}.")]
    process = engine_process(home) if runs else None
    is_ours = False if not runs else None if process is None else _listens(process, port)
    if is_ours:
        return [subject.good(f"{where}: motoren lytter (proces {process})")]
    if is_ours is None:
        do = "Kør som den bruger, motoren kører som, på samme maskine; eller se efter med: ss -ltnp"
        return [subject.unknown(f"{where}: er i brug, måske af motoren", do)]
    do = f"Find det med: ss -ltnp. Stop det, eller {another}."
    return [subject.fault(f"{where}: er i brug af et andet program", do)]


def engine_process(home: Home) -> int | None:
    """The process that last held the home; None where it is not known."""
    try:
        text = home.lock_file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return int(text) if text.isdigit() else None


def _bind_error(address: str, port: int) -> OSError | None:
    """Why the engine could not listen there; None where it could. Nobody is listened to meanwhile."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error
        except TypeError:  # what cannot be a name at all
            return socket.gaierror()
    return None


def _listens(process: int, port: int) -> bool | None:
    """Whether it listens on the port; None where the machine does not say."""
    try:
        own = set(_sockets(Path(f"/proc/{process}/fd")))
        return any(f"socket:[{inode}]" in own for inode in _listening(port))
    except OSError:
        return None


def _sockets(folder: Path) -> Iterator[str]:
    for entry in folder.iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            yield str(entry.readlink())


def _listening(port: int) -> Iterator[str]:
    """The inodes of the sockets that listen on a port."""
    for table in filter(Path.exists, _TABLES):
        for line in table.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]
