"""The ports that the engine listens on."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.doctor import ports
from engine.doctor.ports import LISTENER, MONITOR, look_at_port
from engine.domain.checkup import Checked, Verdict
from engine.home import Home, engine_lock
from tests.doctor.conftest import only
from tests.servers.ports import free_port

FAULT, GOOD, UNKNOWN = Verdict.FAULT, Verdict.GOOD, Verdict.UNKNOWN
HERE = "127.0.0.1"


def look(home: Home, port: int, address: str = HERE) -> Checked:
    return only(look_at_port(MONITOR, home, address, port))


@contextmanager
def listening(address: str = HERE) -> Iterator[int]:
    """This process listens."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        yield server.getsockname()[1]


@contextmanager
def another_program() -> Iterator[int]:
    """Another process listens."""
    program = (
        "import socket, sys\n"
        "with socket.create_server(('127.0.0.1', 0)) as s:\n"
        "    print(s.getsockname()[1], flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.communicate("", timeout=10)


def test_a_free_port_is_fine_where_no_engine_runs(home: Home) -> None:
    port = free_port()
    line = look(home, port)
    assert (line.verdict, line.found) == (GOOD, f"127.0.0.1, port {port}: er fri")


def test_to_look_is_not_to_listen(home: Home) -> None:
    port = free_port()
    look(home, port)
    with socket.create_server((HERE, port)):
        pass


@pytest.mark.parametrize("address", [HERE, "::1"])
def test_a_port_that_our_engine_holds_is_fine(home: Home, address: str) -> None:
    """This process is the engine: it has the lock, and it listens."""
    try:
        with engine_lock(home), listening(address) as port:
            line = look(home, port, address)
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert (line.verdict, line.found) == (
        GOOD,
        f"{address}, port {port}: motoren lytter (proces {os.getpid()})",
    )


def test_a_port_that_another_program_holds_is_a_fault(home: Home) -> None:
    with another_program() as port:
        alone = look(home, port)
        with engine_lock(home):
            beside_the_engine = look(home, port)
    for line in (alone, beside_the_engine):
        assert (line.verdict, line.found) == (FAULT, f"127.0.0.1, port {port}: er i brug af et andet program")
        assert "monitor.port" in line.do


def test_the_engine_of_before_does_not_hold_it_now(home: Home) -> None:
    """The lock's file still names a process, but nobody holds the lock."""
    with engine_lock(home):
        pass
    with listening() as port:
        assert look(home, port).verdict is FAULT


def test_an_engine_that_does_not_listen_is_a_fault(home: Home) -> None:
    with engine_lock(home):
        line = look(home, free_port())
    assert (line.verdict, "motoren kører, men lytter ikke her" in line.found) == (FAULT, True)


def test_whose_it_is_may_be_unknown(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is another user's, or in a container of its own."""
    with another_program() as port, engine_lock(home):
        home.lock_file.write_text("2147483646\n")  # no such process here
        assert look(home, port).verdict is UNKNOWN
        home.lock_file.write_text("")
        assert look(home, port).verdict is UNKNOWN


def test_a_machine_without_ipv6_is_asked_all_the_same(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_TABLES", (ports._TABLES[0], home.path / "none"))
    with engine_lock(home), listening() as port:
        assert look(home, port).verdict is GOOD


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("192.0.2.1", "maskinen har ikke den adresse"),
        ("a..b", "ingen maskine hedder sådan"),
        ("æ" * 70, "ingen maskine hedder sådan"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_a_fault(home: Home, address: str, reason: str) -> None:
    line = only(look_at_port(LISTENER, home, address, free_port()))
    assert (line.verdict, line.found.endswith(reason)) == (FAULT, True)
    assert "listen.address" in line.do
