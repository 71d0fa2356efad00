from collections import Counter
from datetime import timedelta

import pytest

from engine.domain.acknowledgement import ResponseCode
from engine.simulation import (
    FLAWLESS,
    Habits,
    Lack,
    Pace,
    Script,
    SimKommune,
    Simulation,
    demo_roster,
    folders,
    simulate,
)
from engine.simulation.habits import PRESETS, Manner, course_of
from engine.simulation.hospital import MOST_COPIES
from engine.wire import vans_envelope

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Bench:
    """A simulation and a stand-in for the engine, turned by hand."""

    def __init__(self, home, make_engine, start, beskedtype, *, habits=FLAWLESS, seed=1, every=MINUTE):
        self.home = home
        self.roster = demo_roster(3, seed)
        self.engine = make_engine(home, self.roster)
        self.now = start
        self.simulation = Simulation(
            folders.HomeMailboxes(home),
            Script(
                roster=self.roster,
                seed=seed,
                start=start,
                stay_every=every,
                compression=150,
                habits=habits,
                beskedtype_kvittering=beskedtype,
            ),
        )

    def run(self, for_, *, by=10 * SECOND, engine=True):
        end = self.now + for_
        while self.now < end:
            self.now += by
            self.simulation.step(self.now)
            if engine:
                self.engine.step(self.now)
        return self.simulation.totals


@pytest.fixture
def bench(home, make_engine, start, beskedtype):
    def make(**options):
        return Bench(home, make_engine, start, beskedtype, **options)

    return make


def habits(manner):
    return Habits(**{"prompt": 0.0, manner.value: 1.0})


def test_the_whole_path_with_flawless_receivers(bench):
    stand = bench()
    stand.run(20 * MINUTE)
    stand.simulation.stop_sending()
    stand.simulation.stop_resending()
    totals = stand.run(3 * MINUTE)
    assert stand.simulation.done
    assert stand.simulation.idle
    assert stand.simulation.missing() == ()
    assert totals.sent > 20
    assert totals.copies == 0
    assert totals.receipts == totals.published == totals.answered == totals.sent
    assert totals.answers == {ResponseCode.OK: totals.sent}
    assert totals.receipts_for_answers == totals.sent
    assert len(stand.engine.receipted) == totals.sent  # for answers only, never for receipts
    assert totals.kvitteringer == {ResponseCode.OK: totals.deliveries}
    assert totals.deliveries > totals.sent
    assert (totals.altered, totals.altered_answers, totals.contradictions) == (0, 0, 0)
    assert (totals.unreadable, totals.unknown) == (0, 0)
    assert not list(folders.waiting(stand.home.vans_out))


def test_two_runs_with_the_same_seed_drop_the_same_files(tmp_path, make_engine, start, beskedtype):
    from engine.home import Home

    seen = []
    for name in ("first", "second"):
        home = Home(tmp_path / name)
        for folder in home.folders:
            folder.mkdir(parents=True)
        stand = Bench(home, make_engine, start, beskedtype, seed=5)
        stand.run(10 * MINUTE, engine=False)
        seen.append({path.name: path.read_bytes() for path in folders.waiting(home.vans_in)})
    assert seen[0]
    assert seen[0] == seen[1]


def test_nobody_answers_the_hospital_sends_two_copies_with_new_ids(bench):
    stand = bench(habits=habits(Manner.NEVER), every=timedelta(hours=5))
    stand.run(2 * MINUTE, engine=False)
    stand.simulation.stop_sending()
    sent = stand.simulation.totals.sent
    assert sent >= 1
    totals = stand.run(timedelta(hours=3), by=MINUTE, engine=False)
    assert totals.copies == sent * MOST_COPIES
    envelopes = [vans_envelope.read(path.read_bytes()) for path in folders.waiting(stand.home.vans_in)]
    letters = Counter(envelope.meta.identifier for envelope in envelopes)
    assert set(letters.values()) == {1 + MOST_COPIES}
    assert len({envelope.head.envelope_id for envelope in envelopes}) == len(envelopes)
    assert len({envelope.data for envelope in envelopes}) == len(envelopes)
    assert len(stand.simulation.missing()) == len(envelopes) + sum(
        len(kommune.receivers) for kommune in stand.roster for _ in _adviser_for(kommune, envelopes)
    )


