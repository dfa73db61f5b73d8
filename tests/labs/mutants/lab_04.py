"""Wrong answers to lab 04: its checks must refuse each."""

_CODES = """def to_codes(weight, low, high, bits):
    step = (high - low) / {steps}
    codes = {codes}
    return codes, {values}
"""
_PLACE = "np.round((np.clip(weight, low, high) - low) / step).astype(int)"
_CUT = """def best_cut(x, cuts, bits):
    top = {top}
    errors = []
    for cut in cuts:
        step = cut / top
        near = {near}
        errors.append({error})
    return float({best})
"""
_NEAR = "np.clip(np.round(x / step), -top, top) * step"
_DIVERGENCE = """def divergence(counts, cut, levels):
    p = counts[:cut].astype(float)
    {early}
    runs = p.reshape(levels, -1)
    full = {full}
    q = np.where(full, runs.sum(axis=1, keepdims=True) / np.maximum({over}, 1), 0).ravel()
    {late}
    p, q = p / p.sum(), q / q.sum()
    {swap}
    seen = (p > 0) & (q > 0)
    return float((p[seen] * {log}).sum())
"""
_CLIPPED = "p[-1] += counts[cut:].sum()"
_KMEANS = """def kmeans_round(weight, centroids):
    flat = weight.ravel()
    codes = {codes}
    new = {start}
    for code in {which}:
        new[code] = {move}
    return {back}
"""
_NEAREST = "np.abs(flat[:, None] - centroids).argmin(axis=1)"
_GATHER = "def gather(gradient, codes, n):\n    return "
_SUMS = "np.bincount(codes.ravel(), weights=gradient.ravel(), minlength=n)"
_HUFFMAN = """def huffman_bits(counts):
    heap, bits = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > {left}:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        bits += {cost}
        heapq.heappush(heap, {push})
    return bits
"""
_INTEGER = """def integer_linear(x, weight, bias, x_zero, y_zero, multiplier, shift):
    total = {total}
    y = {y}
    return {clamp}.astype(np.int8)
"""
_TOTAL = "(x.astype(np.int64) - x_zero) @ weight.astype(np.int64).T + bias"
_SHIFTED = "((total * multiplier + (1 << (shift - 1))) >> shift) + y_zero"
_EQUAL = """def equalize(first, bias, second):
    r1, r2 = {r1}, {r2}
    s = {s}
    return first / s[:, None], {bias}, {second}
"""
_TERNARY = """def ternarize(weight):
    size = np.abs(weight)
    large = {large}
    return np.where(large, np.sign(weight) * {e}, 0.0)
"""


def _codes(steps="(2**bits - 1)", codes=_PLACE, values="codes * step + low"):
    return _CODES.format(steps=steps, codes=codes, values=values)


def _cut(
    top="2 ** (bits - 1) - 1",
    near=_NEAR,
    error="((near - x) ** 2).mean()",
    best="cuts[np.argmin(errors)]",
):
    return _CUT.format(top=top, near=near, error=error, best=best)


def _divergence(
    early="",
    full="runs > 0",
    over="full.sum(axis=1, keepdims=True)",
    late=_CLIPPED,
    swap="",
    log="np.log(p[seen] / q[seen])",
):
    return _DIVERGENCE.format(early=early, full=full, over=over, late=late, swap=swap, log=log)


def _kmeans(
    codes=_NEAREST,
    start="centroids.copy()",
    which="np.unique(codes)",
    move="flat[codes == code].mean()",
    back="new",
):
    return _KMEANS.format(codes=codes, start=start, which=which, move=move, back=back)


def _huffman(left="1", cost="joined", push="joined"):
    return _HUFFMAN.format(left=left, cost=cost, push=push)


def _integer(total=_TOTAL, y=_SHIFTED, clamp="np.clip(y, -128, 127)"):
    return _INTEGER.format(total=total, y=y, clamp=clamp)


def _equal(
    r1="np.abs(first).max(axis=1)",
    r2="np.abs(second).max(axis=0)",
    s="np.sqrt(r1 * r2) / r2",
    bias="bias / s",
    second="second * s",
):
    return _EQUAL.format(r1=r1, r2=r2, s=s, bias=bias, second=second)


