"""The registry: how long an import of all 98 kommuner takes, and how long its lists take to show.

Every figure is of a whole command, start-up and all, as a person waits for it; for the lists, the query's own time in
this process stands beside it. It makes a home of its own. Prints one JSON line; seconds, medians over the rounds.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from engine.clock import SystemClock
from engine.desk.access import caller_identity
from engine.desk.audit import AuditFilter, list_audit
from engine.desk.exchange import registry_records
from engine.desk.exchange_files import KommuneRecord, SystemRecord, to_csv
from engine.desk.office import Office
from engine.desk.procedures import list_procedures
from engine.desk.registry import list_kommuner
from engine.desk.requests import list_requests
from engine.desk.roles import list_roles
from engine.desk.switchovers import list_switchovers
from engine.desk.systems import list_systems
from engine.home import Home
from engine.simulation.roster import SimKommune, demo_roster

KOMMUNER, SYSTEMS = 98, 300
RUN = "import sys; from console.command import main; sys.exit(main())"


def roster() -> tuple[SimKommune, ...]:
    """The 98 with a seed that gives them about 300 systems."""
    return min(
        (demo_roster(KOMMUNER, seed) for seed in range(1, 21)),
        key=lambda drawn: abs(systems_of(drawn) - SYSTEMS),
    )


def systems_of(kommuner: tuple[SimKommune, ...]) -> int:
    return sum(len(kommune.receivers) for kommune in kommuner)


def a_file(kommuner: tuple[SimKommune, ...]) -> bytes:
    """The roster as a CSV file."""
    return to_csv(
        KommuneRecord(
            kommune.code,
            {
                "name": kommune.name,
                "gln": kommune.gln,
                "sor": kommune.sor,
                "contact_email": kommune.contact_email,
            },
            tuple(
                SystemRecord(
                    {
                        "name": receiver.name,
                        "uuid": receiver.uuid,
                        "part": "primært" if receiver.is_primary else "kvitterer",
                        "vendor": receiver.vendor,
                        "vendor_email": receiver.vendor_email,
                        "area": "Sundhed og omsorg",
                        "agreed_by": "Områdechefen",
                        "agreement": "godkendt",
                        "agreement_dates": "anmodet=2026-11-01, godkendt=2026-11-20",
                        "certification": "certificeret",
                        "certified_on": "2026-10-01",
                        "only_kvittering": "ja",
                        "overview": "nej",
                        "local_contact": "Systemejeren",
                    }
                )
                for receiver in kommune.receivers
            ),
        )
        for kommune in kommuner
    )


def command(home: Path, *words: str) -> float:
    """Seconds for a whole command."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    begun = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", RUN, "--home", str(home), *words],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - begun


def in_process(home: Home, work: Callable[[Connection], Any]) -> float:
    """Seconds for the work alone, on a database that is open already."""
    with Office(home) as office, office.reading() as conn:
        begun = time.perf_counter()
        work(conn)
        return time.perf_counter() - begun


def median(rounds: int, measure: Callable[[], float]) -> float:
    return round(statistics.median(measure() for _ in range(rounds)), 4)


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    kommuner = roster()
    file = folder / "register.csv"
    file.write_bytes(a_file(kommuner))
    empty = Home.create(folder / "empty", SystemClock(), caller_identity())
    command(empty.path, "kommune", "list")  # what Python compiles once is compiled now
    command(empty.path, "registry", "import", str(file), "--dry-run")

    def imported() -> float:
        home = folder / "home"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(empty.path, home)
        return command(home, "registry", "import", str(file), "--yes")

    seconds = median(rounds, imported)
    home = Home.open(folder / "home")
    with Office(home) as office, office.reading() as conn:
        records = registry_records(conn)
    assert len(records) == KOMMUNER
    assert sum(len(record.systems) for record in records) == systems_of(kommuner)
    first = records[0].code
    lists: dict[str, tuple[tuple[str, ...], Callable[[Connection], Any]]] = {
        "kommune_list": (("kommune", "list"), list_kommuner),
        "receiver_list": (("receiver", "list", first), lambda conn: list_systems(conn, first)),
        "switchover_list": (("switchover", "list", "--json"), list_switchovers),
        "procedure_list": (("procedure", "list"), list_procedures),
        "request_list": (("request", "list"), list_requests),
        "audit_list": (("audit", "list"), lambda conn: list_audit(conn, AuditFilter())),
        "role_list": (("role", "list"), list_roles),
    }
    return {
        "kommuner": KOMMUNER,
        "systems": systems_of(kommuner),
        "rounds": rounds,
        "import_s": seconds,
        "import_unchanged_s": median(
            rounds, lambda: command(home.path, "registry", "import", str(file), "--yes")
        ),
        "import_dry_run_s": median(
            rounds, lambda: command(empty.path, "registry", "import", str(file), "--dry-run")
        ),
        **{f"{name}_s": shown(home, rounds, words) for name, (words, _) in lists.items()},
        **{
            f"{name}_query_s": median(rounds, lambda work=work: in_process(home, work))  # type: ignore[misc]
            for name, (_, work) in lists.items()
        },
    }


def shown(home: Home, rounds: int, words: tuple[str, ...]) -> float | None:
    """Seconds for the whole command; None where this package does not have it."""
    try:
        return median(rounds, lambda: command(home.path, *words))
    except subprocess.CalledProcessError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None, help="where the home lies; a disk, not memory")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder or Path.cwd()))
    try:
        print(json.dumps(measure(folder, options.rounds)))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
