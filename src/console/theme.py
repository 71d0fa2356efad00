"""The two themes, "nat" and "dag": few tones, calm by default, each one readable on every ground it stands on.

Colour is never the only carrier: each tone comes with a sign or a word. Contrasts are held by a test (WCAG AA, 4.5:1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from rich.style import Style
from textual.theme import Theme

NIGHT, DAY = "nat", "dag"


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one theme. Tones are foregrounds; grounds are what they stand on."""

    dark: bool
    tones: Mapping[str, str]
    ground: str
    bar: str  # the lines at top and bottom
    cursor: str  # the row that keys act on
    cursor_away: str  # the same row while the focus is elsewhere
    alarm_ground: str  # the banner of an incident
    alarm_text: str


PALETTES: Mapping[str, Palette] = {
    NIGHT: Palette(
        dark=True,
        tones={
            "": "#d5dbe3",
            "strong": "#ffffff",
            "dim": "#a7b1bd",
            "ok": "#8fc9a3",
            "warn": "#ecc06c",
            "alarm": "#ff9a90",
            "accent": "#8ec4ff",
        },
        ground="#14181f",
        bar="#222a35",
        cursor="#2c4056",
        cursor_away="#26303c",
        alarm_ground="#7a1020",
        alarm_text="#ffffff",
    ),
    DAY: Palette(
        dark=False,
        tones={
            "": "#1d2329",
            "strong": "#000000",
            "dim": "#4a545f",
            "ok": "#145a31",
            "warn": "#6b4300",
            "alarm": "#9c0018",
            "accent": "#0a4a8f",
        },
        ground="#fbfbf8",
        bar="#e4e8ec",
        cursor="#cfe2f7",
        cursor_away="#e3e9ef",
        alarm_ground="#9c0018",
        alarm_text="#ffffff",
    ),
}

_BOLD = {"strong", "alarm"}  # and so the tone is seen without colours too


def themes() -> list[Theme]:
    """As Textual wants them: for the few widgets of its own that are used."""
    return [
        Theme(
            name=name,
            primary=palette.tones["accent"],
            secondary=palette.tones["dim"],
            accent=palette.tones["accent"],
            foreground=palette.tones[""],
            background=palette.ground,
            surface=palette.ground,
            panel=palette.bar,
            success=palette.tones["ok"],
            warning=palette.tones["warn"],
            error=palette.tones["alarm"],
            dark=palette.dark,
            variables={
                "scrollbar": palette.tones["dim"],
                "scrollbar-background": palette.bar,
                "scrollbar-hover": palette.tones["accent"],
                "scrollbar-active": palette.tones["accent"],
                "border": palette.tones["dim"],
                "input-cursor-background": palette.tones[""],
                "input-cursor-foreground": palette.ground,
                "input-selection-background": palette.cursor,
            },
        )
        for name, palette in PALETTES.items()
    ]


@cache
def style(theme: str, tone: str, ground: str = "ground") -> Style:
    """The style of a tone on one of the grounds (the names of Palette's fields)."""
    palette = PALETTES.get(theme, PALETTES[NIGHT])
    if ground == "alarm_ground":
        return Style(color=palette.alarm_text, bgcolor=palette.alarm_ground, bold=True)
    return Style(color=palette.tones[tone], bgcolor=getattr(palette, ground), bold=tone in _BOLD or None)
