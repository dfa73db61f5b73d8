"""Wrong answers to lab 13: its checks must refuse each."""

_SPMM = """def spmm(values, columns, row_starts, x):
    y = np.zeros(({rows}, x.shape[1]), x.dtype)
    for i in range(len(row_starts) - 1):
        for p in range({span}):
            for j in range(x.shape[1]):
                y[{to}, j] {op} values[p] * x[{read}, j]
    return y
"""
_REQUANTIZE = """def requantize(sums, column_sums, x_zero, bias, factor, y_zero):
    total = sums.astype(np.int64) {mended}
    fraction, exponent = np.frexp(factor)
    multiplier = np.{rounded}(fraction * {unit}).astype(np.int64)
    shift = {shift}
    y = ((total * multiplier {half}) >> shift) + y_zero
    return {codes}
"""
_POPCOUNT = """def signs_matmul(a, b, k):
    mask = np.full(a.shape[1], 2**64 - 1, np.uint64)
    if k % 64:
        mask[-1] = {last}
    different = np.bitwise_count({bits})
    return {result}
"""
_MAP = """def neighbour_pairs(points, offset):
    index = {{tuple(place): i for i, place in enumerate(points.tolist())}}
    wanted = map(tuple, ({wanted}).tolist())
    pairs = [{pair} for o, place in enumerate(wanted) if place in index]
    return np.array({pairs}).reshape(-1, 2)
"""
_TILE = """def least_traffic(m, k, n, sizes, room):
    found = []
    for height, width in {pairs}:
        if {fits}:
            found.append({moved})
    return {best}
"""
_FUSE = """def fuse_relu(nodes, outputs):
    reads = {reads}
    ops = {{name: op for name, op, _ in nodes}}
    into = {{}}
    for name, op, inputs in nodes:
        if op == "relu" and {fits}:
            into[inputs[0]] = name
    gone = set(into.values())
    return [
        ({name}, "conv+relu", inputs) if name in into else (name, op, inputs)
        for name, op, inputs in nodes
        if name not in gone
    ]
"""
_PLACE = """def place(sizes, first, last):
    address = {{}}
    for i in {order}:
        meets = [j for j in address if {meet}]
        at = 0
        for low, high in {taken}:
            if low - at >= sizes[i]:
                break
            at = {next}
        address[i] = int(at)
    return [address[i] for i in range(len(sizes))]
"""
_STAGES = """def least_cost(after, stage_cost):
    cost = [0.0] + [np.inf] * (len(stage_cost) - 1)
    for ops in range(1, len(stage_cost)):
        last = ops
        while last:
            waiting = [{waiting} for i, a in enumerate(after) if last >> i & 1]
            if {allowed}:
                cost[ops] = min(cost[ops], cost[{rest}] + stage_cost[last])
            last = {next}
    return float(cost[-1])
"""


def _spmm(
    rows="len(row_starts) - 1",
    span="row_starts[i], row_starts[i + 1]",
    to="i",
    op="+=",
    read="columns[p]",
):
    return _SPMM.format(rows=rows, span=span, to=to, op=op, read=read)


def _requantize(
    mended="- x_zero * column_sums.astype(np.int64) + bias",
    rounded="round",
    unit="2**31",
    shift="31 - exponent.astype(np.int64)",
    half="+ (np.int64(1) << (shift - 1))",
    codes="np.clip(y, -128, 127).astype(np.int8)",
):
    return _REQUANTIZE.format(
        mended=mended, rounded=rounded, unit=unit, shift=shift, half=half, codes=codes
    )


def _popcount(
    last="2 ** (k % 64) - 1",
    bits="(a[:, None] ^ b) & mask",
    result="k - 2 * different.sum(axis=2, dtype=np.int64)",
):
    return _POPCOUNT.format(last=last, bits=bits, result=result)


def _map(wanted="points + offset", pair="(index[place], o)", pairs="pairs"):
    return _MAP.format(wanted=wanted, pair=pair, pairs=pairs)


