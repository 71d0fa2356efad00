import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.desk.exchange_files import (
    KOMMUNE,
    SYSTEM,
    KommuneRecord,
    RegistryFile,
    SystemRecord,
    read_registry,
    to_csv,
    to_json,
)
from tests.desk.builders import uuid

HEADER = (*KOMMUNE.values(), *SYSTEM.values())
NFD = "A\u030angstro\u0308m"

LETTERS = st.characters(exclude_categories=("Cs", "Cc"))
HOSTILE = st.sampled_from(
    [
        "=1+1",
        "+45 1234",
        "-x",
        "@SUM(A1)",
        "'=x",
        "''@y",
        "'abc",
        "'",
        ";",
        '"',
        '""',
        "a;b",
        'a"b',
        NFD,
        "\U0001f600",
    ]
)
TEXT = st.one_of(
    HOSTILE, st.text(LETTERS, max_size=20), st.builds(str.__add__, HOSTILE, st.text(LETTERS, max_size=5))
)
EMAILS = st.lists(st.sampled_from(["a@b.dk", "c@d.dk", "æ@ø.dk"]), unique=True).map(", ".join)
DATES = st.sampled_from(["", "anmodet=2026-11-01", "anmodet=2026-11-01, godkendt=2026-12-01"])
YES_NO = st.sampled_from(["ja", "nej", ""])
SPECIAL = {"overview_emails": EMAILS, "agreement_dates": DATES, "only_kvittering": YES_NO, "overview": YES_NO}
PARTS = st.sampled_from(["primært", "kvitterer", "uden kvittering"])


@st.composite
def systems(draw: Any, number: int) -> SystemRecord:
    cells = {key: draw(SPECIAL.get(key, TEXT)) for key in SYSTEM}
    return SystemRecord(cells | {"uuid": uuid(number), "part": draw(PARTS)})


@st.composite
def kommuner(draw: Any) -> tuple[KommuneRecord, ...]:
    codes = draw(st.lists(st.integers(0, 9999), unique=True, max_size=3))
    return tuple(
        KommuneRecord(
            f"{code:04}",
            {key: draw(TEXT) for key in KOMMUNE if key != "code"},
            tuple(draw(systems(number)) for number in range(draw(st.integers(1, 3)))),
        )
        for code in codes
    )


def a_csv(*rows: dict[str, str], delimiter: str = ";", drop: tuple[str, ...] = ()) -> bytes:
    header = [heading for heading in HEADER if heading not in drop]
    lines = [header, *([row.get(heading, "") for heading in header] for row in rows)]
    return "".join(delimiter.join(line) + "\r\n" for line in lines).encode()


def a_row(number: int = 1, **changes: str) -> dict[str, str]:
    row = {"kommunekode": "0751", "systemnavn": f"System {number}", "uuid": uuid(number), "gln": "1"}
    return row | changes


def told(data: bytes, name: str = "") -> list[str]:
    return [fault.text for fault in read_registry(data, name).faults]


def a_json(*kommuner: Any, **changes: Any) -> bytes:
    value = {"format": "sundhedsagenten-register", "version": 1, "kommuner": list(kommuner)}
    return json.dumps(value | changes).encode()


# --- there and back ---------------------------------------------------------------------------------------------------


@given(kommuner())
def test_csv_gives_back_what_was_written(records: tuple[KommuneRecord, ...]) -> None:
    data = to_csv(records)
    read = read_registry(data)
    if records:
        assert read == RegistryFile(records)
    assert to_csv(read.kommuner) == data


@given(kommuner())
def test_json_gives_back_what_was_written(records: tuple[KommuneRecord, ...]) -> None:
    data = to_json(records)
    read = read_registry(data)
    assert read == RegistryFile(records)
    assert to_json(read.kommuner) == data


@given(kommuner())
def test_no_cell_of_a_csv_is_a_formula(records: tuple[KommuneRecord, ...]) -> None:
    text = io.StringIO(to_csv(records).decode("utf-8-sig"), newline="")
    for row in csv.reader(text, delimiter=";"):
        assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t"))]


