"""What Textual draws, to the server that shows it in a browser."""

import os
import signal
from contextlib import suppress
from functools import partial
from typing import Any

from textual import messages
from textual.app import App
from textual.drivers.web_driver import WebDriver


class BrowserDriver(WebDriver):
    """Textual's own, which ends when the server has closed the line or is there no more.

    Standard output is the line: nothing else may be printed.
    """

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._write = partial(self._put)

    def _put(self, data: bytes) -> int:
        """All of it: a pipe may take a part, and the rest would be taken for another packet."""
        rest = memoryview(data)
        with suppress(BrokenPipeError):  # nobody looks any more; the end of the input tells so
            while rest:
                rest = rest[os.write(self.fileno, rest) :]
        return len(data)

    def start_application_mode(self) -> None:
        super().start_application_mode()
        for number in (signal.SIGINT, signal.SIGTERM):
            # Not what the person wanted: the page tells it from a console that was closed, and comes back.
            self._loop.add_signal_handler(number, self._app.exit, 1)

    def run_input_thread(self) -> None:
        super().run_input_thread()
        if not self.exit_event.is_set():
            self.send_message(messages.ExitApp())
