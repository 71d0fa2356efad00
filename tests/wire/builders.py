"""Messages with something wrong in them: the simulation's clean ones, changed at one place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.domain.advis import AdvisCode
from engine.domain.finding import Finding, Severity
from engine.simulation.builders import an_advis
from engine.simulation.messages import hn_bundle
from engine.simulation.resources import to_bytes
from engine.wire import fhir, hospital_notification
from engine.wire.fhir import Bundle

Json = dict[str, Any]
Change = Callable[[Json], object]

MEDIA_TYPES = (fhir.XML, fhir.JSON)

EXAMPLES = Path(__file__).resolve().parents[3] / "shared" / "data" / "medcom-examples"


def example(folder: str, start: str, suffix: str) -> bytes:
    """One of MedCom's official examples, by the start of its name; skips the test where it is not at hand."""
    found = sorted((EXAMPLES / folder).glob(f"Bundle-{start}*.{suffix}"))
    if not found:
        pytest.skip("MedCom's official examples are not at hand (../shared/data/medcom-examples)")
    return found[0].read_bytes()


def hn(*changes: Change, media_type: str = fhir.XML, **overrides: Any) -> Bundle:
    """A clean HN (STIN unless `code` says otherwise) after `changes` were made to its JSON."""
    bundle = hn_bundle(an_advis(**overrides))
    return bundle_of(bundle, *changes, media_type=media_type)


def bundle_of(bundle: Json, *changes: Change, media_type: str = fhir.XML) -> Bundle:
    for change in changes:
        change(bundle)
    return fhir.read_bundle(to_bytes(bundle, media_type))


def part(bundle: Json, type_: str, number: int = 0) -> Json:
    """The resource of that type; a negative number counts from the end."""
    found: list[Json] = [
        entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == type_
    ]
    return found[number]


def setting(type_: str, key: str, value: Any, number: int = 0) -> Change:
    """A change: the element of that resource gets that value; None takes it away."""

    def change(bundle: Json) -> None:
        resource = bundle if type_ == "Bundle" else part(bundle, type_, number)
        if value is None:
            del resource[key]
        else:
            resource[key] = value

    return change


def without(type_: str) -> Change:
    """A change: all resources of that type are gone."""

    def change(bundle: Json) -> None:
        bundle["entry"] = [entry for entry in bundle["entry"] if entry["resource"]["resourceType"] != type_]

    return change


def no_profiles(bundle: Json) -> None:
    del bundle["meta"]
    for entry in bundle["entry"]:
        entry["resource"].pop("meta", None)


def findings(bundle: Bundle, severity: Severity | None = None) -> list[Finding]:
    found = hospital_notification.read(bundle).findings
    return [finding for finding in found if severity is None or finding.severity is severity]


ALL_CODES = tuple(AdvisCode)
