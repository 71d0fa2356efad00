"""Which pages may open a console in a browser, and which addresses can be a proxy's."""

import pytest

from console.web.front import Front, origin_of

_BEHIND = Front("https://drift.example")


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://drift.example", "https://drift.example"),
        (" https://Drift.Example/ ", "https://drift.example"),
        ("https://drift.example:443", "https://drift.example"),
        ("https://drift.example:8443/", "https://drift.example:8443"),
        ("https://sygehusåben.example", "https://xn--sygehusben-75a.example"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_an_address_becomes_what_browsers_call_it(given: str, origin: str) -> None:
    assert origin_of(given) == origin


@pytest.mark.parametrize(
    "given",
    [
        "",
        "drift.example",
        "http://drift.example",  # what is shown must not go in the clear
        "https://",
        "https://drift.example/agent",
        "https://drift.example?a=1",
        "https://drift.example/#a",
        "https://mette@drift.example",
        "https://drift.example:port",
        "ftp://drift.example",
        "https://drift..example",
    ],
)
def test_an_address_that_cannot_be_one_is_told(given: str) -> None:
    with pytest.raises(ValueError, match=r"skal være som https://drift\.example, uden sti"):
        origin_of(given)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8780", "localhost:8780", "LOCALHOST", "[::1]:8780", "localhost:9"]
)
def test_this_machine_is_known_by_its_own_names(host: str) -> None:
    assert Front().knows(host)
    assert _BEHIND.knows(host)


@pytest.mark.parametrize(
    "host", ["drift.example", "127.0.0.1.drift.example:8780", "localhost.example", "", "[::1", "0.0.0.0:8780"]
)
def test_another_name_for_this_machine_is_not(host: str) -> None:
    assert not Front().knows(host)


def test_the_proxy_may_hand_on_its_own_name_with_or_without_a_port() -> None:
    assert _BEHIND.knows("drift.example")
    assert _BEHIND.knows("Drift.example:443")
    assert not _BEHIND.knows("ond.example")


@pytest.mark.parametrize(
    ("origin", "host", "is_own"),
    [
        ("http://127.0.0.1:8780", "127.0.0.1:8780", True),
        ("http://localhost:9000", "localhost:9000", True),  # by a tunnel, on a port of its own
        ("https://drift.example", "drift.example", True),
        ("https://drift.example", "127.0.0.1:8780", True),  # the proxy has put our own name there
        ("http://drift.example", "drift.example", False),
        ("https://drift.example:8443", "drift.example", False),
        ("https://ond.example", "127.0.0.1:8780", False),
        ("http://localhost:3000", "localhost:8780", False),  # another program's page on the same machine
        ("http://localhost:8780", "127.0.0.1:8780", False),
        ("null", "127.0.0.1:8780", False),
        ("", "127.0.0.1:8780", False),
    ],
)
def test_only_our_own_page_is_let_in(origin: str, host: str, is_own: bool) -> None:
    assert _BEHIND.is_own(origin, host) is is_own


def test_without_a_proxy_nobody_is_the_proxy() -> None:
    assert not Front().is_own("https://drift.example", "drift.example")
    assert not Front().is_own("http://ond.example:8780", "ond.example:8780")


def test_the_page_may_open_a_line_by_the_proxy_whatever_name_it_hands_on() -> None:
    assert _BEHIND.lines("127.0.0.1:8780") == ("ws://127.0.0.1:8780 wss://127.0.0.1:8780 wss://drift.example")
    assert Front().lines("localhost:8780") == "ws://localhost:8780 wss://localhost:8780"
