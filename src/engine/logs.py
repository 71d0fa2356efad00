"""The log: static event names, data in fields, to standard error; text for people or JSON for log systems."""

import logging
import sys

import structlog

from engine.settings import LogSettings


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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