def test_csv_is_as_excel_wants_it() -> None:
    cells = {"name": "=HYPERLINK(1)", "uuid": uuid(1), "comment": 'a;b "c"', "local_contact": "+45 1"}
    data = to_csv([KommuneRecord("0751", {"name": "Aarhus"}, (SystemRecord(cells),))])
    assert data.startswith(
        b"\xef\xbb\xbfkommunekode;kommune;gln;sor;kontaktpunkt;andre kanaler;systemnavn;uuid;"
    )
    header, line, end = data.decode("utf-8-sig").split("\r\n")
    assert header.split(";") == list(HEADER)
    assert line.startswith(f"0751;Aarhus;;;;;'=HYPERLINK(1);{uuid(1)};")
    assert line.endswith(""";'+45 1;;"a;b ""c""\"""")
    assert end == ""


def test_json_has_values_of_their_own_kinds() -> None:
    cells = {"uuid": "", "overview": "ja", "only_kvittering": "", "certified_on": "", "comment": ""}
    lists = {"overview_emails": "a@b.dk, c@d.dk", "agreement_dates": "anmodet=2026-11-01"}
    value = json.loads(to_json([KommuneRecord("0751", {"gln": ""}, (SystemRecord(cells | lists),))]))
    assert (value["format"], value["version"]) == ("sundhedsagenten-register", 1)
    assert value["kommuner"] == [
        {
            "code": "0751",
            "gln": None,
            "systems": [
                {
                    "uuid": None,
                    "overview": True,
                    "only_kvittering": None,
                    "certified_on": None,
                    "comment": "",
                    "overview_emails": ["a@b.dk", "c@d.dk"],
                    "agreement_dates": {"anmodet": "2026-11-01"},
                }
            ],
        }
    ]


# --- CSV, as people write it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_the_headings_tell_the_delimiter(delimiter: str) -> None:
    [kommune] = read_registry(a_csv(a_row(), delimiter=delimiter)).kommuner
    assert (kommune.code, kommune.systems[0].cells["name"]) == ("0751", "System 1")


def test_headings_are_known_in_any_case_spacing_and_composition() -> None:
    data = "KOMMUNEKODE; Uuid ;leverando\u0308r;Forvaltningsomra\u030ade;Systemnavn\n0751;x;V;O;N\n"
    [kommune] = read_registry(data.replace("o\u0308", "ø").encode()).kommuner
    assert kommune.systems[0].cells == {"uuid": "x", "vendor": "V", "area": "O", "name": "N"}


def test_a_column_that_is_not_there_is_not_among_the_cells() -> None:
    [kommune] = read_registry(a_csv(a_row(), drop=("kommentar", "sor"))).kommuner
    assert "comment" not in kommune.systems[0].cells
    assert "sor" not in kommune.cells
    assert kommune.systems[0].cells["vendor"] == ""


def test_the_zero_that_a_spreadsheet_took_is_put_back() -> None:
    assert [item.code for item in read_registry(a_csv(a_row(kommunekode="147"))).kommuner] == ["0147"]


def test_lines_are_numbered_as_an_editor_does() -> None:
    data = a_csv(a_row(1, kommentar='"to\r\nlinjer"'), a_row(2), a_row(3, kommunekode="x"))
    read = read_registry(data.replace(b"\r\n0751;;1;;;;System 2", b"\r\n;;\r\n0751;;1;;;;System 2"))
    assert [system.place.text for system in read.kommuner[0].systems] == ["Linje 2", "Linje 5"]
    assert [fault.place.text for fault in read.faults] == ["Linje 6"]