def _adviser_for(kommune, envelopes):
    return {e.meta.identifier for e in envelopes if e.head.receiver.id == kommune.gln}


def test_a_copy_comes_30_minutes_after_and_not_before(bench):
    stand = bench(habits=habits(Manner.NEVER), every=timedelta(hours=5))
    stand.run(1 * MINUTE)
    stand.simulation.stop_sending()
    sent = stand.simulation.totals.sent
    assert stand.run(28 * MINUTE).copies == 0
    assert stand.run(2 * MINUTE).copies == sent


def test_late_answers_come_after_the_first_copy(bench):
    stand = bench(habits=habits(Manner.LATE), every=timedelta(hours=5))
    stand.run(MINUTE)
    stand.simulation.stop_sending()
    early = stand.run(30 * MINUTE)
    assert (early.answered, early.kvitteringer) == (0, {})
    late = stand.run(11 * MINUTE)
    assert late.answered == late.sent == late.copies


def test_negative_receivers(bench):
    stand = bench(habits=habits(Manner.NEGATIVE))
    totals = stand.run(15 * MINUTE)
    assert set(totals.kvitteringer) == set(totals.answers) == {ResponseCode.FATAL_ERROR}


def test_receivers_that_answer_twice_say_the_same_twice(bench):
    stand = bench(habits=habits(Manner.TWICE))
    stand.run(10 * MINUTE)
    stand.simulation.stop_sending()
    totals = stand.run(10 * MINUTE)
    assert totals.kvitteringer == {ResponseCode.OK: 2 * totals.deliveries}
    assert totals.contradictions == 0
    assert totals.answered == totals.sent


def test_a_transient_error_is_followed_by_a_copy_and_an_ok(bench):
    stand = bench(habits=habits(Manner.TRANSIENT), every=timedelta(hours=5))
    stand.run(MINUTE)
    stand.simulation.stop_sending()
    totals = stand.run(35 * MINUTE)
    assert totals.answers == {ResponseCode.TRANSIENT_ERROR: totals.sent, ResponseCode.OK: totals.sent}
    assert totals.kvitteringer[ResponseCode.TRANSIENT_ERROR] == totals.kvitteringer[ResponseCode.OK]
    assert totals.copies >= 1
    assert totals.contradictions == 0


def test_some_copies_are_sent_though_they_are_answered(bench):
    stand = bench(every=10 * SECOND)
    stand.run(30 * MINUTE)
    stand.simulation.stop_sending()
    totals = stand.run(40 * MINUTE)
    assert 0 < totals.copies < totals.sent / 10
    assert totals.repeated_answers == totals.copies
    assert totals.answered == totals.sent


def test_an_engine_that_loses_adviser_is_found_out(bench):
    stand = bench()
    stand.engine.loses_every = 4
    stand.run(20 * MINUTE)
    stand.simulation.stop_sending()
    totals = stand.run(10 * MINUTE)
    assert not stand.simulation.done
    missing = stand.simulation.missing()
    assert {one.lack for one in missing} == {Lack.PUBLICATION}
    assert len({one.message_id for one in missing}) == totals.awaiting_publication == totals.sent // 4
    assert totals.published == totals.sent - totals.sent // 4


def test_an_engine_that_changes_bytes_is_found_out(bench, make_engine):
    stand = bench()
    stand.engine.scribbles = True
    stand.run(10 * MINUTE)
    stand.simulation.stop_sending()
    totals = stand.run(10 * MINUTE)
    assert totals.altered == totals.deliveries > 0
    assert totals.altered_answers == totals.answered == totals.sent


def test_half_written_and_hidden_files_are_left_alone(bench):
    stand = bench()
    (stand.home.vans_out / ".half.xml").write_bytes(b"<half")
    (stand.home.vans_out / "half.part").write_bytes(b"<half")
    assert stand.run(MINUTE).unreadable == 0


