"""The log: static event names, data in fields, to standard error; text for people or JSON for log systems."""

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog

from engine.settings import LogSettings


class _StandardError:
    """Standard error, whatever has become of it: a log that cannot be written must put no advis aside.

    A line is written within a transaction at times, and a full disk or a closed pipe would break that.
    """

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def silence_logs() -> None:
    """For a process whose terminal is a screen: a line of log would tear it, and the trace has the same facts."""
    structlog.configure(processors=[_drop], cache_logger_on_first_use=False)


def _drop(_logger: object, _name: str, _event: object) -> structlog.typing.ProcessorReturnValue:
    raise structlog.DropEvent


def configure_logs(settings: LogSettings) -> None:
    """Set up structlog for this process."""
    renderers: list[structlog.typing.Processor]
    if settings.format == "json":
        renderers = [structlog.processors.JSONRenderer(ensure_ascii=False)]
    else:
        renderers = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), sort_keys=False)]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _StandardError())),
        cache_logger_on_first_use=False,
    )
