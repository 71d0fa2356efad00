"""An engine of the console's own: a process beside it, which a slow or suspended screen cannot hold up.

It ends with the console. Where the console dies it goes on: adviser matter more than tidiness.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.errors import HomeError
from engine.home import Home, is_engine_running

_READY_S, _ENDS_S = 15.0, 15.0
LOG = "engine.log"


@contextmanager
def own_engine(home: Home) -> Iterator[None]:
    """Run an engine on the home; HomeError where one runs already, or where it does not come up."""
    if is_engine_running(home):
        raise HomeError(f"En motor kører allerede i {home.path}. Åbn konsollen uden --engine.")
    log = os.open(home.path / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    command = [sys.executable, "-m", "engine", "--home", str(home.path), "run"]
    try:
        # A session of its own: Ctrl+C and Ctrl+Z in the terminal are the console's alone.
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    finally:
        os.close(log)
    try:
        _wait_until_ready(home, process)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_ENDS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(home: Home, process: "subprocess.Popen[bytes]") -> None:
    begun = time.monotonic()
    while not is_engine_running(home):
        if process.poll() is not None or time.monotonic() - begun > _READY_S:
            raise HomeError(f"Motoren kom ikke i gang. Se {home.path / LOG}.")
        time.sleep(0.05)
