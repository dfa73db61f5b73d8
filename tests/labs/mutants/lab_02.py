"""Wrong answers to lab 02: its checks must refuse each."""

_MASK = """def magnitude_mask(weight, sparsity):
    size = {size}
    order = np.argsort({scores}, axis=None, kind="stable")
    mask = np.ones(weight.size, dtype=bool)
    mask[order[:{cut}]] = False
    return mask.reshape(weight.shape)
"""
_BITS = """def stored_bits(mask, value_bits, index_bits):
    distances = np.diff(np.flatnonzero(mask), prepend={before})
    fillers = ({gap} // {reach}).sum()
    return int({entries}) * {each}
"""
_RUNS = """def n_of_m_mask(weight, n, m):
    runs = {runs}
    mask = np.zeros(runs.shape, dtype=bool)
    np.put_along_axis(mask, np.argsort(runs, axis=1)[:, {stay}], True, axis=1)
    return mask.reshape(weight.shape)
"""
_SURGERY = """def remove_one(weight, inverse_hessian):
    diagonal = np.diag(inverse_hessian)
    rises = {rises}
    q = int(np.argmin({by}))
    new = weight - {step}
    new[q] = 0.0
    return new, float(rises[q])
"""
_RISES, _STEP = "weight**2 / (2 * diagonal)", "weight[q] / diagonal[q] * inverse_hessian[:, q]"
_CUT = """def cut_channels(first, norm, second, n_kept):
    size = {size}
    kept = {kept}
    return first[kept], {norm}, {second}
"""
_NORM = "np.sqrt((first**2).sum(axis=(1, 2, 3)))"
_KEPT = "np.sort(np.argsort(size)[-n_kept:])"
_AT = "def sparsity_at(step, steps, start, end):\n    t = {t}\n    return {value}\n"
_NEXT = "def next_mask(weight, mask, low, high):\n    size = np.abs(weight)\n    return "
_SHRINK = """def shrink_rows(weight, by):
    length = np.linalg.norm(weight, axis=1, keepdims=True)
    columns = weight.shape[1]
    safe = np.maximum(length, 1e-300)
    return {value}
"""
_BARRIER = "def barrier(errors):\n    return "


def _mask(size="weight.size", scores="np.abs(weight)", cut="round(sparsity * size)"):
    return _MASK.format(size=size, scores=scores, cut=cut)


def _bits(
    before="-1",
    gap="(distances - 1)",
    reach="2**index_bits",
    entries="len(distances) + fillers",
    each="(value_bits + index_bits)",
):
    return _BITS.format(before=before, gap=gap, reach=reach, entries=entries, each=each)


def _runs(runs="np.abs(weight).reshape(-1, m)", stay="-n:"):
    return _RUNS.format(runs=runs, stay=stay)


def _surgery(rises=_RISES, by="rises", step=_STEP):
    return _SURGERY.format(rises=rises, by=by, step=step)


def _cut(size=_NORM, kept=_KEPT, norm="norm[:, kept]", second="second[:, kept]"):
    return _CUT.format(size=size, kept=kept, norm=norm, second=second)


MUTANTS = {
    "prune-mask": [
        _mask(scores="weight"),  # the sign counts
        _mask(cut="round((1 - sparsity) * size)"),  # keeps what should go
        _mask(cut="round(sparsity * size) + 1"),
        "def magnitude_mask(weight, sparsity):\n"  # a threshold: equal weights go together
        "    limit = np.quantile(np.abs(weight), sparsity)\n"
        "    return np.abs(weight) > limit\n",
    ],
    "prune-index-bits": [
        _bits(entries="len(distances)"),  # no zeros on the way
        _bits(before="0"),  # the first distance is one short
        _bits(gap="distances"),  # a zero too many at the very reach
        _bits(each="value_bits + len(distances) * index_bits"),  # fillers without an index
        _bits(reach="(2**index_bits - 1)"),
    ],
    "prune-n-of-m": [
        _runs(runs="weight.reshape(-1, m)"),  # the sign counts
        _runs(stay=":n"),  # the smallest stay
        _runs(stay="n:"),  # as many go as should stay
        _runs(runs="np.abs(weight)"),  # n of the whole row
    ],
    "prune-obs": [
        _surgery(rises="weight**2 * diagonal / 2"),  # divides by nothing
        _surgery(by="np.abs(weight)"),  # the smallest, not the cheapest
        _surgery(step="0 * weight"),  # the others stay put: brain damage
        _surgery(step="weight[q] * inverse_hessian[:, q]"),
        _surgery(rises="weight**2 / diagonal"),  # twice the rise
    ],
    "prune-cut": [
        _cut(size="np.abs(first.sum(axis=(1, 2, 3)))"),  # signs cancel
        _cut(kept="np.argsort(size)[-n_kept:]"),  # in another order
        _cut(norm="norm[:, :n_kept]"),  # somebody else's statistics
        _cut(second="second[:, :n_kept]"),
        _cut(kept="np.sort(np.argsort(size)[:n_kept])"),  # the weakest stay
    ],
    "prune-cubic": [
        _AT.format(t="step / steps", value="end + (start - end) * (1 - t) ** 3"),  # goes on
        _AT.format(t="min(1, step / steps)", value="start + (end - start) * t**3"),
        _AT.format(t="min(1, step / steps)", value="end + (start - end) * (1 - t)"),
        _AT.format(t="min(1, step / steps)", value="end * (1 - (1 - t) ** 3)"),  # from zero
    ],
    "prune-splice": [
        _NEXT + "size >= low\n",
        _NEXT + "mask & (size >= low)\n",  # nothing comes back
        _NEXT + "mask | (size >= high)\n",  # nothing goes
        _NEXT + "(mask | (size > high)) & (size >= low)\n",
        _NEXT + "(mask | (size >= high)) & (size > low)\n",
    ],
    "prune-shrink": [
        _SHRINK.format(value="weight * np.maximum(0, 1 - by / safe)"),  # forgets the group's size
        _SHRINK.format(value="weight * (1 - by * np.sqrt(columns) / safe)"),  # through zero
        _SHRINK.format(value="np.sign(weight) * np.maximum(0, np.abs(weight) - by)"),  # each alone
        _SHRINK.format(value="weight * (length > by * np.sqrt(columns))"),  # cuts, shrinks nothing
    ],
    "prune-barrier": [
        _BARRIER + "max(errors)\n",
        _BARRIER + "max(errors) - max(errors[0], errors[-1])\n",
        _BARRIER + "max(errors) - sum(errors) / len(errors)\n",
        _BARRIER + "errors[len(errors) // 2] - (errors[0] + errors[-1]) / 2\n",
    ],
}
