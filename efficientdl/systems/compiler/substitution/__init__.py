"""Graph substitution: rules that are generated and verified, and a search that applies them.

A pattern is a small program; two patterns that compute the same make a rule. `generate_rules` finds
them all up to a size, `verify` examines each, `substitute` searches for the cheapest graph, and
`place` spreads a graph over devices as a simulator advises.
"""

from efficientdl.systems.compiler.substitution.anneal import place
from efficientdl.systems.compiler.substitution.cost import simulated_latency
from efficientdl.systems.compiler.substitution.devices import Devices, parallelize, simulate
from efficientdl.systems.compiler.substitution.rules import (
    generate_rules,
    parse_rule,
    shipped_rules,
)
from efficientdl.systems.compiler.substitution.search import substitute
from efficientdl.systems.compiler.substitution.verify import Rule, verify

__all__ = [
    "Rule",
    "generate_rules",
    "shipped_rules",
    "parse_rule",
    "verify",
    "substitute",
    "simulated_latency",
    "Devices",
    "place",
    "simulate",
    "parallelize",
]
