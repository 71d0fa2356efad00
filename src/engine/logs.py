"""The log: static event names, data in fields, to standard error; text for people or JSON for log systems."""

import logging
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog

from engine.flow.trouble import told
from engine.settings import LogSettings

log = structlog.get_logger(__name__)


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


class _Libraries(logging.Handler):
    """What libraries log becomes a line of ours: which one, the kind of error and its place, and never their text,
    which could quote a message.
    """

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        fields = {"where": f"{record.pathname}:{record.lineno}"} | (told(error) if error is not None else {})
        log.log(record.levelno, "library-reported", library=record.name, **fields)


def silence_logs() -> None:
    """For a process whose terminal is a screen: a line of log would tear it, and the trace has the same facts."""
    structlog.configure(processors=[_drop], cache_logger_on_first_use=False)
    _hear_libraries(logging.NullHandler())


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
    _hear_libraries(_Libraries(logging.WARNING))
    # A lost connection is told once, by the link itself.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)


def _hear_libraries(handler: logging.Handler) -> None:
    root = logging.getLogger()
    for earlier in [each for each in root.handlers if isinstance(each, _Libraries | logging.NullHandler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