def test_what_cannot_be_read_is_counted_once_and_left_lying(bench):
    stand = bench()
    stand.run(MINUTE)
    (stand.home.vans_out / "bad.xml").write_bytes(b"<half")
    totals = stand.run(MINUTE)
    assert totals.unreadable == 1
    assert (stand.home.vans_out / "bad.xml").exists()


def test_files_appear_by_rename_and_in_one_piece(tmp_path):
    folders.drop(tmp_path, "a", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a.xml"]
    assert list(folders.waiting(tmp_path / "nowhere")) == []


def test_manners_are_the_same_in_every_run_and_follow_their_shares():
    manners = Counter(
        course_of(PRESETS["troubled"], seed=1, system="s", message_id=str(n)).manner for n in range(4000)
    )
    assert set(manners) == set(Manner)
    assert manners[Manner.PROMPT] / 4000 == pytest.approx(0.4, abs=0.03)
    first = course_of(PRESETS["troubled"], seed=1, system="s", message_id="m")
    assert first == course_of(PRESETS["troubled"], seed=1, system="s", message_id="m")


@pytest.mark.parametrize("name", list(PRESETS))
def test_the_presets_add_up(name):
    preset = PRESETS[name]
    shares = (preset.prompt, preset.late, preset.negative, preset.twice, preset.transient, preset.never)
    assert sum(shares) == pytest.approx(1.0)


def test_a_kommune_has_one_primary():
    kommune = demo_roster(1, 1)[0]
    with pytest.raises(ValueError, match="exactly one primary"):
        SimKommune(kommune.code, kommune.name, kommune.gln, kommune.sor, kommune.receivers[1:])


def test_simulated_time_catches_up_with_the_clock(start):
    pace = Pace(begins=start, seconds=30, speed=240)
    assert pace.start == start - timedelta(seconds=30 * 239)
    assert pace.at(start + SECOND) - pace.start == timedelta(seconds=240)
    assert pace.at(start + 30 * SECOND) == start + 30 * SECOND
    assert pace.at(start + 40 * SECOND) == start + 40 * SECOND


class WallClock:
    """A clock on the wall that only a sleeper moves; the engine works while he sleeps."""

    def __init__(self, start, engine):
        self.time, self.engine, self.longest = start, engine, 0.0

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.longest = max(self.longest, seconds)
        self.time += timedelta(seconds=seconds)
        self.engine.step(self.time)


def test_simulate_runs_by_the_wall_and_ends_when_all_has_come(home, make_engine, start, beskedtype):
    roster = demo_roster(2, 1)
    clock = WallClock(start, make_engine(home, roster))
    seen = []
    totals, missing = simulate(
        home,
        roster,
        seed=1,
        seconds=20,
        rate=6,
        speed=120,
        beskedtype_kvittering=beskedtype,
        compression=150,
        habits=FLAWLESS,
        sending_share=0.7,
        now=clock.now,
        sleep=clock.sleep,
        observe=lambda simulation: seen.append(simulation.totals.sent),
    )
    assert missing == ()
    assert totals.sent == totals.answered == totals.published
    assert 40 < totals.sent < 120
    assert clock.longest <= 0.1
    assert 20 <= (clock.time - start).total_seconds() < 22
    assert seen == sorted(seen)


def test_simulate_gives_up_after_its_grace(home, make_engine, start, beskedtype):
    roster = demo_roster(2, 1)
    engine = make_engine(home, roster)
    engine.step = lambda _now: None
    clock = WallClock(start, engine)
    totals, missing = simulate(
        home,
        roster,
        seed=1,
        seconds=2,
        rate=5,
        speed=60,
        beskedtype_kvittering=beskedtype,
        grace_seconds=3,
        now=clock.now,
        sleep=clock.sleep,
    )
    assert totals.sent
    assert {one.lack for one in missing} == {Lack.RECEIPT, Lack.PUBLICATION}
    assert 5 <= (clock.time - start).total_seconds() < 6
