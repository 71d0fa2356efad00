"""Draws the console's pictures from the scenes: `make screenshots`. The same program draws the same bytes.

Each picture is an SVG and a PNG of it. A PNG carries the digest of its SVG, so that a test can tell an old one without
drawing it again; drawing takes the font Fira Code (Debian: fonts-firacode).
"""

import asyncio
import hashlib
import os
import struct
import sys
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import resvg_py

from engine.home import Home
from screenshots.person import at_work, opened
from screenshots.scenes import Scene, make_scene

FOLDER = Path(__file__).parent
_FONTS = "/usr/share/fonts/truetype/firacode"
_LARGE, _USUAL, _SMALL = (200, 60), (120, 34), (80, 24)
_DIGEST = b"svg-sha256"  # keyword of the text chunk


@dataclass(frozen=True, slots=True)
class Picture:
    """What is pressed in a scene before the picture is taken; a key with a blank in front is text to type."""

    name: str
    scene: Scene
    keys: Sequence[str] = ()
    size: tuple[int, int] = _USUAL
    is_colourless: bool = False


PICTURES = (
    Picture("overblik", Scene.OVERDUE),
    Picture("overblik-tom", Scene.EMPTY),
    Picture("overblik-travl", Scene.BUSY),
    Picture("overblik-haendelse", Scene.INCIDENT),
    Picture("overblik-dag", Scene.OVERDUE, ("f9",)),
    Picture("overblik-uden-farver", Scene.OVERDUE, is_colourless=True),
    Picture("overblik-lille", Scene.OVERDUE, size=_SMALL),
    Picture("overblik-stor", Scene.OVERDUE, size=_LARGE),
    Picture("adviser", Scene.OVERDUE, ("2", "down", "down", "down")),
    Picture("adviser-fundet", Scene.OVERDUE, ("2", "slash", " kommune:glostrup status:overskredet", "enter")),
    Picture("advis", Scene.OVERDUE, ("2", "slash", " kommune:glostrup status:overskredet", "enter", "enter")),
    Picture("kvitteringer", Scene.OVERDUE, ("3",)),
    Picture("kvitteringer-sager", Scene.OVERDUE, ("3", "v", "v")),
    Picture("sag", Scene.OVERDUE, ("3", "enter")),
    Picture("kommuner", Scene.OVERDUE, ("4",)),
    Picture("kommune", Scene.BUSY, ("4", "slash", " kommune:glostrup", "enter", "enter")),
    Picture(
        "skift-af-primaer",
        Scene.BUSY,
        ("4", "slash", " kommune:glostrup", "enter", "enter", "down", "p", " i morgen 10:00", "f2"),
    ),
    Picture("skabelon", Scene.BUSY, ("5",)),
    Picture("skabelon-udfyldt", Scene.BUSY, ("5", "enter")),
    Picture("haendelser", Scene.INCIDENT, ("6",)),
    Picture("haendelse", Scene.INCIDENT, ("6", "enter")),
    Picture(
        "fejlsoegning",
        Scene.OVERDUE,
        ("7", "tab", " glostrup", "tab", " sensum bosted", "tab", " 103", "f2"),
        size=(120, 44),
    ),
    Picture("log", Scene.OVERDUE, ("8",)),
    Picture("hjaelp", Scene.OVERDUE, ("question_mark",)),
    Picture("kommando", Scene.OVERDUE, ("colon", " glo")),
)


async def draw(picture: Picture, home: Home) -> str:
    """The picture as SVG."""
    with patch.dict(os.environ, {"NO_COLOR": "1"} if picture.is_colourless else {}), at_work(picture.scene):
        async with opened(home, size=picture.size, scene=picture.scene) as person:
            for key in picture.keys:
                if key.startswith(" "):
                    await person.types(key[1:])
                else:
                    await person.presses(key)
            return person.app.picture() + "\n"


def png_of(svg: str) -> bytes:
    """The picture as the browser of a person with the font shows it."""
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True, font_dirs=[_FONTS]))
    return _with_text(png, _DIGEST, digest_of(svg))


def digest_of(svg: str) -> bytes:
    return hashlib.sha256(svg.encode()).hexdigest().encode()


def digest_in(png: bytes) -> bytes | None:
    """The digest of the SVG that a PNG was drawn from."""
    _, found, rest = png.partition(b"tEXt" + _DIGEST + b"\0")
    return rest[:64] if found else None


def _with_text(png: bytes, keyword: bytes, text: bytes) -> bytes:
    """A PNG with one more text chunk, before its last chunk, IEND (PNG, third edition, 11.3.3.2)."""
    body = b"tEXt" + keyword + b"\0" + text
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    end = png.rindex(b"IEND") - 4
    return png[:end] + chunk + png[end:]


def main(names: Sequence[str]) -> int:
    """Draw all pictures, or those of these names; gives the exit status."""
    if not Path(_FONTS).is_dir():
        print("Fira Code is needed, and is not here. On Debian: apt install fonts-firacode", file=sys.stderr)
        return 1
    wanted = [picture for picture in PICTURES if not names or picture.name in names]
    with tempfile.TemporaryDirectory() as folder:
        for scene in Scene:
            pictures = [picture for picture in wanted if picture.scene is scene]
            if not pictures:
                continue
            home, _ = make_scene(scene, Path(folder) / scene)
            for picture in pictures:
                svg = asyncio.run(draw(picture, home))
                (FOLDER / f"{picture.name}.svg").write_text(svg, encoding="utf-8")
                (FOLDER / f"{picture.name}.png").write_bytes(png_of(svg))
                print(picture.name)
    if not names:
        known = {picture.name for picture in PICTURES}
        for path in (*FOLDER.glob("*.svg"), *FOLDER.glob("*.png")):
            if path.stem not in known:
                path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
