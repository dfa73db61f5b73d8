"""Random tensors to plan, and plans found by trying everything."""

from hypothesis import strategies as st

from efficientdl.systems.compiler.memory.lifetimes import Lifetime


@st.composite
def lifetimes(draw, max_tensors=12, max_bytes=64, max_steps=8, min_tensors=0):
    n = draw(st.integers(min_tensors, max_tensors))
    found = {}
    for i in range(n):
        first = draw(st.integers(0, max_steps - 1))
        last = draw(st.integers(first, max_steps - 1))
        found[f"t{i}"] = Lifetime(draw(st.integers(1, max_bytes)), first, last)
    return found


def least_peak(tensors):
    """The smallest peak over all offsets, by trying every one: not how the planner searches."""
    peak = 0
    while not fits_into(tensors, peak):
        peak += 1
    return peak


def fits_into(tensors, peak):
    """Whether the tensors fit into so many bytes, by filling a table of bytes and steps."""
    names = sorted(tensors, key=lambda name: (tensors[name].first, name))

    def fits(i, taken):
        if i == len(names):
            return True
        life = tensors[names[i]]
        steps = range(life.first, life.last + 1)
        for at in range(peak - life.n_bytes + 1):
            cells = {(step, byte) for step in steps for byte in range(at, at + life.n_bytes)}
            if not cells & taken and fits(i + 1, taken | cells):
                return True
        return False

    return fits(0, frozenset())


def bytes_used(plan):
    """How often each byte of each step is used, painted byte by byte."""
    n_steps = 1 + max((life.last for life in plan.lifetimes.values()), default=-1)
    paint = [[0] * plan.peak_bytes for _ in range(n_steps)]
    for name, life in plan.lifetimes.items():
        at = plan.offsets[name]
        for step in range(life.first, life.last + 1):
            for byte in range(at, at + life.n_bytes):
                paint[step][byte] += 1
    return paint