def test_excels_own_encoding_is_read_with_a_note() -> None:
    read = read_registry(a_csv(a_row(systemnavn="Sårpleje")).decode().encode("cp1252"))
    assert read.kommuner[0].systems[0].cells["name"] == "Sårpleje"
    assert read.faults == ()
    [note] = read.notes
    assert "Windows-1252" in note
    assert "CSV UTF-8" in note
    assert read_registry(a_csv(a_row(systemnavn="Sårpleje"))).notes == ()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "Linje 1: Filen er tom."),
        (b"\xef\xbb\xbf \r\n", "Linje 1: Filen er tom."),
        (
            "kommunekode;uuid".encode("utf-16"),
            'Linje 1: Filen er ikke UTF-8. Gem den i Excel som "CSV UTF-8".',
        ),
        (b"kommunekode\nx\x81\xc3", "Linje 2: Filen er hverken UTF-8 eller Windows-1252."),
        (
            b"\nkode|navn\n",
            'Linje 2: Her skal stå overskrifter som "kommunekode;kommune;gln;…" med semikolon imellem',
        ),
        (b"kommunekode|uuid\n0751|x\n", "Linje 1: Her skal stå overskrifter"),
        (b"kommunekode;uuid\n", "Linje 1: Filen har kun overskrifter og ingen linjer med systemer."),
        (b'kommunekode;uuid\n0751;"x\n', "Linje 2: Linjen kan ikke læses: et anførselstegn mangler"),
        (b"kommunekode;uuid;;sor\n0751;x;;1\n", "Linje 1: Kolonne 3 har ingen overskrift."),
        (b"kommunekode;systemnavn\n0751;x\n", 'Linje 1: Kolonnen "uuid" mangler.'),
        (b"kommune;uuid\n0751;x\n", 'Linje 1: Kolonnen "kommunekode" mangler.'),
    ],
)
def test_a_file_that_cannot_be_read_is_told(data: bytes, expected: str) -> None:
    [fault] = told(data)
    assert fault.startswith(expected)


def test_every_wrong_heading_is_told_with_the_nearest() -> None:
    data = b"kommunekode;uuid;leverandor;gln;GLN;xyzzy\n0751;x;;;;\n"
    assert told(data) == [
        'Linje 1: Kolonnen "leverandor" kendes ikke. Mente du "leverandør"?',
        'Linje 1: Kolonnen "gln" står to gange: som kolonne 4 og 5.',
        'Linje 1: Kolonnen "xyzzy" kendes ikke.',
    ]
    assert read_registry(data).kommuner == ()


def test_every_wrong_line_is_told() -> None:
    data = a_csv(a_row(1), a_row(2, kommunekode="Aarhus"), a_row(1, uuid=uuid(1).upper())) + b"0751;;1\r\n"
    assert told(data) == [
        "Linje 3, \"kommunekode\": Kommunekoden skal være fire cifre, fx 0751, men er 'Aarhus'.",
        "Linje 5: Linjen har 3 celler, men der er 25 kolonner.",
        f"Linje 4, System 1 ({uuid(1).upper()}): Systemet står også i linje 2; det må kun stå ét sted i sin kommune.",
    ]
    [kommune] = read_registry(data).kommuner
    assert not kommune.is_whole


def test_more_cells_than_columns_are_wrong_unless_they_are_empty() -> None:
    assert told(b"kommunekode;uuid\n0751;x;;\n") == []
    assert told(b"kommunekode;uuid;;\n0751;x;;\n") == []
    assert told(b"kommunekode;uuid\n0751;x;y\n") == ["Linje 2: Linjen har 3 celler, men der er 2 kolonner."]


def test_the_same_system_may_stand_in_two_kommuner() -> None:
    assert told(a_csv(a_row(1), a_row(1, kommunekode="0147"))) == []


def test_systems_without_uuid_are_told_apart_by_name() -> None:
    noted = {"uuid": "", "kvittering": "uden kvittering"}
    assert told(a_csv(a_row(1, **noted), a_row(2, **noted))) == []
    [fault] = told(a_csv(a_row(1, **noted), a_row(1, **noted)))
    assert fault.startswith("Linje 3, System 1: Systemet står også i linje 2")


def test_what_a_kommunes_lines_say_of_it_must_agree() -> None:
    rows = (a_row(1, sor="11"), a_row(2, sor="22"), a_row(3, sor=" 11 "), a_row(4, sor=""))
    assert told(a_csv(*rows)) == [
        "Linje 3, \"sor\": Her står '22', men i linje 2 for samme kommune står '11'."
    ]
    later = read_registry(a_csv(a_row(1, sor=""), a_row(2, sor="11")))
    assert later.kommuner[0].cells["sor"] == "11"
    notes = {"andre kanaler": "Telefon"}
    [fault] = told(a_csv(a_row(1, **notes), a_row(2)))
    assert fault.startswith("Linje 3, \"andre kanaler\": Her står '', men i linje 2")


