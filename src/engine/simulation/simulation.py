"""The whole outside at once: hospitals and receivers around the engine, by steps or by the wall clock."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from engine.home import Home
from engine.simulation.folders import HomeMailboxes
from engine.simulation.habits import ORDINARY, Habits
from engine.simulation.hospital import Hospitals
from engine.simulation.ledger import Ledger, Missing, Totals
from engine.simulation.mailbox import Mailboxes
from engine.simulation.receiver import Receiver
from engine.simulation.roster import SimKommune
from engine.simulation.stays import MEAN_MESSAGES_PER_STAY, stays

STEP_SECONDS = 0.05  # wall-clock time between two steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is to happen. Times are simulated ones."""

    roster: Sequence[SimKommune]
    seed: int
    start: datetime
    stay_every: timedelta  # a new stay, on average
    compression: float = 1.0  # by how much the stays are shortened
    habits: Habits = ORDINARY
    beskedtype_kvittering: str  # the UUID of MedComKvittering 1.0 in the home's settings


class Simulation:
    """Owns the actors; nothing happens but in `step`, which never sleeps and never looks at a clock."""

    def __init__(self, mailboxes: Mailboxes, script: Script) -> None:
        self._ledger = Ledger()
        plan = stays(
            script.roster,
            seed=script.seed,
            start=script.start,
            every=script.stay_every,
            compression=script.compression,
        )
        self._hospitals = Hospitals(
            mailboxes.vans, script.roster, plan, seed=script.seed, ledger=self._ledger
        )
        self._receivers = [
            Receiver(
                mailboxes.of(receiver.uuid),
                receiver,
                beskedtype=script.beskedtype_kvittering,
                habits=script.habits,
                seed=script.seed,
                ledger=self._ledger,
            )
            for kommune in script.roster
            for receiver in kommune.receivers
        ]

    def step(self, now: datetime, *, silent: Collection[str] = ()) -> None:
        """Let everybody do what is due by `now`, a simulated time; but for the receivers with these UUIDs, who
        neither fetch nor answer meanwhile.
        """
        self._hospitals.step(now)
        for receiver in self._receivers:
            if receiver.uuid not in silent:
                receiver.step(now)

    def stop_sending(self) -> None:
        """No new adviser; copies and answers go on."""
        self._hospitals.stop_sending()

    def stop_resending(self) -> None:
        """No copies either; answers go on."""
        self._hospitals.stop_resending()

    @property
    def totals(self) -> Totals:
        return self._ledger.totals

    @property
    def done(self) -> bool:
        """All is sent, and what the engine owes has come: receipts, publications, the primaries' verdicts."""
        return self._hospitals.sent_all and self._ledger.settled

    @property
    def idle(self) -> bool:
        """No receiver has an answer in preparation."""
        return all(receiver.idle for receiver in self._receivers)

    def missing(self) -> tuple[Missing, ...]:
        return self._ledger.missing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How simulated time follows the wall's: it runs `speed` times as fast and has caught up after `seconds`.

    So no message claims a time in the future, whatever the speed.
    """

    begins: datetime
    seconds: float
    speed: float

    @property
    def start(self) -> datetime:
        """The simulated time at which it begins."""
        return self.at(self.begins)

    def at(self, wall: datetime) -> datetime:
        left = timedelta(seconds=self.seconds) - (wall - self.begins)
        return wall + left - left * self.speed if left > timedelta(0) else wall


def utc_now() -> datetime:
    return datetime.now(UTC)


def simulate(
    home: Home,
    roster: Sequence[SimKommune],
    *,
    seed: int,
    seconds: float,
    rate: float,
    speed: float,
    beskedtype_kvittering: str,
    compression: float = 1.0,
    habits: Habits = ORDINARY,
    sending_share: float = 1.0,
    grace_seconds: float = 10.0,
    now: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
    observe: Callable[[Simulation], None] | None = None,
) -> tuple[Totals, tuple[Missing, ...]]:
    """Act against a home for `seconds` of wall-clock time, about `rate` adviser in each.

    New adviser come during the first `sending_share` of the time, copies to its end, and what is then on its
    way has `grace_seconds` more. Gives the totals and what is missing at the end. `observe` is called after
    each step.
    """
    pace = Pace(begins=now(), seconds=seconds, speed=speed)
    script = Script(
        roster=roster,
        seed=seed,
        start=pace.start,
        stay_every=timedelta(seconds=MEAN_MESSAGES_PER_STAY / rate * speed),
        compression=compression,
        habits=habits,
        beskedtype_kvittering=beskedtype_kvittering,
    )
    simulation = Simulation(HomeMailboxes(home), script)
    while True:
        wall = now()
        passed = (wall - pace.begins).total_seconds()
        if passed >= seconds * sending_share:
            simulation.stop_sending()
        if passed >= seconds:
            simulation.stop_resending()
        simulation.step(pace.at(wall))
        if observe is not None:
            observe(simulation)
        if passed >= seconds and (simulation.done or passed >= seconds + grace_seconds):
            return simulation.totals, simulation.missing()
        sleep(STEP_SECONDS)
