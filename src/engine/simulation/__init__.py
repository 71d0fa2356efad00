"""Hospitals and receivers in software, seeded; for the demo, tests and benchmarks.

In reading order: `made_up` (numbers and persons that are nobody's), `narrative` and `resources` (FHIR's
parts), `messages` (adviser and kvitteringer from specs), `builders` (short ways to a spec), `envelopes` (what
they travel in), `roster` (who takes part), `stays` (what happens to patients), `habits` (how receivers
answer), `ledger` (what was seen from outside), `mailbox` and `folders` (how messages reach them), `hospital` and
`receiver` (the actors), `simulation` (all of them at once). On real servers: `surroundings`, and what it is made of.
"""

from engine.simulation.builders import an_acknowledgement, an_advis
from engine.simulation.envelopes import Correspondence, envelope, hn_envelope, kvittering_besked
from engine.simulation.habits import DEMO, FLAWLESS, ORDINARY, PRESETS, TROUBLED, Habits
from engine.simulation.ledger import Lack, Missing, Totals
from engine.simulation.messages import AckSpec, HnSpec, ack_bundle, ack_bytes, hn_bundle, hn_bytes
from engine.simulation.roster import SimKommune, SimReceiver, demo_roster
from engine.simulation.simulation import Pace, Script, Simulation, simulate
from engine.simulation.stays import stays

__all__ = [
    "DEMO",
    "FLAWLESS",
    "ORDINARY",
    "PRESETS",
    "TROUBLED",
    "AckSpec",
    "Correspondence",
    "Habits",
    "HnSpec",
    "Lack",
    "Missing",
    "Pace",
    "Script",
    "SimKommune",
    "SimReceiver",
    "Simulation",
    "Totals",
    "ack_bundle",
    "ack_bytes",
    "an_acknowledgement",
    "an_advis",
    "demo_roster",
    "envelope",
    "hn_bundle",
    "hn_bytes",
    "hn_envelope",
    "kvittering_besked",
    "simulate",
    "stays",
]
