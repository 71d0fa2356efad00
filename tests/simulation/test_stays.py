import hashlib
import itertools
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from engine.domain.advis import AdvisCode, EncounterClass
from engine.domain.finding import Severity
from engine.domain.ids import is_gln
from engine.simulation import demo_roster, hn_bytes, stays
from engine.simulation.messages import base_of, is_cancellation
from engine.simulation.roster import hospitals, omits_zone, regions
from engine.simulation.stays import MEAN_MESSAGES_PER_STAY, NEXT, START, form_of
from engine.wire import fhir, hospital_notification

BEGIN = datetime(2025, 3, 28, tzinfo=UTC)


def some(count, *, seed=1, compression=1.0, every=timedelta(minutes=30)):
    roster = demo_roster(6, seed)
    stream = stays(roster, seed=seed, start=BEGIN, every=every, compression=compression)
    return list(itertools.islice(stream, count))


@pytest.fixture(scope="module")
def many():
    return some(6000)


def digest(specs):
    return hashlib.sha256(b"".join(hn_bytes(spec, *form_of(spec)) for spec in specs)).hexdigest()


def test_the_same_seed_gives_the_same_bytes():
    assert digest(some(150, seed=7)) == digest(some(150, seed=7))
    assert digest(some(150, seed=7)) != digest(some(150, seed=8))


