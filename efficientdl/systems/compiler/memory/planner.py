"""Plan the memory of one inference: greedy first, exact where greedy leaves a gap."""

from collections.abc import Callable

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.systems.compiler.memory.exact import exact_plan
from efficientdl.systems.compiler.memory.fit import best_fit, by_area, by_birth, by_size, first_fit
from efficientdl.systems.compiler.memory.lifetimes import Lifetimes, check_lifetimes, lower_bound
from efficientdl.systems.compiler.memory.plan import Plan
from efficientdl.systems.compiler.memory.reorder import reordered

_FITS: tuple[Callable[..., Plan], ...] = (first_fit, best_fit)
_ORDERS = (by_size, by_area, by_birth)


@technique(
    "sys-memory-plan",
    paper="Lin, Chen, Lin, Cohn, Gan and Han, MCUNet: Tiny Deep Learning on IoT Devices, 2020",
    survey="6.1",
    lab="13_kernels_and_compilers",
    kind=Measure(),
)
def plan_memory(lifetimes: Lifetimes, *, max_nodes: int = 2_000) -> Plan:
    """Give every tensor a place in one arena, so that none that live at once overlap.

    The peak is never below `max over steps of the bytes alive`, and reaching it is NP-hard in
    general. Greedy plans come first, in three orders and with two ways to choose a gap. Where none
    meets the bound, the order is mended by who came to lie too high, and last of all a branch and
    bound search goes on from the best plan. If all tensors live at once, the plan is the naive
    one, and sharing buys nothing.

    Args:
        lifetimes: The tensors by name: `lifetimes_of(program)`.
        max_nodes: Partial plans that the search may look at; 0 for greedy alone.

    >>> from efficientdl.systems.compiler.memory.lifetimes import Lifetime
    >>> chain = {"x": Lifetime(8, 0, 0), "h": Lifetime(16, 0, 1), "y": Lifetime(4, 1, 1)}
    >>> plan = plan_memory(chain)
    >>> plan.peak_bytes, dict(plan.offsets)
    (24, {'h': 0, 'x': 16, 'y': 16})

    Source: Lin, Chen, Lin, Cohn, Gan, Han, "MCUNet: Tiny Deep Learning on IoT Devices", 2020
        (TinyEngine); survey section 6.1; lab 13.
    """
    check_lifetimes("plan_memory", lifetimes)
    _check.whole("plan_memory", "max_nodes", max_nodes, 0)
    plans = [fit(lifetimes, order=order) for order in _ORDERS for fit in _FITS]
    best = min(plans, key=lambda plan: plan.peak_bytes)  # the first of equals
    if best.peak_bytes > lower_bound(lifetimes):
        best = reordered(lifetimes, start=best)
    if best.peak_bytes > lower_bound(lifetimes):
        best = exact_plan(lifetimes, start=best, max_nodes=max_nodes).plan
    return best
