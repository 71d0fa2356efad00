"""MedCom's VANSEnvelope 1.0.4: read with the deviations seen in practice, written strictly.

The one name by which the rest of the engine knows the format.
"""

from engine.wire.vans_model import (
    NAMESPACE,
    EndPoint,
    EndPointType,
    Head,
    MessageEnvelope,
    MetaInformation,
    ReceiptEnvelope,
    ReceiptKind,
)
from engine.wire.vans_reading import read
from engine.wire.vans_writing import write_message, write_receipt

__all__ = [
    "NAMESPACE",
    "EndPoint",
    "EndPointType",
    "Head",
    "MessageEnvelope",
    "MetaInformation",
    "ReceiptEnvelope",
    "ReceiptKind",
    "read",
    "write_message",
    "write_receipt",
]
