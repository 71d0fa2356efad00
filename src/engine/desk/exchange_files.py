"""The registry as a file: CSV for spreadsheets and JSON for programs, to and from records of plain text.

Nothing here knows the registry itself: a record's values are what a person reads in a cell, and what each of them
may be is checked where it is put in.
"""

import csv
import difflib
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.errors import RuleError

KOMMUNE = {
    "code": "kommunekode",
    "name": "kommune",
    "gln": "gln",
    "sor": "sor",
    "contact_email": "kontaktpunkt",
    "contact_note": "andre kanaler",
}
SYSTEM = {
    "name": "systemnavn",
    "uuid": "uuid",
    "part": "kvittering",
    "vendor": "leverandør",
    "vendor_email": "leverandør e-mail",
    "area": "forvaltningsområde",
    "agreed_by": "aftalt med",
    "agreement": "serviceaftale",
    "agreement_dates": "serviceaftale datoer",
    "certification": "certificering",
    "certified_on": "certificeret den",
    "connected_on": "tilslutningsdato",
    "only_kvittering": "kun medcomkvittering",
    "monitored_from": "overvåges fra",
    "overview": "kvitteringsoverblik",
    "overview_emails": "kvitteringsoverblik e-mails",
    "local_contact": "lokal kontakt",
    "vendor_contact": "kontakt hos leverandøren",
    "comment": "kommentar",
}
"""Each value's name in JSON, and its heading in CSV; a kommune's own first, then a system's."""

PRIMARY, ACKNOWLEDGES, WITHOUT = "primært", "kvitterer", "uden kvittering"
YES, NO = "ja", "nej"
YES_OR_NO = ("only_kvittering", "overview")

JSON_FORMAT, JSON_VERSION = "sundhedsagenten-register", 1

_HEADINGS = (*KOMMUNE.values(), *SYSTEM.values())
_PLACES = [("kommune", key) for key in KOMMUNE] + [("system", key) for key in SYSTEM]
_NEEDED = (KOMMUNE["code"], SYSTEM["uuid"])  # without them no line can be told from another
_DELIMITERS = ";\t,"
_NOT_EMPTY = ("name", "gln", "sor", "contact_email")  # an empty cell says: as in the kommune's other lines
_NULL_WHERE_EMPTY = (
    *("gln", "sor", "contact_email", "uuid", "certified_on", "connected_on", "monitored_from"),
    *YES_OR_NO,
)
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_CP1252_NOTE = (
    "Filen er ikke UTF-8 og er læst som Windows-1252, som Excel skriver det. Se efter, at æ, ø og å er rigtige; "
    'i Excel kan den gemmes som "CSV UTF-8".'
)

Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something stands: a line of CSV, or a member of JSON. The number orders them."""

    number: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class SystemRecord:
    """One system. A value that the file does not name at all is not among the cells."""

    cells: Cells
    place: Place = field(default=Place(), compare=False)

    @property
    def shown(self) -> str:
        name, uuid = self.cells.get("name", "").strip(), self.cells.get("uuid", "").strip()
        return f"{name} ({uuid})" if name and uuid else name or uuid


@dataclass(frozen=True, slots=True)
class KommuneRecord:
    """One kommune with its systems."""

    code: str
    cells: Cells  # all but its code
    systems: tuple[SystemRecord, ...]
    place: Place = field(default=Place(), compare=False)
    is_whole: bool = field(default=True, compare=False)  # False: a line that may be its own cannot be read


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a file."""

    place: Place
    message: str
    column: str = ""
    system: str = ""

    @property
    def text(self) -> str:
        where = (self.place.text, f'"{self.column}"' if self.column else "", self.system)
        return f"{', '.join(filter(None, where))}: {self.message}"


@dataclass(frozen=True, slots=True)
class RegistryFile:
    """What a file says, what is wrong in it, and what its reader should know."""

    kommuner: tuple[KommuneRecord, ...]
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


# --- writing ----------------------------------------------------------------------------------------------------------


def to_csv(kommuner: Iterable[KommuneRecord]) -> bytes:
    """One line per system."""
    rows: list[Sequence[str]] = [_HEADINGS]
    for kommune in kommuner:
        own = {**kommune.cells, "code": kommune.code}
        rows += [
            [own.get(key, "") for key in KOMMUNE] + [system.cells.get(key, "") for key in SYSTEM]
            for system in kommune.systems
        ]
    return csv_bytes(rows)


