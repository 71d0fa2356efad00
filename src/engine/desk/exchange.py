"""The whole registry out to a file and back in: an import adds and changes, and never removes.

Everything goes by the desk's own use cases, so that every rule holds and every change is audited. Each line runs
in a savepoint of its own: all that is wrong in a file is told at once, and nothing of it is kept.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Connection, select

from engine.desk.act import Act
from engine.desk.exchange_files import (
    ACKNOWLEDGES,
    KOMMUNE,
    NO,
    PRIMARY,
    SYSTEM,
    WITHOUT,
    YES,
    YES_OR_NO,
    Cells,
    Fault,
    KommuneRecord,
    Place,
    RegistryFile,
    SystemRecord,
)
from engine.desk.facts import NEEDED_IN_ADM, NEEDED_TO_ADD, WORDS, GivenFacts, checked_facts, from_columns
from engine.desk.kommuner import ConnectKommune, change_kommune, connect_kommune, set_contact
from engine.desk.noted import edit_noted, note_receiver
from engine.desk.office import Office
from engine.desk.receivers import add_receiver, edit_receiver
from engine.desk.registry import find_kommune
from engine.desk.typed import TypedField, noted_row, receiver_row, typed_values
from engine.domain.registration import (
    ServiceAgreement,
    SystemFacts,
    checked_email,
    checked_gln,
    checked_sor,
    checked_text,
)
from engine.errors import NotFoundError, OutdatedError, RuleError
from engine.store import tables

T = TypeVar("T")

_OF_RECEIVERS = ("only_kvittering", "monitored_from", "overview", "overview_emails")
"""What is kept of a system that acknowledges alone."""

_NEVER_EMPTY = ("agreement", "certification")
_PARTS = (PRIMARY, ACKNOWLEDGES, WITHOUT)
_NEEDED_TO_NOTE = ("name", "vendor", "vendor_email", "area", "agreed_by")
_TYPED = {
    "local_contact": TypedField.LOCAL_CONTACT,
    "vendor_contact": TypedField.VENDOR_CONTACT,
    "comment": TypedField.COMMENT,
}
_KOMMUNE_CHECKS: Mapping[str, Callable[[str], str]] = {
    "gln": checked_gln,
    "sor": checked_sor,
    "contact_email": lambda text: checked_email(text, "kontaktpunktets e-mailadresse"),
    "contact_note": lambda text: checked_text(text, "noten om andre kanaler"),
}
_NEEDED_TO_CONNECT = ("gln", "sor", "contact_email")


class ChangeKind(StrEnum):
    CONNECTED = "connected"
    ADDED = "added"
    NOTED = "noted"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field, named as in a file, as it was and as it is."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """What an import does to a kommune (then there is no system) or to a system."""

    place: str
    kind: ChangeKind
    kommune: str
    kommune_name: str
    system: str
    uuid: str
    part: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class Absent:
    """A system that is registered but does not stand in the file. It stays as it is."""

    kommune: str
    kommune_name: str
    system: str
    uuid: str
    part: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an import does, or would do; with faults, nothing."""

    changes: tuple[Change, ...]
    unchanged: int  # systems
    absent: tuple[Absent, ...]
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]

    @property
    def new_receivers(self) -> tuple[str, ...]:
        """The UUIDs of those that acknowledge from now on."""
        return tuple(change.uuid for change in self.changes if change.kind is ChangeKind.ADDED)

    def count(self, kind: ChangeKind, *, systems: bool = True) -> int:
        return sum(change.kind is kind and bool(change.part) is systems for change in self.changes)


# --- out --------------------------------------------------------------------------------------------------------------


