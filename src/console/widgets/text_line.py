"""A line to type in, or to paste into: what it holds a terminal may have."""

from textual.widgets import Input

from console.danish import printable


class TextLine(Input):
    """Text from elsewhere, pasted or filled in beforehand, is made harmless as it comes."""

    DEFAULT_CSS = """
    TextLine { height: 1; border: none; padding: 0 1; background: $panel; color: $foreground; }
    TextLine:focus { border: none; background: $input-selection-background; }
    TextLine > .input--placeholder { color: $secondary; }
    """

    def validate_value(self, value: str) -> str:
        return printable(value)