def csv_bytes(rows: Iterable[Sequence[str]]) -> bytes:
    """UTF-8 with a BOM, semicolons and CRLF, as a Danish Excel opens it; no cell is taken for a formula."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerows([_guarded(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


def to_json(kommuner: Iterable[KommuneRecord]) -> bytes:
    """The same for programs."""
    value = {
        "format": JSON_FORMAT,
        "version": JSON_VERSION,
        "kommuner": [
            {
                "code": kommune.code,
                **{key: _json_value(key, cell) for key, cell in kommune.cells.items()},
                "systems": [
                    {key: _json_value(key, cell) for key, cell in system.cells.items()}
                    for system in kommune.systems
                ],
            }
            for kommune in kommuner
        ],
    }
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def _guarded(cell: str) -> str:
    """A spreadsheet takes a cell that begins so for a formula; with an apostrophe it is text."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _json_value(key: str, cell: str) -> Any:
    if key == "overview_emails":
        return [part.strip() for part in cell.split(",") if part.strip()]
    if key == "agreement_dates":
        pairs = (part.partition("=") for part in cell.split(",") if part.strip())
        return {state.strip(): day.strip() for state, _, day in pairs}
    if key in _NULL_WHERE_EMPTY and not cell:
        return None
    return cell == YES if key in YES_OR_NO else cell


# --- reading ----------------------------------------------------------------------------------------------------------


def read_registry(data: bytes, name: str = "") -> RegistryFile:
    """What the file says; JSON where its name or its first character says so, else CSV."""
    if name.lower().endswith(".json") or data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"{", b"["}:
        read = _read_json(data)
    else:
        read = _read_csv(data)
    kommuner, faults = [], list(read.faults)
    for kommune in read.kommuner:
        systems, repeated = _each_once(kommune.systems)
        kommuner.append(replace(kommune, systems=systems))
        faults += repeated
    return RegistryFile(tuple(kommuner), tuple(faults), read.notes)


def _each_once(systems: Sequence[SystemRecord]) -> tuple[tuple[SystemRecord, ...], list[Fault]]:
    seen: dict[tuple[bool, str], SystemRecord] = {}
    faults: list[Fault] = []
    for number, system in enumerate(systems):
        uuid, name = (_folded(system.cells.get(key, "")) for key in ("uuid", "name"))
        key = (_folded(system.cells.get("part", "")) == WITHOUT, uuid or name or f"#{number}")
        first = seen.setdefault(key, system)
        if first is not system:
            told = f"Systemet står også i {_lowered(first.place.text)}; det må kun stå ét sted i sin kommune."
            faults.append(Fault(system.place, told, system=system.shown))
    return tuple(seen.values()), faults


class _WrongError(RuleError):
    """The file cannot be read on from here."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(_line(number), message)


def _line(number: int) -> Place:
    return Place(number, f"Linje {number}")


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split()).casefold()


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(_folded(word), list(known), n=1)
    return f' Mente du "{near[0]}"?' if near else ""


# CSV


def _read_csv(data: bytes) -> RegistryFile:
    try:
        text, notes = _decoded(data)
        delimiter, number = _delimiter(text)
        rows = _rows(text, delimiter)
        header = next(row for at, row in rows if at >= number)
    except _WrongError as error:
        return RegistryFile((), (error.fault,))
    while header and not header[-1].strip():
        header.pop()
    faults = _header_faults(header, number)
    if faults:
        return RegistryFile((), tuple(faults), notes)
    kommuner, faults = _kommuner([_HEADINGS.index(_folded(heading)) for heading in header], rows)
    if not kommuner and not faults:
        faults = [Fault(_line(number), "Filen har kun overskrifter og ingen linjer med systemer.")]
    return RegistryFile(tuple(kommuner), tuple(faults), notes)


def _decoded(data: bytes) -> tuple[str, tuple[str, ...]]:
    if not data.removeprefix(b"\xef\xbb\xbf").strip():
        raise _WrongError(1, "Filen er tom.")
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in data:
        raise _WrongError(1, 'Filen er ikke UTF-8. Gem den i Excel som "CSV UTF-8".')
    try:
        return data.decode("utf-8-sig"), ()
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
    try:
        return data.decode("cp1252"), (_CP1252_NOTE,)
    except UnicodeDecodeError as error:
        told = 'Filen er hverken UTF-8 eller Windows-1252. Gem den i Excel som "CSV UTF-8".'
        raise _WrongError(number, told) from error


def _delimiter(text: str) -> tuple[str, int]:
    """What stands between the cells, by the headings that it gives; and the number of the headings' line."""
    number, line = next((at, line) for at, line in enumerate(io.StringIO(text), 1) if line.strip())
    known = {
        delimiter: sum(_folded(cell) in _HEADINGS for cell in next(csv.reader([line], delimiter=delimiter)))
        for delimiter in _DELIMITERS
    }
    best = max(known, key=lambda delimiter: known[delimiter])
    if not known[best]:
        raise _WrongError(
            number,
            f'Her skal stå overskrifter som "{";".join(_HEADINGS[:3])};…" med semikolon imellem (komma og tabulator '
            "går også an), men ingen af dem kendes.",
        )
    return best, number


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not empty, with the number of its first line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            told = (
                "Linjen kan ikke læses: et anførselstegn mangler sit andet, eller en celle er alt for lang."
            )
            raise _WrongError(number, told) from error
        if any(cell.strip() for cell in row):
            yield number, row


