"""Attention machines: they skip the keys that the softmax would make nothing of.

Read `tokens.py` (what is asked) and `softmax.py` (the exact result, and why a streamed sum can
equal it bit for bit) first. A3 looks at few products of a key, MNNFast at its weight, SpAtten at
what earlier layers thought of its token.
"""

from efficientdl.systems.hardware.attention.a3 import Candidates, a3, candidates, recall
from efficientdl.systems.hardware.attention.mnnfast import layer_by_layer, mnnfast
from efficientdl.systems.hardware.attention.pipeline import makespan
from efficientdl.systems.hardware.attention.softmax import attend, weigh
from efficientdl.systems.hardware.attention.spatten import Spatten, spatten
from efficientdl.systems.hardware.attention.tokens import Tokens, peaked_tokens
from efficientdl.systems.hardware.attention.top_k_engine import top_k_engine, zero_eliminator

__all__ = [
    "Tokens",
    "peaked_tokens",
    "attend",
    "weigh",
    "makespan",
    "a3",
    "candidates",
    "Candidates",
    "recall",
    "mnnfast",
    "layer_by_layer",
    "top_k_engine",
    "zero_eliminator",
    "spatten",
    "Spatten",
]
