"""Who takes part: kommuner with their receivers, and the hospitals that send to them."""

import csv
import importlib.resources
import random
from dataclasses import dataclass
from functools import cache

from engine.domain.advis import Unit
from engine.domain.ids import Cvr, Gln, KommuneCode, SystemUuid
from engine.simulation.made_up import choose, dice, made_up_gln, made_up_id, made_up_sor, made_up_unit

_KOMMUNE_NUMBERS = 10_000  # made-up units are numbered from here, so that no two kinds share a number
_HOSPITAL_NUMBERS = 20_000
_DEPARTMENT_NUMBERS = 30_000

_PRIMARIES = (("Cura", "Systematic"), ("Nexus", "KMD"))
_OTHERS = (("Sensum Bosted", "EG"), ("Modulus Social", "Netcompany"), ("Cura Genoptræning", "Systematic"))
_FEWEST_OTHERS, _MOST_OTHERS = 1, 3

_PLACES = {
    "Region Hovedstaden": ("Hillerød", "Herlev", "Hvidovre"),
    "Region Sjælland": ("Køge", "Slagelse"),
    "Region Syddanmark": ("Odense", "Kolding", "Esbjerg"),
    "Region Midtjylland": ("Aarhus", "Gødstrup", "Viborg"),
    "Region Nordjylland": ("Aalborg", "Hjørring"),
}
_DEPARTMENTS = ("Akutafdelingen", "Medicinsk Afdeling", "Hjerteafdelingen", "Ortopædkirurgisk Afdeling")
_ASCII = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa", " ": "-"})


@dataclass(frozen=True, slots=True)
class SimReceiver:
    """One modtagersystem of a kommune."""

    name: str
    uuid: SystemUuid
    vendor: str
    is_primary: bool
    vendor_email: str = ""


@dataclass(frozen=True, slots=True)
class SimKommune:
    """One kommune as the simulation acts for it; exactly one of its receivers is primary."""

    code: KommuneCode
    name: str
    gln: Gln
    sor: str
    receivers: tuple[SimReceiver, ...]
    region: str = "Region Hovedstaden"
    contact_email: str = ""

    def __post_init__(self) -> None:
        if sum(receiver.is_primary for receiver in self.receivers) != 1:
            raise ValueError(f"kommune {self.code} needs exactly one primary")

    @property
    def unit(self) -> Unit:
        """The unit that hospitals address."""
        return Unit(sor=self.sor, gln=self.gln, name=f"Sygehusadviser, {self.name}")

    @property
    def primary(self) -> SimReceiver:
        return next(receiver for receiver in self.receivers if receiver.is_primary)


@dataclass(frozen=True, slots=True)
class Hospital:
    """A hospital: its unit with a GLN, the departments below it, and the record system that writes for it."""

    unit: Unit
    departments: tuple[Unit, ...]
    region: str
    epj: str


@dataclass(frozen=True, slots=True)
class _Facts:
    code: str
    name: str
    cvr: Cvr
    region: str
    epj: str


@cache
def _facts() -> tuple[_Facts, ...]:
    text = importlib.resources.files("engine.data").joinpath("kommuner.csv").read_text(encoding="utf-8")
    return tuple(
        _Facts(row["kommunekode"], row["kommunenavn"], Cvr(row["cvr"]), row["region"], row["epj"])
        for row in csv.DictReader(text.splitlines())
    )


@cache
def hospitals(region: str) -> tuple[Hospital, ...]:
    """The made-up hospitals of a region, with the record system that the region has."""
    epj = next((facts.epj for facts in _facts() if facts.region == region), "")
    first = 100 * list(_PLACES).index(region)
    return tuple(
        Hospital(
            unit=made_up_unit(_HOSPITAL_NUMBERS + first + number, f"Testhospital {place}"),
            departments=tuple(
                Unit(
                    sor=made_up_sor(_DEPARTMENT_NUMBERS + 10 * (first + number) + below),
                    name=f"{department}, Testhospital {place}",
                )
                for below, department in enumerate(_DEPARTMENTS)
            ),
            region=region,
            epj=epj,
        )
        for number, place in enumerate(_PLACES[region])
    )


def regions() -> tuple[str, ...]:
    return tuple(_PLACES)


@cache
def omits_zone(unit: Unit) -> bool:
    """Whether its envelopes deviate as seen in practice: times without zone, ids in upper case.

    So it is with one hospital in each region that has Sundhedsplatformen.
    """
    first = (hospitals(region)[0] for region in regions())
    return any(hospital.unit == unit and hospital.epj.startswith("Sundhedsplatformen") for hospital in first)


def demo_roster(n_kommuner: int, seed: int) -> tuple[SimKommune, ...]:
    """`n_kommuner` of the 98, drawn by the seed, in the order of their codes, each with 2 to 4 receivers."""
    if not 1 <= n_kommuner <= len(_facts()):
        raise ValueError(f"n_kommuner is 1 to {len(_facts())}, not {n_kommuner}")
    drawn = dice(seed, "roster").sample(_facts(), n_kommuner)
    return tuple(
        _kommune(facts, dice(seed, "receivers", facts.code)) for facts in sorted(drawn, key=lambda f: f.code)
    )


def _kommune(facts: _Facts, rng: random.Random) -> SimKommune:
    number = _KOMMUNE_NUMBERS + int(facts.code)
    others = rng.sample(_OTHERS, rng.randint(_FEWEST_OTHERS, _MOST_OTHERS))
    systems = (choose(rng, _PRIMARIES), *others)
    domain = facts.name.removesuffix(" Kommune").lower().translate(_ASCII)
    return SimKommune(
        code=KommuneCode(facts.code),
        name=facts.name,
        gln=Gln(made_up_gln(number)),
        sor=made_up_sor(number),
        receivers=tuple(
            SimReceiver(
                name=name,
                uuid=SystemUuid(made_up_id("system", facts.code, name)),
                vendor=vendor,
                is_primary=position == 0,
                vendor_email=f"drift@{vendor.lower()}.example",
            )
            for position, (name, vendor) in enumerate(systems)
        ),
        region=facts.region,
        contact_email=f"sundhedsagent@{domain}.example",
    )