def registry_records(conn: Connection) -> tuple[KommuneRecord, ...]:
    """The connected kommuner, and those with noted systems, with all their systems; the primaries first."""
    found = _snapshot(conn)
    return tuple(
        KommuneRecord(code, found.kommuner[code], tuple(map(SystemRecord, systems.values())))
        for code, systems in sorted(found.systems.items())
    )


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The registry as a file has it, by the rows it is kept in."""

    kommuner: dict[str, Cells]  # every kommune there is
    connected: frozenset[str]
    systems: dict[str, dict[str, Cells]]  # code → row → cells


def _snapshot(conn: Connection) -> _Snapshot:
    kommune, connection, unit = tables.kommune, tables.connection, tables.unit
    query = (
        select(
            kommune.c.code,
            kommune.c.name,
            unit.c.gln,
            unit.c.sor,
            connection.c.contact_email,
            connection.c.contact_note,
            connection.c.primary_receiver_id,
        )
        .outerjoin(connection, connection.c.kommune_code == kommune.c.code)
        .outerjoin(unit, unit.c.kommune_code == kommune.c.code)
        .order_by(kommune.c.code, unit.c.gln)
    )
    kommuner: dict[str, Cells] = {}
    primaries = {}
    for row in conn.execute(query):
        cells = {key: getattr(row, key) or "" for key in KOMMUNE if key != "code"}
        kommuner.setdefault(row.code, cells)  # the first unit is the one that `kommune edit` changes
        if row.primary_receiver_id is not None:
            primaries[row.code] = row.primary_receiver_id
    return _Snapshot(kommuner, frozenset(primaries), _systems(conn, frozenset(primaries.values())))


def _systems(conn: Connection, primaries: frozenset[int]) -> dict[str, dict[str, Cells]]:
    typed = {(code, row, field): value.value for (code, row, field), value in typed_values(conn).items()}
    found: dict[str, dict[str, Cells]] = {}

    def take(row: Any, key: str, part: str) -> None:
        own = {name: typed.get((row.kommune_code, key, field), "") for name, field in _TYPED.items()}
        found.setdefault(row.kommune_code, {})[key] = _cells(from_columns(row), part) | own

    receiver, noted = tables.receiver, tables.noted_receiver
    query = select(receiver).where(receiver.c.removed_at.is_(None)).order_by(receiver.c.id)
    rows = conn.execute(query).all()
    for row in sorted(rows, key=lambda row: row.id not in primaries):
        take(row, receiver_row(row.id), PRIMARY if row.id in primaries else ACKNOWLEDGES)
    for row in conn.execute(select(noted).where(noted.c.removed_at.is_(None)).order_by(noted.c.id)):
        take(row, noted_row(row.id), WITHOUT)
    return found


def _cells(facts: SystemFacts, part: str) -> dict[str, str]:
    """A system's facts as they stand in a file, in the order of its columns; what people type in comes after."""
    dates = facts.agreement_dates
    cells = {
        "name": facts.name,
        "uuid": facts.uuid,
        "part": part,
        "vendor": facts.vendor,
        "vendor_email": facts.vendor_email,
        "area": facts.area,
        "agreed_by": facts.agreed_by,
        "agreement": facts.agreement.value,
        "agreement_dates": ", ".join(
            f"{state}={dates[state]}" for state in map(str, ServiceAgreement) if state in dates
        ),
        "certification": facts.certification.value,
        "certified_on": facts.certified_on.isoformat() if facts.certified_on else "",
        "connected_on": facts.connected_on.isoformat() if facts.connected_on else "",
        "only_kvittering": YES if facts.only_kvittering else NO,
        "monitored_from": facts.monitored_from.isoformat() if facts.monitored_from else "",
        "overview": YES if facts.overview_enrolled else NO,
        "overview_emails": ", ".join(facts.overview_emails),
    }
    return cells if part != WITHOUT else cells | dict.fromkeys(_OF_RECEIVERS, "")


# --- in ---------------------------------------------------------------------------------------------------------------


def preview_import(office: Office, file: RegistryFile) -> Outcome:
    """What an import of the file would do, with all that is wrong in it. Nothing is kept of it."""
    with suppress(_RolledBackError), office.administering() as act:
        outcome = import_registry(act, file)
        raise _RolledBackError
    return outcome


def apply_import(office: Office, file: RegistryFile, *, shown: Outcome | None = None) -> Outcome:
    """Import the file, all of it or, with a RuleError that tells every fault, none of it.

    OutdatedError where it would do something else than what was `shown`, for somebody changed the registry meanwhile.
    """
    with office.administering() as act:
        outcome = import_registry(act, file)
        if shown is not None and outcome != shown:
            raise OutdatedError(
                "Registret er ændret, siden du så, hvad importen ville gøre; nu ville den gøre noget andet. "
                "Intet er ændret. Kør importen igen, og se, hvad den gør nu."
            )
        if outcome.faults:
            raise RuleError(faults_text(outcome.faults))
    return outcome


def faults_text(faults: Sequence[Fault]) -> str:
    """Every fault on a line of its own."""
    lines = [f"  {fault.text}".replace("\n", "\n    ") for fault in faults]
    told = "Der er 1 fejl i filen" if len(faults) == 1 else f"Der er {len(faults)} fejl i filen"
    return "\n".join((f"{told}; intet er ændret.", *lines))


