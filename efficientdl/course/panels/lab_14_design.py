"""Lab 14's panel of designs: the shape of an array for MobileNetV2, by formula."""

from functools import cache

from efficientdl.course import designs
from efficientdl.systems.hardware import Conv, Layer, analyse
from efficientdl.systems.hardware.area import area
from efficientdl.viz import Axis, Choice, Panel, Slider, Table, View
from efficientdl.viz.hardware import waterfall

KIB = 32


def kind(layer: Layer) -> str:
    """What a layer of MobileNetV2 is."""
    if not isinstance(layer, Conv):
        return "linear"
    if layer.groups > 1:
        return "depthwise"
    return "1 x 1" if layer.pairs.kernel == (1, 1) else "3 x 3"


@cache
def least_ms() -> float:
    """Milliseconds in which DRAM moves every word of the network once, at the challenge's rate."""
    bits = sum(
        words * getattr(layer.bits, name)
        for layer in designs.layers().values()
        for name, words in layer.words._asdict().items()  # pyright: ignore[reportAttributeAccessIssue]
    )
    return bits / designs.DRAM.bits_per_cycle / designs.CLOCK_MHZ / 1e3


def _shapes(rows: int, cols: int, dataflow: str) -> View:
    arch = designs.machine({"rows": rows, "cols": cols, "dataflow": dataflow, "buffer_kib": KIB})
    runs = [(kind(layer), analyse(layer, arch)) for layer in designs.layers().values()]
    kinds = dict.fromkeys(name for name, _ in runs)
    cycles = {k: sum(run.cycles for name, run in runs if name == k) for k in kinds}
    macs = {k: sum(run.macs for name, run in runs if name == k) for k in kinds}
    total, size = sum(cycles.values()), area(arch)
    most = max(cycles, key=lambda name: cycles[name])
    text = (
        f"{rows} x {cols} units, {dataflow}: {total / designs.CLOCK_MHZ / 1e3:.1f} ms of "
        f"arithmetic, {100 * cycles[most] / total:.0f} % of it {most}. With {KIB} KiB it takes "
        f"{size.mm2:.2f} square millimetres. DRAM alone needs {least_ms():.1f} ms or more."
    )
    figure = waterfall("Cycles by kind of layer", cycles, measure=Axis("cycles"))
    table = tuple((k, macs[k], cycles[k], 100 * macs[k] / (cycles[k] * rows * cols)) for k in kinds)
    head = ("kind of layer", "MACs", "cycles", "units at work (%)")
    return View(figure, Table("MobileNetV2, one picture", head, table), text)


def shapes() -> Panel:
    """An array for MobileNetV2 by hand: its sides and what stays; memory is not in the way."""
    controls = {
        "rows": Slider("Rows", 1, 64, value=16),
        "cols": Slider("Columns", 1, 64, value=16),
        "dataflow": Choice("What stays", tuple(designs.DATAFLOWS), value="weight stationary"),
    }
    title = "A shape for MobileNetV2"
    return Panel(_shapes, controls, title=title, stops={"cols": (8, 64)})
