"""Wrong answers to lab 14: its checks must refuse each."""

_FOLD = """def after_cycles(x, weight, cycles):
    sums, busy = np.zeros((len(x), weight.shape[1]), int), []
    i, j = np.indices(sums.shape)
    for t in range({cycles}):
        p = {word}
        works = {works}
        i1, j1, p1 = i[works], j[works], p[works]
        sums[works] += x[i1, p1] * weight[p1, j1]
        busy.append(int({busy}))
    return {result}
"""
_CLOSED = """def weight_stationary_counts(m, k, n, rows, cols):
    down, across = {folds}
    cycles = down * across * ({fold})
    return cycles, {x}, {weight}, {psum}
"""
_ROWS = """def active_units(rows, cols, r, e):
    strips, needed = {strips}, {needed}
    if needed > strips:
        return {folded}
    return {sets}
"""
_STALLS = """def double_buffered(loads, computes, stores):
    cycles = {first}
    for t, compute in enumerate(computes):
        bus = {store} + (loads[t + 1] if t + 1 < len(loads) else 0)
        cycles += {longer}
    cycles += {last}
    return cycles, {waits}
"""
_RLC = """def run_lengths(values):
    pairs, run = [], 0
    for value in values:
        if value == 0 and {room}:
            run += 1
        else:
            pairs.append((run, value))
            run = {again}
    if {rest}:
        pairs.append({last})
    return pairs
"""
_EIE = """def sparse_unit(values, skips, starts, x, n_rows):
    y, steps = np.zeros(n_rows, int), 0
    for j in {inputs}:
        row = {first}
        for p in range(starts[j], starts[j + 1]):
            row += {move}
            y[row] += {product}
            steps += {step}
    return y, steps
"""
_BITS = """def bit_serial(x, weight, bits):
    total, sums = 0, []
    for b in {order}:
        part = int(({plane}) @ weight)
        total = {held} + ({signed})
        sums.append(total)
    return {result}
"""


def _fold(
    cycles="cycles",
    word="t - i - j",
    works="(p >= 0) & (p < x.shape[1])",
    busy="works.sum()",
    result="sums, busy",
):
    return _FOLD.format(cycles=cycles, word=word, works=works, busy=busy, result=result)


def _closed(
    folds="-(-k // rows), -(-n // cols)",
    fold="rows + m + rows + cols - 2",
    x="m * k * across",
    weight="k * n",
    psum="2 * m * n * (down - 1)",
):
    return _CLOSED.format(folds=folds, fold=fold, x=x, weight=weight, psum=psum)


def _rows(
    strips="rows // r",
    needed="-(-e // cols)",
    folded="r * strips * cols",
    sets="strips // needed * r * e",
):
    return _ROWS.format(strips=strips, needed=needed, folded=folded, sets=sets)


def _stalls(
    first="loads[0]",
    store="(stores[t - 1] if t else 0)",
    longer="max(compute, bus)",
    last="stores[-1]",
    waits="cycles - sum(computes)",
):
    return _STALLS.format(first=first, store=store, longer=longer, last=last, waits=waits)


def _rlc(room="run < 31", again="0", rest="run", last="(run - 1, 0)"):
    return _RLC.format(room=room, again=again, rest=rest, last=last)


def _eie(
    inputs="np.flatnonzero(x)",
    first="-1",
    move="skips[p] + 1",
    product="values[p] * x[j]",
    step="1",
):
    return _EIE.format(inputs=inputs, first=first, move=move, product=product, step=step)


def _bits(
    order="reversed(range(bits))",
    plane="(x >> b) & 1",
    held="2 * total",
    signed="-part if b == bits - 1 else part",
    result="sums",
):
    return _BITS.format(order=order, plane=plane, held=held, signed=signed, result=result)


MUTANTS = {
    "accel-fold": [
        _fold(word="t - i + 0 * j"),  # a whole row at once
        _fold(works="(p >= 0) & (p < x.shape[1] - 1)"),  # the last word never comes
        _fold(cycles="cycles + 1"),  # one cycle too many
        _fold(busy="works.size"),  # idle units counted
        _fold(cycles="cycles", result="x @ weight, busy"),  # the finished product at once
    ],
    "accel-closed": [
        _closed(fold="m + rows + cols - 2"),  # the weights are there by magic
        _closed(folds="k // rows + 1, n // cols + 1"),  # a fold too many where it divides
        _closed(folds="k / rows, n / cols"),  # parts of folds
        _closed(x="m * k"),  # read once, whatever the columns
        _closed(psum="m * n * (down - 1)"),  # written, never read
        _closed(folds="-(-k // cols), -(-n // rows)"),  # the sides exchanged
    ],
    "accel-rows": [
        _rows(folded="r * cols"),  # one strip of many
        _rows(sets="r * e"),  # one set of many
        _rows(sets="strips * r * e"),  # more strips than there are
        _rows(needed="e // cols + 1"),  # a strip too many where it divides
        _rows(strips="rows / r"),  # parts of strips
    ],
    "accel-stalls": [
        _stalls(longer="compute + bus"),  # one buffer
        _stalls(store="stores[t - 1]"),  # the last store before the first tile
        _stalls(store="0"),  # stores have a bus of their own
        _stalls(first="0"),  # the first tile is there by magic
        _stalls(last="0"),  # the last sums never leave
        _stalls(waits="cycles - max(computes)"),
    ],
    "accel-rlc": [
        _rlc(room="True"),  # runs of more than five bits
        _rlc(room="run < 32"),
        _rlc(room="run < 30"),
        _rlc(last="(run, 0)"),  # a zero too many at the end
        _rlc(rest="False"),  # zeros at the end are lost
    ],
    "accel-eie": [
        _eie(move="skips[p]"),  # the entry's own row forgotten
        _eie(first="0"),
        _eie(inputs="range(len(x))"),  # zeros are walked, too
        _eie(step="int(values[p] != 0)"),  # padding takes no time
        _eie(product="values[p]"),
    ],
    "accel-bits": [
        _bits(signed="part"),  # no sign
        _bits(order="range(bits)"),  # the lowest first
        _bits(held="total"),  # never doubled
        _bits(signed="-part if b == 0 else part"),  # the sign at the wrong end
        _bits(plane="x >> b"),  # more than a bit
        _bits(result="[total] * bits"),  # the end alone
    ],
}
