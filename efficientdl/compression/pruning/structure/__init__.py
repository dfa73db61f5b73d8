"""Which channels must go together, and how they are cut out of any model.

`channel_groups` follows the channels through one run of the model and gives groups that can be
printed; `remove_channels` makes the layers smaller, `zero_channels` sets the same weights to zero,
and both give the same output. Read `ties.py`, `labels.py`, `tracer.py` in this order; `rules.py`
lists what each operation does: `products.py` layers with weights, `moving.py` and `meeting.py` the
rest.
"""

from efficientdl.compression.pruning.structure.cut import (
    Gone,
    cut_exactly,
    load_smaller,
    remove_channels,
    zero_channels,
)
from efficientdl.compression.pruning.structure.groups import (
    Group,
    Slice,
    channel_groups,
    demand_groups,
    demand_values,
)

__all__ = [
    "Gone",
    "Group",
    "Slice",
    "channel_groups",
    "cut_exactly",
    "demand_groups",
    "demand_values",
    "load_smaller",
    "remove_channels",
    "zero_channels",
]