class _RolledBackError(Exception):
    """Ends a transaction of which nothing is to be kept."""


def import_registry(act: Act, file: RegistryFile) -> Outcome:
    """Import within the caller's transaction. With faults in the outcome, the caller must roll it back."""
    before = _snapshot(act.conn)
    work = _Import(act, before, list(file.faults))
    for kommune in file.kommuner:
        work.take(kommune)
    after = _snapshot(act.conn)
    changes = [_kommune_change(kommune, before, after) for kommune in file.kommuner]
    changes += [_system_change(place, code, key, before, after) for place, code, key in work.lines]
    made = sorted((change for change in changes if change[1].fields), key=lambda change: change[0].number)
    return Outcome(
        changes=tuple(change for _, change in made),
        unchanged=sum(bool(change.part) and not change.fields for _, change in changes),
        absent=_absent(before, {(code, key) for _, code, key in work.lines}),
        faults=tuple(sorted(work.faults, key=lambda fault: fault.place.number)),
        notes=file.notes,
    )


def _kommune_change(kommune: KommuneRecord, before: _Snapshot, after: _Snapshot) -> tuple[Place, Change]:
    code = kommune.code
    old, new = before.kommuner.get(code, {}), after.kommuner.get(code, {})
    is_new = code in after.connected - before.connected
    kind = ChangeKind.CONNECTED if is_new else ChangeKind.CHANGED
    fields = _differing(KOMMUNE, old, new)
    name = new.get("name", "")
    return kommune.place, Change(kommune.place.text, kind, code, name, "", "", "", fields)


def _system_change(
    place: Place, code: str, key: str, before: _Snapshot, after: _Snapshot
) -> tuple[Place, Change]:
    old, new = before.systems.get(code, {}).get(key, {}), after.systems[code][key]
    added = ChangeKind.NOTED if new["part"] == WITHOUT else ChangeKind.ADDED
    kind = ChangeKind.CHANGED if old else added
    fields = _differing(SYSTEM, old, new)
    name = after.kommuner[code]["name"]
    return place, Change(place.text, kind, code, name, new["name"], new["uuid"], new["part"], fields)


def _differing(columns: Mapping[str, str], old: Cells, new: Cells) -> tuple[FieldChange, ...]:
    pairs = ((heading, old.get(key, ""), new.get(key, "")) for key, heading in columns.items())
    return tuple(FieldChange(heading, was, now) for heading, was, now in pairs if was != now)


def _absent(before: _Snapshot, named: set[tuple[str, str]]) -> tuple[Absent, ...]:
    return tuple(
        Absent(code, before.kommuner[code]["name"], cells["name"], cells["uuid"], cells["part"])
        for code, systems in sorted(before.systems.items())
        for key, cells in systems.items()
        if (code, key) not in named
    )


@dataclass(slots=True)
class _Line:
    """One system of a file, and the row that it is about; without a row it is new."""

    record: SystemRecord
    part: str = ""  # as the file says, and where it says nothing, as it is
    key: str = ""
    is_refused: bool = False

    def cell(self, key: str) -> str:
        return " ".join(self.record.cells.get(key, "").split()).casefold()

    def fits(self, cells: Cells) -> bool:
        """Whether both acknowledge, or neither."""
        return not self.part or (self.part == WITHOUT) == (cells["part"] == WITHOUT)

    def has_uuid_of(self, cells: Cells) -> bool:
        return bool(cells["uuid"]) and self.cell("uuid") == cells["uuid"]

    def has_name_of(self, cells: Cells) -> bool:
        """A name alone tells only where one of the two has no UUID."""
        return not (self.cell("uuid") and cells["uuid"]) and self.cell("name") == _folded(cells["name"])


