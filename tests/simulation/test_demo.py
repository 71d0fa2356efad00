"""The demo's whole loop, with the stand-in for the engine and a clock that only sleeping moves."""

import io
from datetime import timedelta

import pytest
from rich.console import Console

from console.demo import INTERRUPTED, DemoFigures, run_demo


class DemoStandIn:
    def __init__(self, home, make_engine, beskedtype):
        self.home, self.make_engine = home, make_engine
        self.beskedtype_kvittering = beskedtype
        self.running = False
        self.calls = []

    def connect(self, roster):
        for folder in self.home.folders:
            folder.mkdir(parents=True)
        self.engine = self.make_engine(self.home, roster)
        self.calls.append("connect")

    def start(self):
        self.running = True
        self.calls.append("start")

    def stop(self):
        self.running = False
        self.calls.append("stop")

    def step(self, now):
        if self.running:
            self.engine.step(now)

    def figures(self):
        received = len(self.engine.senders)
        return DemoFigures(received=received, published=received, acknowledged=len(self.engine.codes))


@pytest.fixture
def demo(tmp_path, make_engine, start, beskedtype):
    def run(*, prepare=lambda _engine: None, interrupt_after=None, seconds=12.0):
        stands, time = [], [start]

        def make(home):
            stands.append(DemoStandIn(home, make_engine, beskedtype))
            return stands[0]

        def sleep(pause):
            time[0] += timedelta(seconds=pause)
            prepare(stands[0].engine)
            stands[0].step(time[0])
            if interrupt_after is not None and time[0] - start > timedelta(seconds=interrupt_after):
                raise KeyboardInterrupt

        output = io.StringIO()
        status = run_demo(
            tmp_path / "demo",
            seconds,
            3,
            4,
            make_engine=make,
            console=Console(file=output, width=80),
            now=lambda: time[0],
            sleep=sleep,
        )
        assert stands[0].calls == ["connect", "start", "stop"]
        return status, output.getvalue()

    return run


def test_nothing_lost_is_exit_0_and_plain_text(demo, tmp_path):
    status, text = demo()
    assert status == 0
    assert "Intet er gået tabt" in text
    assert str(tmp_path / "demo") in text
    assert "\x1b" not in text
    for word in ("Modtaget", "Fordelt", "Kvitteret", "Besvaret", "Afventer", "Genfremsendelser", "Afvist"):
        assert word in text


def test_something_lost_is_exit_1_and_named(demo):
    def lose(engine):
        engine.loses_every = 3

    status, text = demo(prepare=lose)
    assert status == 1
    assert "Noget mangler" in text
    assert "er ikke nået frem til dueslag" in text
    assert "mere" in text  # the list is cut


def test_ctrl_c_stops_the_engine_and_still_tells(demo):
    status, text = demo(interrupt_after=3)
    assert status == INTERRUPTED
    assert "Afbrudt" in text
    assert "Modtaget" in text
