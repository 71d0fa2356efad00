"""Every error the engine raises on purpose, drawn as a tree.

SundhedsagentError
 ├─ WireError                  bytes from outside that cannot be what they claim to be
 │   ├─ Malformed              not well-formed, not the expected root, broken base64
 │   ├─ ForbiddenMarkup        a DTD or an entity: never parsed
 │   └─ TooLarge               past the size limit
 ├─ SettingsError              a setting is missing or wrong; names the key
 ├─ HomeError                  the home folder is missing, incomplete, foreign or locked
 ├─ BackupError                a backup cannot be made, or is not what it says it is
 ├─ UnreachableError           the other side of a link cannot be reached, or refuses us
 ├─ PayloadError               a sealed payload cannot be opened with this key
 ├─ RuleError                  a rule of the handbook or of the registry refuses the change
 │   └─ OutdatedError          the state has changed since the caller looked at it
 ├─ NotFoundError              nothing is known by that id
 └─ AccessError                the caller's role does not allow it

Messages are Danish where a person at the command line reads them, and never carry personal data: what a
WireError says may stand in a log, a quarantine reason or a receipt.
"""

import errno
import os


class SundhedsagentError(Exception):
    """Expected trouble; the message says what happened and what to do now."""


class WireError(SundhedsagentError):
    """Bytes from outside that cannot be what they claim to be."""


class Malformed(WireError):  # noqa: N818 - the name says the kind of bytes, and reads well where it is caught
    """Not well-formed, not the expected root, broken base64."""


class ForbiddenMarkup(WireError):  # noqa: N818
    """A DTD or an entity declaration: refused before it is parsed."""


class TooLarge(WireError):  # noqa: N818
    """More bytes than the limit allows."""


class SettingsError(SundhedsagentError):
    """A setting is missing or wrong; the message names the key and the file or variable."""


class HomeError(SundhedsagentError):
    """The home folder is missing, incomplete or cannot be written."""


class BackupError(SundhedsagentError):
    """A backup cannot be made, or cannot be used as one."""


class UnreachableError(SundhedsagentError):
    """The other side of a link cannot be reached now, or refuses us; its cause is the library's own error."""


class PayloadError(SundhedsagentError):
    """A sealed payload cannot be opened: wrong key, or damaged."""


class RuleError(SundhedsagentError):
    """A rule of the handbook or the registry refuses the change."""


class OutdatedError(RuleError):
    """A change against a state that is no longer there: what stands now, and what was wanted, are in the message."""


class NotFoundError(SundhedsagentError):
    """Nothing is known by that id."""


class AccessError(SundhedsagentError):
    """The caller's role does not allow this."""


def os_reason(error: OSError) -> str:
    """What the operating system says, in Danish where it is something that people meet."""
    return _OS_REASONS.get(error.errno or 0, os.strerror(error.errno or 0))


_OS_REASONS = {
    errno.ENOSPC: "der er ikke plads på disken",
    errno.EDQUOT: "din kvote på disken er brugt op",
    errno.EACCES: "du har ikke adgang",
    errno.EPERM: "du har ikke adgang",
    errno.EROFS: "disken kan kun læses",
    errno.ENOENT: "filen eller mappen findes ikke",
    errno.ENOTDIR: "en del af stien er ikke en mappe",
    errno.EISDIR: "det er en mappe",
    errno.EEXIST: "den findes i forvejen",
    errno.ENOTEMPTY: "den findes i forvejen og er ikke tom",
    errno.ENAMETOOLONG: "navnet er for langt",
    errno.EADDRINUSE: "den er i brug af et andet program",
    errno.EADDRNOTAVAIL: "maskinen har ikke den adresse",
}
