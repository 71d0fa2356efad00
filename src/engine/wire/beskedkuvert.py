"""The Beskedfordeler's Haendelsesbesked (Beskedkuvert 1.0): Sygehusophold written, MedComKvittering read.

The one name by which the rest of the engine knows the format.
"""

from engine.wire.kuvert_model import Haendelsesbesked, MedComKvittering, Sygehusophold
from engine.wire.kuvert_reading import read
from engine.wire.kuvert_writing import write_medcomkvittering, write_sygehusophold

__all__ = [
    "Haendelsesbesked",
    "MedComKvittering",
    "Sygehusophold",
    "read",
    "write_medcomkvittering",
    "write_sygehusophold",
]
