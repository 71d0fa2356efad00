"""VANSEnvelopes as the schema demands them: its order of elements, its lengths, its enumerations."""

from typing import Final

from engine.wire import base64_text
from engine.wire.vans_model import NAMESPACE, Head, MetaInformation, ReceiptKind
from engine.wire.xml import escape

_FORMATS: Final = frozenset({"XML", "EDIFACT", "HL7", "Binary", "Other"})
_TRANSPORTS: Final = frozenset({"reliable", "unreliable"})
_TEXT: Final = 255
_TAG: Final = 70
_TAGS: Final = 5
_DESCRIPTION: Final = 512
_UNKNOWN_NAME: Final = (
    "ukendt"  # Document/Name must hold a character, also where a receipt answers one without
)
_INT: Final = 2**31 - 1

_END_MESSAGE: Final = b"</Data></Message></VANSEnvelope>"


def write_message(head: Head, meta: MetaInformation, data: bytes) -> bytes:
    """A schema-valid envelope; SizeInBytes is counted from `data`, whatever `meta` says."""
    start = f"{_head(head)}<Message><MetaInformation>{_meta(meta, len(data))}</MetaInformation><Data>"
    return b"".join((start.encode(), base64_text.encode(data), _END_MESSAGE))


def write_receipt(
    head: Head,
    kind: ReceiptKind,
    original_envelope_id: str,
    original: MetaInformation,
    *,
    error_code: int | None = None,
    error_text: str | None = None,
) -> bytes:
    """A schema-valid receipt envelope; negative kinds need an error_text (cut to 512 characters).

    The ids of the envelope that is answered are repeated as they came, even where the schema forbids it:
    its sender knows it by no other. Raises ValueError for a negative kind without error_text.
    """
    error = ""
    if kind is not ReceiptKind.POSITIVE_MESSAGE:
        if not error_text:
            raise ValueError("a negative receipt needs an error_text")
        code = f"<Code>{error_code}</Code>" if error_code is not None and error_code > 0 else ""
        error = f"<Error>{code}<Description>{escape(error_text[:_DESCRIPTION])}</Description></Error>"
    return (
        f"{_head(head)}<Receipt><{kind.value}>{error}"
        f"<OriginalEnvelopeIdentifier>{escape(original_envelope_id)}</OriginalEnvelopeIdentifier>"
        f"<OriginalMessage>{_meta(original, original.size_in_bytes)}</OriginalMessage>"
        f"</{kind.value}></Receipt></VANSEnvelope>"
    ).encode()


def _head(head: Head) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<VANSEnvelope xmlns="{NAMESPACE}">'
        f'<SenderID EndPointType="{head.sender.type.value}">{escape(head.sender.id)}</SenderID>'
        f'<ReceiverID EndPointType="{head.receiver.type.value}">{escape(head.receiver.id)}</ReceiverID>'
        f"<EnvelopeIdentifier>{escape(head.envelope_id)}</EnvelopeIdentifier>"
        f"<SentDateTime>{escape(head.sent_at)}</SentDateTime>"
    )


def _meta(meta: MetaInformation, size: int) -> str:
    processing = ""
    if meta.processing is not None:
        provider, service = meta.processing
        processing = (
            f"<Processing><ProviderIdentifier>{escape(provider[:_TEXT])}</ProviderIdentifier>"
            f"<ServiceIdentifier>{escape(service[:_TEXT])}</ServiceIdentifier></Processing>"
        )
    version = f"<Version>{escape(meta.version[:_TEXT])}</Version>" if meta.version else ""
    return (
        f"<Identifier>{escape(meta.identifier)}</Identifier>{processing}"
        f"<Document><Format>{meta.format if meta.format in _FORMATS else 'Other'}</Format>"
        f"<Name>{escape(meta.name[:_TEXT] or _UNKNOWN_NAME)}</Name>{version}"
        f"<SizeInBytes>{min(size, _INT)}</SizeInBytes></Document>{_transport(meta)}"
    )


def _transport(meta: MetaInformation) -> str:
    if meta.transport_type is None and meta.transform_message is None and not meta.service_tags:
        return ""
    kind = f"<Type>{meta.transport_type}</Type>" if meta.transport_type in _TRANSPORTS else ""
    tags = "".join(
        f'<ServiceTag name="{escape(name[:_TAG])}">{escape(value[:_TAG])}</ServiceTag>'
        for name, value in meta.service_tags[:_TAGS]
        if name and value
    )
    transform = (
        "true" if meta.transform_message else "false"
    )  # the schema demands it wherever Transport stands
    return f"<Transport>{kind}<TransformMessage>{transform}</TransformMessage>{tags}</Transport>"
