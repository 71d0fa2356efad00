"""The console in a real browser: seen, used, for reading alone; and what the page says when it comes to an end."""

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from screenshots.scenes import PERSON, Scene, clock_of
from selenium.webdriver.common.keys import Keys
from tests.servers.chromium import Browser, chromium
from tests.servers.console_web import Web, grant_caller, is_alive, web
from tests.servers.ports import free_port
from tests.servers.postgresql import wait_for
from tests.servers.reverse_proxy import reverse_proxy

from engine.desk.access import Role
from engine.desk.audit import AuditFilter, list_audit
from engine.desk.office import Office
from engine.home import Home
from engine.simulation.certificates import Authority

pytestmark = pytest.mark.timeout(300)

_ENGLISH = re.compile(
    r"\b(session|ended|restart|start|loading|connect|the|and|reload|close|server|error|terminal)\b",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One for all of these: to start it takes longest."""
    with chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture(scope="module")
def home(scene_path: Callable[[Scene], Path], tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A scene in which whoever runs the tests is administrator. Nobody can change it, so it serves them all."""
    found = Home(shutil.copytree(scene_path(Scene.OVERDUE), tmp_path_factory.mktemp("web") / "home"))
    grant_caller(found, Role.ADMINISTRATOR, Scene.OVERDUE)
    return found


@pytest.fixture(scope="module")
def server(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with web(home, tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a server of the test's own stands."""
    found = tmp_path / "server"
    found.mkdir()
    return found


def only_console(server: Web) -> int:
    """The process behind the page; the one of the page before may be about to end."""
    wait_for("one console", lambda: len(server.consoles) == 1)
    (console,) = server.consoles
    return console


def audited(home: Home) -> int:
    with Office(home, PERSON, clock_of(Scene.OVERDUE)) as office, office.visiting() as visit:
        return len(list_audit(visit.conn, AuditFilter(limit=10_000)))


def test_a_person_sees_the_overview_opens_an_advis_and_changes_nothing(
    browser: Browser, server: Web, home: Home
) -> None:
    before = audited(home)
    browser.asked_for()
    browser.complaints()
    browser.opens(server.address)
    browser.sees("[1 Overblik]", "overskredet", "Kræver handling")
    assert browser.driver.title == "Sundhedsagenten"
    assert browser.page == ""  # nothing stands in front of it
    browser.presses("b")
    browser.sees("Her kan kun læses.")
    browser.presses("2")
    browser.sees("[2 Adviser]", "Testhospital")
    browser.presses(Keys.ENTER)
    browser.sees("Adviser ›", "MessageHeader.id", "Modtagersystemer")
    browser.presses(Keys.PAGE_DOWN)
    browser.sees("Modtaget fra Testhospital", "Beskedfordeleren har taget imod")
    browser.presses("a")
    browser.sees("Her kan kun læses.")
    assert audited(home) == before
    address = server.address.partition(":")[2]
    assert {url.partition("?")[0] for url in browser.asked_for()} == {
        f"http:{address}/",
        f"http:{address}/assets/page.css",
        f"http:{address}/assets/page.js",
        f"http:{address}/static/css/xterm.css",
        f"http:{address}/static/fonts/RobotoMono-VariableFont_wght.ttf",
        f"http:{address}/static/js/textual.js",
        f"ws:{address}/ws",
    }
    assert browser.complaints() == []


def test_the_mouse_and_the_size_of_the_window_work(browser: Browser, server: Web) -> None:
    browser.opens(server.address)
    browser.sees("overskredet", "2 Adviser  3 Kvitteringer")
    try:
        browser.driver.set_window_size(760, 640)
        browser.sees("2 Advis  3 Kvitt ")
        browser.driver.set_window_size(500, 400)
        browser.sees("Vinduet er for lille (kræver 60×15)")
    finally:
        browser.driver.set_window_size(1280, 943)
    browser.sees("2 Adviser  3 Kvitteringer")
    browser.driver.execute_script(
        """
        const cell = caught.terminal.element.querySelector(".xterm-screen").getBoundingClientRect();
        const at = {clientX: cell.left + cell.width / caught.terminal.cols * 15.5,
                    clientY: cell.top + cell.height / caught.terminal.rows * 1.5, button: 0, bubbles: true};
        const target = document.elementFromPoint(at.clientX, at.clientY);
        for (const kind of ["mousedown", "mouseup"]) target.dispatchEvent(new MouseEvent(kind, at));
        """
    )
    browser.sees("[2 Adviser]")


def test_a_file_comes_to_the_browser_and_none_to_the_server(browser: Browser, server: Web) -> None:
    browser.opens(server.address)
    browser.sees("overskredet")
    browser.presses("3")
    browser.sees("[3 Kvitteringer]", "Sensum Bosted")
    browser.presses("x")
    browser.sees("Hentes af browseren: kvitteringer.csv")
    wanted = browser.downloads / "kvitteringer.csv"
    wait_for("the file", wanted.exists)
    assert "Sensum Bosted" in wanted.read_text(encoding="utf-8-sig")
    assert list(server.folder.iterdir()) == []


def test_what_is_written_on_a_screen_becomes_no_link(browser: Browser, server: Web) -> None:
    browser.opens(server.address)
    browser.sees("overskredet")
    windows = browser.driver.window_handles
    assert browser.driver.execute_script("return window.open('https://ond.example/')") is None
    assert browser.driver.execute_script("return window.open()") is None
    assert browser.driver.window_handles == windows
    assert not any("ond.example" in url for url in browser.asked_for())


def test_closed_by_the_person_it_can_be_opened_again(browser: Browser, server: Web) -> None:
    browser.opens(server.address)
    browser.sees("overskredet")
    browser.presses("q")
    browser.is_told("Konsollen er lukket. Det mærker motoren ikke.", "Åbn igen")
    assert not _ENGLISH.search(browser.page)
    wait_for("its end", lambda: server.consoles == [])
    browser.presses(Keys.ENTER)
    wait_for("the new one", lambda: browser.page == "" and browser.terminal)
    browser.sees("[1 Overblik]", "overskredet")


def test_broken_down_it_says_so(browser: Browser, server: Web) -> None:
    browser.opens(server.address)
    browser.sees("overskredet")
    os.kill(only_console(server), signal.SIGKILL)
    browser.is_told("Konsollen er standset uventet.", "Siden prøver selv igen om lidt.", "Åbn igen")
    assert not _ENGLISH.search(browser.page)


def test_full_it_says_so(browser: Browser, home: Home, folder: Path) -> None:
    with web(home, folder, "--sessions", "1") as server:
        browser.opens(server.address)
        browser.sees("overskredet")
        first = browser.driver.current_window_handle
        browser.driver.switch_to.new_window("tab")
        try:
            browser.opens(server.address)
            browser.is_told("Der er ikke plads til flere lige nu.", "Siden prøver selv igen om lidt.")
        finally:
            browser.driver.close()
            browser.driver.switch_to.window(first)


def test_when_the_server_is_back_so_is_the_page(browser: Browser, home: Home, folder: Path) -> None:
    port = free_port()
    with web(home, folder, port=port) as server:
        browser.opens(server.address)
        browser.sees("overskredet")
    browser.is_told("Forbindelsen er afbrudt.", "Siden prøver selv igen om lidt.")
    with web(home, folder, port=port):
        wait_for("the page", lambda: browser.page == "" and browser.terminal)
        browser.sees("[1 Overblik]", "overskredet")
        browser.opens("about:blank")


def test_a_browser_that_goes_elsewhere_leaves_no_console(browser: Browser, server: Web) -> None:
    browser.opens(server.address)
    browser.sees("overskredet")
    console = only_console(server)
    browser.opens("about:blank")
    wait_for("its end", lambda: not is_alive(console))


def test_a_line_that_brings_nothing_is_told(browser: Browser, server: Web) -> None:
    browser.opens(server.address)
    browser.sees("overskredet")
    console = only_console(server)
    os.kill(console, signal.SIGSTOP)
    browser.is_told("Forbindelsen er afbrudt.", within=60)
    wait_for("its end", lambda: not is_alive(console))


def test_a_page_of_another_site_opens_no_console(browser: Browser, home: Home, folder: Path) -> None:
    other = folder.with_name("other")
    other.mkdir()
    with web(home, folder) as server, web(home, other) as page:
        browser.opens(f"{page.address}/nix")  # some page, by another origin on this machine
        assert "Her er intet." in browser.driver.page_source
        browser.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
        try:
            browser.opens(f"{page.address}/nix")
            told = browser.runs(
                f"""
                const line = new WebSocket("ws://127.0.0.1:{server.port}/ws?width=80&height=24");
                line.onopen = () => done("open");
                line.onerror = () => done("refused");
                """
            )
        finally:
            browser.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
        assert told == "refused"
        assert f"origin={page.address}" in server.log.read_text()
        assert server.consoles == []


def test_behind_a_proxy_with_a_login(browser: Browser, home: Home, folder: Path) -> None:
    port = free_port()
    public = f"https://localhost:{port}"
    own = Authority(folder.with_name("certificates")).issue("localhost")
    with web(home, folder, "--public-url", public) as server, reverse_proxy(server.address, own, port):
        browser.opens(public)
        assert "Log ind først" in browser.driver.page_source
        browser.complaints()
        browser.opens(f"{public}/?login=rigtigt")
        browser.sees("[1 Overblik]", "overskredet")
        browser.presses("3")
        browser.sees("[3 Kvitteringer]", "Sensum Bosted")
        browser.presses("y")
        browser.sees("Kopieret: rækken")
        browser.presses("x")
        wait_for("the file", lambda: any(browser.downloads.glob("kvitteringer*.csv")))
        assert browser.complaints() == []
        browser.opens("about:blank")