class _Import:
    """One import: its lines in the order of the file, and all that is wrong in them."""

    def __init__(self, act: Act, before: _Snapshot, faults: list[Fault]) -> None:
        self.faults = faults
        self.lines: list[tuple[Place, str, str]] = []  # those that are done: place, kommune's code, row
        self._act = act
        self._before = before

    def take(self, kommune: KommuneRecord) -> None:
        """A kommune with its systems."""
        is_known = self._check_kommune(kommune)
        was_connected = kommune.code in self._before.connected
        lines = self._matched(kommune)
        first = self._first(kommune, lines) if is_known and not was_connected else None
        own = self._kommune_cells(kommune, connected=was_connected or first is not None)
        given = [self._given(line, is_first=line is first) for line in lines]
        if not is_known:
            return
        if was_connected and own:
            self._change(kommune, own)
        is_connected = was_connected
        if first is not None:
            facts = given[lines.index(first)]
            is_connected = own is not None and facts is not None and self._connect(kommune, first, own, facts)
        for line, facts in zip(lines, given, strict=True):
            if line is not first and facts is not None and (is_connected or line.part == WITHOUT):
                self._take_line(kommune.code, line, facts)

    def _fault(self, record: KommuneRecord | SystemRecord, told: object, column: str = "") -> None:
        shown = record.shown if isinstance(record, SystemRecord) else ""
        self.faults.append(Fault(record.place, str(told), column, shown))

    def _refuse(self, line: _Line, told: str, column: str = "") -> None:
        self._fault(line.record, told, column)
        line.is_refused = True

    def _try(self, record: KommuneRecord | SystemRecord, work: Callable[[], T]) -> T | None:
        """Do it in a savepoint; None where a rule refuses it, and then nothing of it is left."""
        try:
            with self._act.conn.begin_nested():
                return work()
        except (RuleError, NotFoundError) as error:
            self._fault(record, error)
            return None

    # The kommune

    def _check_kommune(self, kommune: KommuneRecord) -> bool:
        """Whether there is such a kommune. Its name is there to guard against a wrong code."""
        own = self._before.kommuner.get(kommune.code)
        if own is None:
            try:
                find_kommune(self._act.conn, kommune.code)
            except NotFoundError as error:
                self._fault(kommune, error, KOMMUNE["code"])
            return False
        told = kommune.cells.get("name", "")
        if told.strip() and _short(told) != _short(own["name"]):
            self._fault(kommune, f"{kommune.code} er {own['name']}, men her står {told!r}.", KOMMUNE["name"])
        return True

    def _first(self, kommune: KommuneRecord, lines: Sequence[_Line]) -> _Line | None:
        """The line that a kommune is connected with: exactly one is marked as its primary."""
        marked = [line for line in lines if line.part == PRIMARY]
        for line in marked[1:]:
            told = f"Kommunen har ét primært system, og {marked[0].record.shown} er allerede mærket som det."
            self._refuse(line, told, SYSTEM["part"])
        to_connect = [key for key in _NEEDED_TO_CONNECT if kommune.cells.get(key, "").strip()]
        is_meant = bool(to_connect) or any(line.part == ACKNOWLEDGES for line in lines)
        # Where a line cannot be read, or its part cannot, it may have been this one's.
        is_clear = kommune.is_whole and all(line.part for line in lines)
        if is_meant and is_clear and not marked:
            name = self._before.kommuner[kommune.code]["name"]
            told = f"{name} er ikke tilsluttet endnu, og intet af dens systemer er mærket {PRIMARY}."
            self._fault(kommune, told, SYSTEM["part"])
        return marked[0] if marked else None

    def _kommune_cells(self, kommune: KommuneRecord, *, connected: bool) -> dict[str, str] | None:
        """What the file says of the kommune, as it is kept; None where some of it is wrong."""
        found: dict[str, str] = {}
        is_new = connected and kommune.code not in self._before.connected
        is_wrong = False
        for key, check in _KOMMUNE_CHECKS.items():
            text = kommune.cells.get(key)
            if text is None and is_new and key in _NEEDED_TO_CONNECT:
                self._fault(kommune, "Kolonnen mangler, og kommunen er ikke tilsluttet endnu.", KOMMUNE[key])
                is_wrong = True
            if text is None or not (connected or text.strip()):
                continue
            try:
                found[key] = check(text)
            except RuleError as error:
                self._fault(kommune, f"{error}{_mangled(text)}", KOMMUNE[key])
                is_wrong = True
        return None if is_wrong else found

    def _connect(self, kommune: KommuneRecord, first: _Line, own: dict[str, str], facts: GivenFacts) -> bool:
        order = ConnectKommune(code=kommune.code, primary=facts, **own)
        done = self._try(first.record, lambda: connect_kommune(self._act, order, checklists=False))
        if done is not None:
            self.lines.append((first.record.place, kommune.code, receiver_row(done.receiver_id)))
        return done is not None

    def _change(self, kommune: KommuneRecord, own: dict[str, str]) -> None:
        code, act, now = kommune.code, self._act, self._before.kommuner[kommune.code]
        new = {key: value for key, value in own.items() if value != now[key]}
        if "gln" in new or "sor" in new:
            self._try(kommune, lambda: change_kommune(act, code, gln=new.get("gln"), sor=new.get("sor")))
        if "contact_email" in new or "contact_note" in new:
            email, note = new.get("contact_email"), new.get("contact_note")
            self._try(kommune, lambda: set_contact(act, code, email=email, note=note, checklists=False))

    # Its systems

    def _matched(self, kommune: KommuneRecord) -> list[_Line]:
        """Every line with the row that it is about: by UUID first, then, of those that are noted, by name."""
        systems = self._before.systems.get(kommune.code, {})
        lines = [self._line(record) for record in kommune.systems]
        free = dict(systems)
        for by_name in (False, True):
            for line in lines:
                found = (
                    [] if line.key else [key for key in free if _is_about(line, free[key], by_name=by_name)]
                )
                if len(found) > 1:
                    told = "Flere systemer uden kvittering i kommunen hedder sådan; skriv systemets UUID."
                    self._refuse(line, told, SYSTEM["uuid"])
                elif found:
                    line.key = found[0]
                    free.pop(line.key)
        for line in lines:
            line.part = line.part or systems.get(line.key, {}).get("part", "")
            if not line.is_refused:
                self._settle_part(kommune.code, line, systems.get(line.key), tuple(free.values()))
        return lines

    def _line(self, record: SystemRecord) -> _Line:
        line = _Line(record)
        word = line.cell("part")
        if word in _PARTS:
            line.part = word
        elif "part" in record.cells:
            told = f"Skal være {', '.join(_PARTS[:-1])} eller {_PARTS[-1]}, men er {record.cells['part']!r}."
            self._refuse(line, told, SYSTEM["part"])
        return line

    def _settle_part(self, code: str, line: _Line, now: Cells | None, others: Sequence[Cells]) -> None:
        """What the system is in its kommune. What a procedure alone may change is refused, and the procedure named."""
        if now is not None:
            if line.part != now["part"]:
                self._refuse(line, self._no_switchover(code, now["part"]), SYSTEM["part"])
            return
        turned = [cells for cells in others if line.has_uuid_of(cells) or _is_renamed_part(line, cells)]
        if turned:
            self._refuse(line, self._no_turning(code, turned[0]), SYSTEM["part"])
        elif not line.part:
            self._refuse(line, "Kolonnen mangler, og systemet er nyt.", SYSTEM["part"])
        elif line.part == PRIMARY and code in self._before.connected:
            self._refuse(line, self._no_switchover(code, ""), SYSTEM["part"])

    def _no_switchover(self, code: str, was: str) -> str:
        name = self._before.kommuner[code]["name"]
        told = "det primære" if was == PRIMARY else "ikke det primære"
        first = "" if was else "Tilføj det først som kvitterer. "
        return (
            f"Systemet er {told} i {name}; det ændrer en import ikke. {first}"
            f"Planlæg en omlægning (3.3): sundhedsagent switchover plan {code} …"
        )

    def _no_turning(self, code: str, now: Cells) -> str:
        name = self._before.kommuner[code]["name"]
        if now["part"] == WITHOUT:
            return (
                f"{_shown(now)} er noteret uden kvittering i {name}; det ændrer en import ikke. Fjern noten (3.5): "
                f"sundhedsagent receiver remove-without-ack {code} …, og tilføj systemet (3.1): "
                f"sundhedsagent receiver add {code} …"
            )
        return (
            f"{_shown(now)} kvitterer i {name}; det ændrer en import ikke. Fjern systemet (3.2): "
            f"sundhedsagent receiver remove {code} …, og notér det uden kvittering (3.4): "
            f"sundhedsagent receiver note-without-ack {code} …"
        )

    def _given(self, line: _Line, *, is_first: bool) -> GivenFacts | None:
        """The facts of a line; None where some of it is wrong. Every cell is checked by itself, so that all is told."""
        cells, is_noted = line.record.cells, line.part == WITHOUT
        needed = _NEEDED_TO_NOTE if is_noted else NEEDED_IN_ADM if is_first else NEEDED_TO_ADD
        before = len(self.faults)
        given: dict[str, Any] = {}
        for key in SYSTEM:
            text = cells.get(key, "")
            if key in needed and not line.key and not text.strip():
                self._fault(line.record, _missing(key), SYSTEM[key])
            elif key in cells and key != "part":
                try:
                    given[key] = _value(key, text, is_noted=is_noted, is_new=not line.key)
                except RuleError as error:
                    self._fault(line.record, error, SYSTEM[key])
        for key, told in _wrong_values(given):
            self._fault(line.record, told, SYSTEM[key])
        if "only_kvittering" in needed and not line.key and given.get("only_kvittering") is False:
            self._fault(line.record, _missing("only_kvittering"), SYSTEM["only_kvittering"])
        return None if line.is_refused or len(self.faults) > before else GivenFacts(**given)

    def _take_line(self, code: str, line: _Line, facts: GivenFacts) -> None:
        act, is_noted, now = self._act, line.part == WITHOUT, self._before.systems.get(code, {}).get(line.key)
        if now is not None and all(now[key] == cell for key, cell in line.record.cells.items()):
            self.lines.append((line.record.place, code, line.key))  # word for word as it stands
            return

        def work() -> int:
            if now is None and is_noted:
                return note_receiver(act, code, facts, checklists=False).receiver_id
            if now is None:
                return add_receiver(act, code, facts, checklists=False).receiver_id
            if is_noted:
                return edit_noted(act, code, now["uuid"] or now["name"], facts).receiver_id
            return edit_receiver(act, code, now["uuid"], facts).receiver_id

        done = self._try(line.record, work)
        if done is not None:
            key = noted_row(done) if is_noted else receiver_row(done)
            self.lines.append((line.record.place, code, key))