def _header_faults(header: Sequence[str], number: int) -> list[Fault]:
    place, faults = _line(number), []
    names = [_folded(heading) for heading in header]
    for position, (heading, name) in enumerate(zip(header, names, strict=True), 1):
        if not name:
            faults.append(Fault(place, f"Kolonne {position} har ingen overskrift."))
        elif name not in _HEADINGS:
            hint = _nearest(heading, [known for known in _HEADINGS if known not in names])
            faults.append(Fault(place, f'Kolonnen "{heading.strip()}" kendes ikke.{hint}'))
        elif name in names[: position - 1]:
            first = names.index(name) + 1
            faults.append(
                Fault(place, f'Kolonnen "{name}" står to gange: som kolonne {first} og {position}.')
            )
    faults += [Fault(place, f'Kolonnen "{name}" mangler.') for name in _NEEDED if name not in names]
    return faults


@dataclass(slots=True)
class _Group:
    """A kommune's lines, as they are gathered."""

    place: Place
    cells: dict[str, str] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)  # where each of its cells was first filled in
    systems: list[SystemRecord] = field(default_factory=list)
    is_whole: bool = True


def _kommuner(
    columns: Sequence[int], rows: Iterator[tuple[int, list[str]]]
) -> tuple[list[KommuneRecord], list[Fault]]:
    groups: dict[str, _Group] = {}
    faults: list[Fault] = []
    all_read = True
    try:
        for number, row in rows:
            place = _line(number)
            cells = dict(zip(columns, map(_unguarded, row), strict=False))
            code = _code(cells.get(0, ""))
            if code is None:
                told = f"Kommunekoden skal være fire cifre, fx 0751, men er {cells.get(0, '')!r}."
                faults.append(Fault(place, told, column=KOMMUNE["code"]))
                all_read = False
                continue
            group = groups.setdefault(code, _Group(place))
            if len(row) < len(columns) or any(cell.strip() for cell in row[len(columns) :]):
                told = f"Linjen har {len(row)} celler, men der er {len(columns)} kolonner."
                faults.append(Fault(place, told))
                group.is_whole = False
                continue
            faults += _gather(group, cells, place)
    except _WrongError as error:
        faults.append(error.fault)
        all_read = False
    kommuner = [
        KommuneRecord(code, group.cells, tuple(group.systems), group.place, group.is_whole and all_read)
        for code, group in groups.items()
    ]
    return kommuner, faults


def _code(text: str) -> str | None:
    """Four digits; a spreadsheet may have taken away the first one, a zero."""
    digits = text.strip()
    return digits.zfill(4) if re.fullmatch(r"[0-9]{3,4}", digits) else None


def _gather(group: _Group, cells: Mapping[int, str], place: Place) -> list[Fault]:
    """Take a line into its kommune; what it says of the kommune must be what the lines before it said."""
    of_kommune: dict[str, str] = {}
    of_system: dict[str, str] = {}
    faults = []
    for column, cell in cells.items():
        kind, key = _PLACES[column]
        (of_kommune if kind == "kommune" else of_system)[key] = cell
    of_kommune.pop("code")
    for key, cell in of_kommune.items():
        before = group.cells.get(key)
        if before is None or (key in _NOT_EMPTY and not before.strip()):
            group.cells[key], group.places[key] = cell, place
        elif cell.strip() != before.strip() and not (key in _NOT_EMPTY and not cell.strip()):
            first = _lowered(group.places[key].text)
            told = f"Her står {cell!r}, men i {first} for samme kommune står {before!r}."
            faults.append(Fault(place, told, column=KOMMUNE[key]))
    group.systems.append(SystemRecord(of_system, place))
    return faults


# JSON


def _read_json(data: bytes) -> RegistryFile:
    try:
        value = _json(data)
    except _WrongError as error:
        return RegistryFile((), (error.fault,))
    faults = _JsonFaults()
    kommuner = list(_json_kommuner(value, faults))
    return RegistryFile(tuple(kommuner), tuple(faults.found))


def _json(data: bytes) -> Any:
    if not data.strip():
        raise _WrongError(1, "Filen er tom.")
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_no_name_twice)
    except UnicodeDecodeError as error:
        raise _WrongError(data[: error.start].count(b"\n") + 1, "Filen er ikke UTF-8.") from error
    except json.JSONDecodeError as error:
        raise _WrongError(error.lineno, f"JSON kan ikke læses fra tegn {error.colno}.") from error
    except _TwiceError as error:
        raise _WrongError(1, f'Navnet "{error}" står to gange i det samme objekt.') from error
    except (ValueError, RecursionError) as error:
        raise _WrongError(1, "JSON kan ikke læses.") from error


