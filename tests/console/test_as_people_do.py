"""A person who has never seen the console finds the way by what stands on the screen: only shown keys are pressed."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from screenshots.person import Person, at_work, opened
from screenshots.scenes import PERSON, Scene, clock_of

from engine.desk.access import Role
from engine.desk.office import Office
from engine.desk.roles import grant_role
from engine.desk.switchovers import list_switchovers
from engine.home import Home


async def press_shown(person: Person, *keys: str) -> None:
    """Keys as the screen names them."""
    for key in keys:
        bars = person.screen
        assert f" {key} " in bars or f"[{key} " in bars, f"the key {key!r} is not shown:\n{bars}"
        await person.presses(_NAMES.get(key, key))


_NAMES = {"esc": "escape", "/": "slash", "?": "question_mark", ":": "colon", "F2": "f2"}


async def test_which_kommune_has_overdue_kvitteringer_and_whom_to_call(
    scene_home: Callable[[Scene], Home],
) -> None:
    home = scene_home(Scene.OVERDUE)
    with at_work():
        async with opened(home, size=(80, 24), scene=Scene.OVERDUE) as person:
            person.sees("kvitteringer er overskredet")
            await press_shown(person, "?")
            person.sees("3 Kvitteringer", "Hvad mangler, hvor længe er der, og hvem skal der ringes")
            await press_shown(person, "esc", "3")
            first = next(line for line in person.screen.split("\n") if line.startswith("▲"))
            assert "Glostrup" in first
            assert "Sensum Bosted" in first
            await press_shown(person, "enter")
            person.sees(
                "Ring til",
                "Leverandør: EG, drift@eg.example",
                "Kontaktpunkt: Glostrup Kommune, sundhedsagent@glostrup.example",
            )


async def test_what_happened_to_one_advis(scene_home: Callable[[Scene], Home]) -> None:
    home = scene_home(Scene.OVERDUE)
    with at_work():
        async with opened(home, size=(80, 24), scene=Scene.OVERDUE) as person:
            await press_shown(person, "2", "/")
            person.sees("Ord, eller kommune:")
            await person.types("kommune:glostrup status:overskredet")
            await press_shown(person, "enter")
            person.sees("kommune:glostrup status:overskredet", "mangler")
            await press_shown(person, "enter")
            person.sees("Adviser › Glostrup", "Modtagersystemer", "Sensum Bosted (kvitterer) ▲", "Ring til")
            await person.presses("pagedown")
            person.sees(
                "Modtaget fra Testhospital", "Beskedfordeleren har taget imod", "Ingen kvittering fra"
            )


async def test_replacing_a_primary_tomorrow_at_ten(scene_home: Callable[[Scene], Home]) -> None:
    home = scene_home(Scene.BUSY)
    clock = clock_of(Scene.BUSY)
    with at_work():
        async with opened(home, size=(80, 24), clock=clock) as person:
            await press_shown(person, "4", "/")
            await person.types("kommune:glostrup")
            await press_shown(person, "enter", "enter")
            person.sees("Kommuner › Glostrup Kommune", "p gør primær")
            await press_shown(person, "p")  # on the primary itself: it says what to do
            person.hears("Stil markøren på det system, der skal være det")
            await person.presses("down")
            await press_shown(person, "p")
            person.sees("Nu er primært      Cura", "Skal være primært  Cura Genoptræning")
            await person.types("i morgen 10:00")
            person.sees("Cura Genoptræning bliver primært modtagersystem i Glostrup Kommune i stedet")
            await press_shown(person, "F2")
            person.sees("25.11.2026", "kl. 10:00", "Skal det gøres?", "Intet er ændret endnu")
            await press_shown(person, "j")
            person.hears("er planlagt")
            person.sees("Omlægning        ◆ Cura Genoptræning")
    with Office(home, PERSON, clock) as office, office.visiting() as visit:
        (planned,) = list_switchovers(visit.conn, planned_only=True)
    assert (planned.kommune_name, planned.old_name, planned.new_name) == (
        "Glostrup Kommune",
        "Cura",
        "Cura Genoptræning",
    )
    assert planned.at == datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
    assert planned.planned_by == PERSON


async def test_saying_no_changes_nothing(scene_home: Callable[[Scene], Home]) -> None:
    home = scene_home(Scene.BUSY)
    with at_work():
        async with opened(home, scene=Scene.BUSY) as person:
            await person.presses("colon")
            await person.types("glostrup")
            await person.presses("enter", "down", "p")
            await person.types("nu")
            await person.presses("f2", "n", "escape")
            person.hears("Det skrevne er ikke gemt")
            await person.presses("escape")
            person.sees("Kommuner › Glostrup Kommune")
    with Office(home, PERSON, clock_of(Scene.BUSY)) as office, office.visiting() as visit:
        assert list_switchovers(visit.conn) == []


async def test_taking_a_case_tells_the_others(scene_home: Callable[[Scene], Home]) -> None:
    home = scene_home(Scene.OVERDUE)
    with at_work():
        async with opened(home, scene=Scene.OVERDUE) as person:
            await press_shown(person, "3", "v", "v")
            person.sees("sager")
            await person.presses("down")
            await press_shown(person, "t")
            await person.types("ringer til dem")
            await press_shown(person, "F2")
            person.hears("Sag 2 er taget af mette.")
            person.sees("2: taget af mette")


@pytest.mark.parametrize("scene", [Scene.OVERDUE, Scene.INCIDENT])
async def test_every_number_of_the_overview_opens_what_it_counts(
    scene: Scene, scene_path: Callable[[Scene], Path]
) -> None:
    with at_work():
        async with opened(Home(scene_path(scene)), scene=scene) as person:
            told = re.findall(r"^ ([A-ZÅ][a-zæøå ]+?) +[▲◆]? +([0-9.]+)(?:  |$)", person.screen, re.MULTILINE)
            assert [name for name, _ in told] == [
                "Overskredne kvitteringer",
                "Afventende kvitteringer",
                "Åbne sager",
                "Afventer fordeling",
                "Adviser i dag",
                "Åbne hændelser",
            ]
            await person.presses("shift+tab")
            for place, (name, count) in enumerate(told):
                await person.presses("1", "home", *["down"] * place, "enter")
                where = next(
                    line for line in person.screen.split("\n") if line.startswith((" Kvit", " Adv", " Hæn"))
                )
                opens = re.search(r"([0-9.]+)( af [0-9.]+)?$", where)
                assert opens is not None, where
                assert opens[1] == count, (name, where)


async def test_is_my_advis_come(scene_home: Callable[[Scene], Home]) -> None:
    home = scene_home(Scene.OVERDUE)
    with at_work():
        async with opened(home, scene=Scene.OVERDUE) as person:
            await press_shown(person, "7")
            await person.presses("tab")
            await person.types("glost")
            person.sees("Kommune: Glostrup (0161)", "Systemer: Cura, ")
            await person.presses("enter")
            await person.types("sensum")
            await person.presses("enter")
            await person.types("3")
            await press_shown(person, "F2")
            person.sees("Fordelt, men systemet har ikke kvitteret", "Sig", "Ring til", "drift@eg.example")
            await person.presses("end")
            person.sees("Sag 1 er taget af mette: Leverandøren er ringet op")


async def test_a_hotline_worker_sees_what_is_off_and_hears_why(scene_home: Callable[[Scene], Home]) -> None:
    home = scene_home(Scene.BUSY)
    clock = clock_of(Scene.BUSY)
    with Office(home, PERSON, clock) as office, office.administering() as act:
        grant_role(act, "hanne", Role.HOTLINE)
    with at_work():
        async with opened(home, clock=clock, identity="hanne") as person:
            await person.presses("colon")
            await person.types("glostrup")
            await person.presses("enter", "down", "p")
            person.hears("Det kræver rollen administrator. Du har: hotline.")
            person.sees("Kommuner › Glostrup Kommune")
            await person.presses("question_mark")
            person.sees("Gør systemet primært", "(Det kræver rollen administrator. Du har: hotline.)")


async def test_a_kommune_sees_itself_alone_and_can_ask(scene_home: Callable[[Scene], Home]) -> None:
    home = scene_home(Scene.OVERDUE)
    clock = clock_of(Scene.OVERDUE)
    with Office(home, PERSON, clock) as office, office.administering() as act:
        grant_role(act, "karen", Role.KOMMUNE, "0161")
    with at_work():
        async with opened(home, clock=clock, identity="karen") as person:
            person.sees("karen (kommune)")
            person.sees_not("Beskedfordeleren:")
            await person.presses("3")
            person.sees("Glostrup")
            person.sees_not("Ballerup", "Frederiksberg")
            await person.presses("6")
            person.hears("Det kræver rollen hotline, administrator eller auditor. Du har: kommune.")
            person.sees("[3 Kvitteringer]")
            await person.presses("4")
            person.sees("Kommuner › Glostrup Kommune", "a anmod")
            await person.presses("a", "down", "down", "enter")
            person.sees("Anmod om 3.3")
            await person.presses("tab")
            await person.types("2026-12-01 10:00")
            await person.presses("f2", "j")
            person.hears("er indsendt")
            person.sees("3.3, indsendt")


async def test_an_unknown_person_is_told_whom_to_ask(scene_home: Callable[[Scene], Home]) -> None:
    home = scene_home(Scene.EMPTY)
    with at_work():
        async with opened(home, scene=Scene.EMPTY, identity="fremmed") as person:
            person.sees("Brugeren fremmed har ingen rolle", "En administrator kan give den (her: mette)")
            person.sees_not("Intet kræver handling")


@pytest.mark.parametrize("size", [(59, 15), (60, 14), (40, 10)])
async def test_a_window_that_is_too_small_says_so(
    size: tuple[int, int], scene_path: Callable[[Scene], Path]
) -> None:
    home = Home(scene_path(Scene.EMPTY))
    with at_work():
        async with opened(home, size=size, scene=Scene.EMPTY) as person:
            person.sees("Vinduet er for lille")
            await person.pilot.resize_terminal(60, 15)
            await person.settled()
            person.sees("[1 Overblik]")