def _is_about(line: _Line, cells: Cells, *, by_name: bool) -> bool:
    if not line.fits(cells):
        return False
    return cells["part"] == WITHOUT and line.has_name_of(cells) if by_name else line.has_uuid_of(cells)


def _is_renamed_part(line: _Line, cells: Cells) -> bool:
    """Whether this is the same system by its name, but for whether it acknowledges."""
    return bool(line.part) and not line.fits(cells) and line.has_name_of(cells)


def _value(key: str, text: str, *, is_noted: bool, is_new: bool) -> str | bool | None:
    """A cell as the desk takes it; None where it says nothing."""
    word = text.strip().casefold()
    if is_noted and key in _OF_RECEIVERS:
        if word and not (key in YES_OR_NO and word == NO):
            raise RuleError("Det gælder kun systemer, der kvitterer; lad cellen være tom.")
        return None
    if key in YES_OR_NO:
        if word not in {YES, NO, ""}:
            raise RuleError(f"Skal være {YES} eller {NO}, men er {text!r}.")
        return word == YES
    if word or key == "agreement_dates":  # of a new system too: without any, today would be one
        return text
    if key in _NEVER_EMPTY and not is_new:
        raise RuleError(
            "Må ikke være tom for et system, der er registreret; tag kolonnen ud, hvis den skal blive."
        )
    # A system that is noted is known by its name too, and then its UUID stays; a new one has nothing to clear.
    return None if is_new or key in _NEVER_EMPTY or (key == "uuid" and is_noted) else ""