# --- JSON, as programs write it ---------------------------------------------------------------------------------------

SYSTEM_1 = {"uuid": uuid(1), "name": "System 1"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"{", "Linje 1: JSON kan ikke læses fra tegn 2."),
        (b'{\n"a": \xff}', "Linje 2: Filen er ikke UTF-8."),
        (b'{"a": 1, "a": 2}', 'Linje 1: Navnet "a" står to gange i det samme objekt.'),
        (b"[" * 100_000, "Linje 1: JSON kan ikke læses."),
        (b"[]", 'Filen: Det er ikke et udtræk af registret: "format" skal være "sundhedsagenten-register".'),
        (a_json(format="x"), "Filen: Det er ikke et udtræk"),
        (a_json(version=2), 'Filen: "version" er 2, men denne udgave af Sundhedsagenten læser 1.'),
        (a_json(version=True), 'Filen: "version" er True'),
        (a_json(kommuner={}), 'Filen: "kommuner" skal være en liste i [].'),
        (a_json(kommune=1), 'Filen: Navnet "kommune" kendes ikke.'),
        (a_json(1), "kommuner[0]: Her skal stå en kommune i {}."),
        (a_json({"code": 751}), 'kommuner[0]: "code" skal være fire cifre som tekst, fx "0751", men er 751.'),
        (a_json({"code": "0751"}), 'kommuner[0]: "systems" skal være en liste i [].'),
        (a_json({"code": "0751", "systems": [1]}), "kommuner[0].systems[0]: Her skal stå et system i {}."),
        (a_json({"code": "0751", "systems": [{"name": "x"}]}), 'kommuner[0].systems[0]: "uuid" mangler;'),
        (
            a_json({"code": "0751", "systems": [SYSTEM_1 | {"vendr": ""}]}),
            'kommuner[0].systems[0]: Navnet "vendr" kendes ikke. Mente du "vendor"?',
        ),
        (
            a_json({"code": "0751", "systems": [SYSTEM_1 | {"overview": "ja"}]}),
            "kommuner[0].systems[0]: \"overview\" skal være true eller false, men er 'ja'.",
        ),
        (
            a_json({"code": "0751", "systems": [SYSTEM_1 | {"overview_emails": "a@b.dk"}]}),
            'kommuner[0].systems[0]: "overview_emails" skal være en liste af tekster',
        ),
        (
            a_json({"code": "0751", "systems": [SYSTEM_1 | {"agreement_dates": ["x"]}]}),
            'kommuner[0].systems[0]: "agreement_dates" skal være tekster i {}',
        ),
        (a_json({"code": "0751", "gln": 5, "systems": []}), 'kommuner[0]: "gln" skal være tekst, men er 5.'),
        (
            a_json({"code": "0751", "systems": [SYSTEM_1, SYSTEM_1]}),
            f"kommuner[0].systems[1], System 1 ({uuid(1)}): Systemet står også i kommuner[0].systems[0];",
        ),
        (
            a_json({"code": "0751", "systems": []}, {"code": "0751", "systems": []}),
            "kommuner[1]: Kommunen 0751 står også som kommuner[0].",
        ),
    ],
)
def test_json_that_is_wrong_is_told_with_its_place(data: bytes, expected: str) -> None:
    [fault] = told(data)
    assert fault.startswith(expected)


def test_the_name_of_the_file_tells_json_too() -> None:
    assert told(b"", "register.JSON") == ["Linje 1: Filen er tom."]
    assert told(b"kommunekode;uuid", "x.json") == ["Linje 1: JSON kan ikke læses fra tegn 1."]


def test_a_value_that_is_null_is_empty_and_one_that_is_not_there_is_not() -> None:
    read = read_registry(a_json({"code": "0751", "gln": None, "systems": [SYSTEM_1 | {"comment": None}]}))
    assert read.faults == ()
    assert read.kommuner[0].cells == {"gln": ""}
    assert read.kommuner[0].systems[0].cells == SYSTEM_1 | {"comment": ""}