def _tile(
    pairs="product(sizes, sizes)",
    fits="height * width <= room",
    moved="m * k * -(-n // width) + k * n * -(-m // height) + m * n",
    best="min(found)",
):
    return _TILE.format(pairs=pairs, fits=fits, moved=moved, best=best)


def _fuse(
    reads="list(outputs) + [name for _, _, inputs in nodes for name in inputs]",
    fits="ops.get(inputs[0]) == 'conv' and reads.count(inputs[0]) == 1",
    name="into[name]",
):
    return _FUSE.format(reads=reads, fits=fits, name=name)


def _place(
    order="sorted(range(len(sizes)), key=lambda i: -sizes[i])",
    meet="first[j] <= last[i] and first[i] <= last[j]",
    taken="sorted((address[j], address[j] + sizes[j]) for j in meets)",
    next="max(at, high)",
):
    return _PLACE.format(order=order, meet=meet, taken=taken, next=next)


def _stages(
    waiting="a & ops & ~last",
    allowed="not any(waiting)",
    rest="ops ^ last",
    next="(last - 1) & ops",
):
    return _STAGES.format(waiting=waiting, allowed=allowed, rest=rest, next=next)


MUTANTS = {
    "kern-spmm": [
        _spmm(read="i"),  # the row of the matrix, not the column of the value
        _spmm(op="="),  # only the last value of a row counts
        _spmm(span="row_starts[i], row_starts[i + 1] - 1"),  # the last value is left out
        _spmm(to="columns[p]", rows="x.shape[0]", read="min(i, len(x) - 1)"),  # transposed
    ],
    "kern-requantize": [
        _requantize(half=""),  # rounds down
        _requantize(mended="+ bias"),  # the zero point of x forgotten
        _requantize(codes="y.astype(np.int8)"),  # wraps around
        _requantize(mended="- x_zero * column_sums.astype(np.int64)"),  # no bias
        _requantize(unit="2**7", shift="7 - exponent.astype(np.int64)"),  # too few bits
    ],
    "kern-popcount": [
        _popcount(bits="a[:, None] ^ b"),  # what lies behind the last sign counts
        _popcount(result="k - different.sum(axis=2, dtype=np.int64)"),  # once, not twice
        _popcount(result="64 * a.shape[1] - 2 * different.sum(axis=2, dtype=np.int64)"),
        _popcount(bits="(a[:, None] & b) & mask"),  # both one, not different
    ],
    "kern-map": [
        _map(wanted="points - offset"),  # the other way
        _map(pair="(o, index[place])"),  # the columns exchanged
        _map(pairs="sorted(pairs)"),  # in the order of i
    ],
    "kern-tile": [
        _tile(moved="m * k * (n // width) + k * n * (m // height) + m * n"),  # cut off
        _tile(fits="height * width < room"),
        _tile(moved="m * k * -(-m // height) + k * n * -(-n // width) + m * n"),  # exchanged
        _tile(pairs="zip(sizes, sizes)"),  # squares only
        _tile(moved="m * k * -(-n // width) + k * n * -(-m // height)"),  # y not written
    ],
    "kern-fuse": [
        _fuse(reads="[name for _, _, inputs in nodes for name in inputs]"),  # outputs forgotten
        _fuse(fits="ops.get(inputs[0]) == 'conv'"),  # whoever else reads it
        _fuse(fits="reads.count(inputs[0]) == 1"),  # into whatever comes before
        _fuse(name="name"),  # under the convolution's name, which nobody reads
    ],
    "kern-arena": [
        _place(order="range(len(sizes))"),  # in the order given
        _place(meet="True"),  # nothing is shared
        _place(meet="first[j] < last[i] and first[i] < last[j]"),  # the last step forgotten
        _place(taken="((address[j], address[j] + sizes[j]) for j in meets)"),  # not sorted
        _place(next="high"),  # falls back below a taller one
    ],
    "kern-stages": [
        _stages(allowed="True"),  # whoever waits
        _stages(waiting="a & ops"),  # who waits may not share the stage either
        _stages(next="0"),  # everything at once, or nothing
        _stages(rest="0"),  # the rest is free
    ],
}