class _TwiceError(ValueError):
    pass


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return value


class _JsonFaults:
    """Collects what is wrong, and numbers the places in their order."""

    def __init__(self) -> None:
        self.found: list[Fault] = []
        self._number = 0

    def place(self, path: str) -> Place:
        self._number += 1
        return Place(self._number, path)

    def add(self, place: Place, message: str) -> None:
        self.found.append(Fault(place, message))


def _json_kommuner(value: Any, faults: _JsonFaults) -> Iterator[KommuneRecord]:
    top = faults.place("Filen")
    if not isinstance(value, dict) or value.get("format") != JSON_FORMAT:
        faults.add(top, f'Det er ikke et udtræk af registret: "format" skal være "{JSON_FORMAT}".')
        return
    if value.get("version") != JSON_VERSION or isinstance(value["version"], bool):
        told = f'"version" er {value.get("version")!r}, men denne udgave af Sundhedsagenten læser {JSON_VERSION}.'
        faults.add(top, told)
        return
    _refuse_unknown(value, ("format", "version", "kommuner"), top, faults)
    seen: dict[str, str] = {}
    for number, item in enumerate(_members(value, "kommuner", top, faults)):
        place = faults.place(f"kommuner[{number}]")
        kommune = _json_kommune(item, place, faults)
        if kommune is None:
            continue
        first = seen.setdefault(kommune.code, place.text)
        if first != place.text:
            faults.add(place, f"Kommunen {kommune.code} står også som {first}.")
        else:
            yield kommune


def _json_kommune(item: Any, place: Place, faults: _JsonFaults) -> KommuneRecord | None:
    if not isinstance(item, dict):
        faults.add(place, "Her skal stå en kommune i {}.")
        return None
    _refuse_unknown(item, (*KOMMUNE, "systems"), place, faults)
    code = _code(item["code"]) if isinstance(item.get("code"), str) else None
    if code is None:
        faults.add(place, f'"code" skal være fire cifre som tekst, fx "0751", men er {item.get("code")!r}.')
        return None
    own = {key: value for key, value in item.items() if key in KOMMUNE and key != "code"}
    cells, systems = _json_cells(own, place, faults), []
    for number, system in enumerate(_members(item, "systems", place, faults)):
        at = faults.place(f"{place.text}.systems[{number}]")
        if not isinstance(system, dict):
            faults.add(at, "Her skal stå et system i {}.")
            continue
        _refuse_unknown(system, tuple(SYSTEM), at, faults)
        if "uuid" not in system:
            faults.add(at, '"uuid" mangler; for et system uden UUID skrives null.')
        of_system = {key: value for key, value in system.items() if key in SYSTEM}
        systems.append(SystemRecord(_json_cells(of_system, at, faults), at))
    is_whole = len(systems) == len(item.get("systems") or ())
    return KommuneRecord(code, cells, tuple(systems), place, is_whole)


def _members(value: Mapping[str, Any], name: str, place: Place, faults: _JsonFaults) -> Sequence[Any]:
    members = value.get(name)
    if isinstance(members, list):
        return members
    faults.add(place, f'"{name}" skal være en liste i [].')
    return ()


def _refuse_unknown(
    value: Mapping[str, Any], known: Sequence[str], place: Place, faults: _JsonFaults
) -> None:
    for name in value:
        if name not in known:
            hint = _nearest(name, [other for other in known if other not in value])
            faults.add(place, f'Navnet "{name}" kendes ikke.{hint}')


def _json_cells(value: Mapping[str, Any], place: Place, faults: _JsonFaults) -> dict[str, str]:
    cells = {}
    for key, item in value.items():
        cell = _cell(key, item)
        if cell is None:
            faults.add(place, f'"{key}" skal være {_shape(key)}, men er {item!r}.')
        else:
            cells[key] = cell
    return cells


def _cell(key: str, value: Any) -> str | None:
    """The value as it would stand in a cell; None where it has the wrong shape."""
    if value is None:
        return ""
    if key in YES_OR_NO:
        return (YES if value else NO) if isinstance(value, bool) else None
    if key == "overview_emails":
        fits = isinstance(value, list) and all(isinstance(part, str) for part in value)
        return ", ".join(value) if fits else None
    if key == "agreement_dates":
        fits = isinstance(value, dict) and all(isinstance(day, str) for day in value.values())
        return ", ".join(f"{state}={day}" for state, day in value.items()) if fits else None
    return value if isinstance(value, str) else None


def _shape(key: str) -> str:
    if key in YES_OR_NO:
        return "true eller false"
    return {"overview_emails": "en liste af tekster", "agreement_dates": "tekster i {}"}.get(key, "tekst")