def _wrong_values(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, refusal) of every value that is wrong by itself. All at once is several times faster than one by one."""
    if _refusal(given) is None:
        return []
    one_by_one = ((key, _refusal({key: value})) for key, value in given.items())
    return [(key, told) for key, told in one_by_one if told is not None]


def _refusal(given: Mapping[str, Any]) -> str | None:
    facts = GivenFacts(**given)
    try:
        checked_facts(facts, None, date.min)
        for field, text in facts.typed.items():
            checked_text(text, field.danish)
    except RuleError as error:
        return str(error)
    return None


def _missing(key: str) -> str:
    if key in YES_OR_NO:
        return f"Skal være {YES}: det skal være bekræftet, {WORDS[key]}."
    return f"{_sentence(WORDS[key])} mangler."


def _mangled(text: str) -> str:
    """A hint where a spreadsheet has made a number of what only looks like one."""
    if not re.search(r"[0-9][,.]?[0-9]*E\+?[0-9]", text, re.IGNORECASE):
        return ""
    return " Regnearket har gjort det til et tal: sæt kolonnen til tekst, og skriv det igen."


def _short(name: str) -> str:
    return _folded(name).removesuffix(" kommune")


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _shown(cells: Cells) -> str:
    return SystemRecord(cells).shown


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
