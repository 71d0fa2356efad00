"""The pictures show the program as it is: each one drawn anew is the same, byte for byte."""

from collections.abc import Callable
from pathlib import Path

import pytest
from screenshots.make import FOLDER, PICTURES, Picture, digest_in, digest_of, draw
from screenshots.scenes import Scene

from console.theme import PALETTES
from engine.home import Home


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
async def test_a_picture_shows_the_program_as_it_is(
    picture: Picture, scene_path: Callable[[Scene], Path]
) -> None:
    svg = await draw(picture, Home(scene_path(picture.scene)))
    stored = (FOLDER / f"{picture.name}.svg").read_text(encoding="utf-8")
    assert svg == stored, "the program draws another picture now: look at it, and run `make screenshots`"
    png = (FOLDER / f"{picture.name}.png").read_bytes()
    assert digest_in(png) == digest_of(svg), "the PNG is of another SVG: run `make screenshots`"


def test_no_picture_is_left_over() -> None:
    names = {path.stem for suffix in ("svg", "png") for path in FOLDER.glob(f"*.{suffix}")}
    assert names == {picture.name for picture in PICTURES}


def test_both_themes_and_no_colours_are_among_them() -> None:
    night, day, grey = (
        (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
        for name in ("overblik", "overblik-dag", "overblik-uden-farver")
    )
    assert PALETTES["nat"].ground in night
    assert PALETTES["dag"].ground in day
    assert PALETTES["nat"].tones["alarm"] in night
    assert not any(palette.tones["alarm"] in grey for palette in PALETTES.values())


def test_a_picture_fetches_nothing() -> None:
    for path in FOLDER.glob("*.svg"):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "url(http" not in text
        assert "@font-face" not in text
        assert "<script" not in text
