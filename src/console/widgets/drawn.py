"""Widgets that draw whole lines: Textual's way through borders, padding and tints costs more than their text does."""

from typing import Any, Self

from textual.filter import ANSIToTruecolor
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget


class Drawn(Widget):
    """Draws its lines itself, from edge to edge: it has no border, no padding and no opacity.

    A line is kept until `refresh` is called for it. One that is drawn as another was is the very same strip
    (`spans.strip_of`), with all that Textual has worked out of it: where it is cut, how it is written to the terminal.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        self._kept: dict[int, Strip] = {}
        self._kept_for: tuple[Size, str] = (Size(), "")
        super().__init__(*args, **named)

    def line_of(self, y: int, width: int, theme: str) -> Strip:
        """The line at `y` of what is seen."""
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:
        return self.line_of(y, self.size.width, self.app.theme)

    def render_lines(self, crop: Region) -> list[Strip]:
        size, theme = drawn_for = self.size, self.app.theme
        if drawn_for != self._kept_for:
            self._kept.clear()
            self._kept_for = drawn_for
        strips = []
        for y in crop.line_range:
            if y not in self._kept:
                self._kept[y] = self.line_of(y, size.width, theme)
            strips.append(self._kept[y])
        for each in self.get_line_filters():
            if not isinstance(each, ANSIToTruecolor):  # tones are true colours already
                ground = self.background_colors[1]
                strips = [strip.apply_filter(each, ground) for strip in strips]
        start, end = crop.column_span
        return strips if (start, end) == (0, size.width) else [strip.crop(start, end) for strip in strips]

    def redraw(self) -> None:
        """Draw the lines anew that say something else than they did."""
        if not self.is_attached:
            return  # its page has been left, perhaps while something was read for it
        size, theme = self._kept_for
        found = {y: self.line_of(y, size.width, theme) for y in self._kept}
        changed = [y for y, strip in found.items() if strip is not self._kept[y]]
        if changed:
            self._kept = found
            super().refresh(*(Region(0, y, size.width, 1) for y in changed))

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        if repaint and regions:
            for region in regions:
                for y in region.line_range:
                    self._kept.pop(y, None)
        elif repaint:
            self._kept.clear()
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)