def test_the_bytes_do_not_hang_on_the_process():
    program = (
        "import hashlib, itertools, datetime as d;"
        "from engine.simulation import *;"
        "begin, every = d.datetime(2025, 1, 1, tzinfo=d.UTC), d.timedelta(hours=1);"
        "s = stays(demo_roster(3, 5), seed=5, start=begin, every=every);"
        "print(hashlib.sha256(b''.join(hn_bytes(x) for x in itertools.islice(s, 40))).hexdigest())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


def test_all_codes_turn_up_in_the_order_of_sending(many):
    assert {spec.code for spec in many} == set(AdvisCode)
    assert all(first.sent_at <= second.sent_at for first, second in itertools.pairwise(many))
    assert len({spec.message_id for spec in many}) == len(many)
    assert len({spec.bundle_id for spec in many}) == len(many)


def test_all_are_clean_and_say_what_they_mean():
    for spec in some(400, seed=3):
        notification = hospital_notification.read(fhir.read_bundle(hn_bytes(spec, *form_of(spec))))
        assert [f for f in notification.findings if f.severity is not Severity.WARNING] == []
        assert notification.code is (AdvisCode.MORS if spec.code is AdvisCode.RE_MORS else spec.code)


def test_times_of_a_stay_are_in_order(many):
    for spec in many:
        assert spec.started_at <= spec.sent_at
        if spec.code in {AdvisCode.SLHJ, AdvisCode.MORS, AdvisCode.RE_SLHJ, AdvisCode.RE_MORS}:
            assert spec.started_at <= spec.ended_at <= spec.sent_at
        if spec.code in {AdvisCode.SLOR, AdvisCode.RE_SLOR}:
            assert spec.started_at <= spec.leave_start <= spec.leave_end <= spec.sent_at
        if spec.history:
            assert spec.history[-1].at < spec.sent_at


def test_each_message_follows_the_one_before_it(many):
    codes = {spec.message_id: spec.code for spec in many}
    for spec in many:
        starts = spec.code in {AdvisCode.STAA, AdvisCode.STIN}
        assert not (starts and spec.history)  # a start carries one Provenance
        if not spec.history:
            assert starts or spec.code is AdvisCode.MORS
            continue
        before = codes[spec.history[-1].message_id]
        if spec.code is not base_of(spec.code):
            assert base_of(before) is base_of(spec.code)
            assert not is_cancellation(before)
        elif spec.code is AdvisCode.SLOR:
            assert before in {AdvisCode.STOR, AdvisCode.RE_STOR, AdvisCode.AN_SLOR, AdvisCode.AN_MORS}


def test_leaves_belong_to_the_admitted(many):
    for spec in many:
        if base_of(spec.code) in {AdvisCode.STIN, AdvisCode.STOR, AdvisCode.SLOR}:
            assert spec.encounter_class is EncounterClass.IMP
        if base_of(spec.code) is AdvisCode.STAA:
            assert spec.encounter_class is EncounterClass.EMER


def test_transfers_are_a_new_start_elsewhere_without_a_discharge(many):
    by_patient = defaultdict(list)
    for spec in many:
        by_patient[spec.patient.cpr].append(spec)
    moved = [
        (first, second)
        for specs in by_patient.values()
        for first, second in itertools.pairwise(specs)
        if second.code is AdvisCode.STIN
        and first.code is AdvisCode.STIN
        and first.hospital != second.hospital
    ]
    assert moved
    assert all(first.encounter_id != second.encounter_id for first, second in moved)
    assert {second.report_of_admission for _, second in moved} == {True, False}  # only from another region


def test_formats_are_mixed(many):
    forms = Counter(form_of(spec) for spec in many)
    assert 0.25 < forms[fhir.JSON, "UTF-8"] / len(many) < 0.35
    assert forms[fhir.XML, "ISO-8859-1"] > 100
    assert {spec.department is None for spec in many} == {True, False}
    assert {spec.episode_lpr3 is None for spec in many} == {True, False}
    assert any(spec.patient.cpr == "2509479989" for spec in many)


def test_the_mean_that_rates_are_reckoned_with():
    specs = some(6000, every=timedelta(hours=2))
    begun = (specs[-1].sent_at - BEGIN) / timedelta(hours=2)
    assert len(specs) / begun == pytest.approx(MEAN_MESSAGES_PER_STAY, rel=0.08)


def test_compression_shortens_the_stays():
    specs = some(600, compression=150, every=timedelta(minutes=1))
    longest = max(spec.sent_at - spec.started_at for spec in specs)
    assert longest < timedelta(hours=2)
    assert {AdvisCode.STIN, AdvisCode.SLHJ} <= {spec.code for spec in specs[:100]}


def test_the_chances_add_up():
    for choices in (START, *NEXT.values()):
        assert sum(choices.values()) == pytest.approx(1.0)


def test_no_kommuner_no_stays():
    with pytest.raises(ValueError, match="empty"):
        next(stays([], seed=1, start=BEGIN, every=timedelta(hours=1)))


def test_the_roster_is_drawn_by_its_seed():
    roster = demo_roster(98, 1)
    assert roster == demo_roster(98, 1)
    assert len({kommune.gln for kommune in roster}) == 98
    assert all(is_gln(kommune.gln) for kommune in roster)
    assert {len(kommune.receivers) for kommune in roster} == {2, 3, 4}
    assert len({receiver.uuid for kommune in roster for receiver in kommune.receivers}) == sum(
        len(kommune.receivers) for kommune in roster
    )
    assert demo_roster(5, 1) != demo_roster(5, 2)
    for kommune in roster:
        assert kommune.primary.name in {"Cura", "Nexus"}
        assert kommune.contact_email.isascii()
        assert all(r.vendor_email == f"drift@{r.vendor.lower()}.example" for r in kommune.receivers)


@pytest.mark.parametrize("count", [0, 99])
def test_there_are_98_kommuner(count):
    with pytest.raises(ValueError, match="98"):
        demo_roster(count, 1)


def test_hospitals_have_their_regions_system():
    for region in regions():
        epic = region in {"Region Hovedstaden", "Region Sjælland"}
        for hospital in hospitals(region):
            assert is_gln(hospital.unit.gln)
            assert ("Epic" in hospital.epj) is epic
            assert ("Columna" in hospital.epj) is not epic
        assert sum(omits_zone(hospital.unit) for hospital in hospitals(region)) == epic
