"""Lab 13's pictures of memory: an arena before and after planning, and patches by hand."""

from functools import cache

from efficientdl.systems.compiler import Graph
from efficientdl.systems.compiler.memory import (
    Program,
    in_place,
    lifetimes_of,
    lower_bound,
    patch_by_patch,
    plan_memory,
    program_of,
    without_sharing,
)
from efficientdl.viz import Axis, Bars, Choice, Figure, Panel, Slider, Table, View
from efficientdl.viz.figures import arena as draw

# Where the patches of MobileNetV2 may end: behind what is read once.
ENDS = ("stage2.0.depthwise.activation", "stage2.1.add", "stage3.0.project.norm", "stage3.1.add")
_MIB = 2**20


def arena(program: Program) -> View:
    """The tensors of a program as rectangles of steps and bytes: each apart, and planned.

    Args:
        program: What is planned.
    """
    tensors = lifetimes_of(program)
    spans = {name: (life.n_bytes, life.first, life.last) for name, life in tensors.items()}
    apart, shared = without_sharing(tensors), plan_memory(tensors)
    text = (
        f"{len(tensors)} tensors take {apart.peak_bytes:,} bytes apart and {shared.peak_bytes:,} "
        f"where they share; the fullest step has {lower_bound(tensors):,}."
    )
    figures = (
        draw("Each apart", spans, apart.offsets),
        draw("Planned", spans, shared.offsets, top=apart.peak_bytes),
    )
    rows = tuple(
        (i, name, *spans[name], apart.offsets[name], shared.offsets[name])
        for i, name in enumerate(tensors, start=1)
    )
    head = ("number", "tensor", "bytes", "first step", "last step", "apart at", "planned at")
    return View(figures, Table("Where each tensor lies", head, rows), text)


def patches(graph: Graph) -> Panel:
    """The arena and the MACs of MobileNetV2, computed patch by patch, in place or not.

    Args:
        graph: That of MobileNetV2, fused.
    """
    plain = program_of(graph)

    @cache
    def costs(until: str, rows: int, cols: int) -> tuple[tuple[str, int, int], ...]:
        cut = patch_by_patch(graph, until=until, rows=rows, cols=cols)
        ways = {
            "layer by layer": plain,
            "in place": in_place(plain),
            "patches": cut,
            "patches, in place": in_place(cut),
        }
        found = ((name, way.cost()) for name, way in ways.items())
        return tuple((name, c.activation_bytes or 0, c.macs or 0) for name, c in found)

    def view(until: str, rows: int, cols: int) -> View:
        found = costs(until, int(rows), int(cols))
        (_, before, macs), *_, (_, after, more) = found
        text = (
            f"{int(rows)} x {int(cols)} patches until {until}: {after:,} bytes in place of "
            f"{before:,}, and {100 * (more / macs - 1):.1f} % more MACs."
        )
        figure = Figure(
            "The fullest step of MobileNetV2",
            Axis("arena", "MiB", low=0, high=before / _MIB),
            Axis("", categories=tuple(name for name, *_ in found)),
            (Bars("arena", [n_bytes / _MIB for _, n_bytes, _ in found]),),
            alt=text,
            height=260,
        )
        rows_ = tuple((name, n, m, 100 * (m / macs - 1)) for name, n, m in found)
        head = ("way", "bytes", "MACs", "more MACs (%)")
        return View(figure, Table("Four ways to run it", head, rows_), text)

    controls = {
        "until": Choice("Patches end at", ENDS, value=ENDS[1]),
        "rows": Slider("Rows of patches", 1, 7, value=3),
        "cols": Slider("Columns of patches", 1, 7, value=3),
    }
    title = "How small, and how much twice?"
    return Panel(view, controls, title=title, stops={"until": (ENDS[0], ENDS[3])})
