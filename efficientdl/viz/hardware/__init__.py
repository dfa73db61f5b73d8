"""Pictures of machines: an array at work, what its time and energy went to, who waits for whom.

They take plain numbers: the frames of an array as `snapshots` gives them, names with their cycles
or picojoules, spans of cycles in a lane. The roofline is that of `viz.figures`.
"""

from efficientdl.viz.hardware.array import Frame, array_figure, array_panel
from efficientdl.viz.hardware.timing import Span, timing
from efficientdl.viz.hardware.waterfall import by_level, waterfall

__all__ = ["Frame", "array_figure", "array_panel", "Span", "timing", "by_level", "waterfall"]
