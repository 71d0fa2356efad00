"""Finding a citizen's adviser: by a keyed hash of the CPR number, with a reason, and never without a trace."""

from dataclasses import replace

from engine.desk.act import Act
from engine.desk.look_up import AdvisFilter, AdvisView, list_advis
from engine.domain.audit import Action
from engine.domain.registration import checked_cpr, checked_remark
from engine.store.payloads import PayloadBox

_SHOWN_OF_HASH = 12  # enough to see that two searches were for the same person, and to find nobody by


def search_person(act: Act, box: PayloadBox, cpr: str, reason: str, wanted: AdvisFilter) -> list[AdvisView]:
    """The citizen's adviser that the filter shows; the audit log has who asked, why, and how many were found."""
    why = checked_remark(reason, "begrundelsen")
    cpr_hash = box.cpr_hash(checked_cpr(cpr))
    found = list_advis(act.conn, replace(wanted, cpr_hash=cpr_hash))
    act.audit(Action.PERSON_SOUGHT, f"person:{person_of(cpr_hash)}", after={"found": len(found)}, reason=why)
    return found


def person_of(cpr_hash: str) -> str:
    """What the audit log calls a citizen."""
    return cpr_hash[:_SHOWN_OF_HASH]