def _ternary(large="size > 0.7 * size.mean()", e="size[large].mean()"):
    return _TERNARY.format(large=large, e=e)


MUTANTS = {
    "quant-codes": [
        _codes(steps="2**bits"),  # one level too many
        _codes(codes="np.round((weight - low) / step).astype(int)"),  # outside the range
        _codes(codes="((np.clip(weight, low, high) - low) / step).astype(int)"),  # cuts off
        _codes(values="codes * step"),
    ],
    "quant-clip": [
        _cut(near="np.round(x / step) * step"),  # nothing is ever cut
        _cut(top="2 ** (bits - 1)"),
        _cut(error="np.abs(near - x).max()"),
        _cut(best="max(cuts)"),
        _cut(best="np.argmin(errors)"),  # its place
    ],
    "quant-divergence": [
        _divergence(late=""),  # what is cut is forgotten
        _divergence(early=_CLIPPED, late=""),  # both know of it
        _divergence(full="runs >= 0"),  # spread over empty bins
        _divergence(swap="p, q = q, p"),  # the other way round
        _divergence(log="np.log2(p[seen] / q[seen])"),  # in bits
    ],
    "quant-kmeans": [
        _kmeans(start="np.zeros_like(centroids)"),  # an empty one goes to zero
        _kmeans(move="np.median(flat[codes == code])"),
        _kmeans(codes="np.searchsorted(centroids, flat).clip(0, len(centroids) - 1)"),
        _kmeans(back="new[codes].reshape(weight.shape)"),  # the weights, not the centroids
        _kmeans(start="(centroids + flat.mean()) / 2"),
    ],
    "quant-gather": [
        _GATHER + _SUMS.replace(", minlength=n", ""),  # empty ones are missing
        _GATHER + _SUMS + " / np.maximum(np.bincount(codes.ravel(), minlength=n), 1)\n",  # a mean
        _GATHER + "np.bincount(codes.ravel(), minlength=n) * gradient.mean()\n",
        "def gather(gradient, codes, n):\n"  # the last one wins
        "    out = np.zeros(n)\n"
        "    out[codes] += gradient\n"
        "    return out\n",
    ],
    "quant-huffman": [
        _huffman(left="2"),  # the root is missing
        _huffman(cost="1"),  # counts the joins
        _huffman(push="joined + 1"),
        "def huffman_bits(counts):\n"  # all codes of one length
        "    return sum(counts) * int(np.ceil(np.log2(len(counts))))\n",
        "def huffman_bits(counts):\n"  # the entropy, which no code of whole bits reaches
        "    n = np.array(counts)\n"
        "    return int(np.ceil(-(n * np.log2(n / n.sum())).sum()))\n",
    ],
    "quant-integer": [
        _integer(total="x.astype(np.int64) @ weight.astype(np.int64).T + bias"),  # no zero point
        _integer(total=_TOTAL.removesuffix(" + bias")),
        _integer(total="(x - np.int8(x_zero)) @ weight.T + bias"),  # bytes overflow
        _integer(y="((total * multiplier) >> shift) + y_zero"),  # rounds down
        _integer(y="(total * multiplier + (1 << (shift - 1))) >> shift"),
        _integer(clamp="y"),  # wraps around
    ],
    "quant-equalize": [
        _equal(s="np.sqrt(r1 * r2)"),
        _equal(s="r1 / r2"),
        _equal(bias="bias"),  # stays where it was
        _equal(r1="first.max(axis=1)", s="np.sqrt(np.abs(r1 * r2)) / r2"),  # the sign counts
        _equal(second="second / s"),
    ],
    "quant-ternary": [
        _ternary(large="size > 0.7 * size.max()"),
        _ternary(large="size > size.mean()"),
        _ternary(e="size.mean()"),  # the small ones count too
        _ternary(e="1.0"),
        _ternary(large="weight > 0.7 * size.mean()"),  # nothing negative
    ],
}
