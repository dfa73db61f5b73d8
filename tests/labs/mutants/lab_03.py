"""Wrong answers to lab 03: its checks must refuse each."""

_NEAREST = """def nearest(weight, rank):
    u, s, vt = np.linalg.svd(weight, full_matrices=False)
    return """
_ENERGY = "def rank_for_energy(singular, kept):\n    "
_EVEN = "def break_even(m, k):\n    return "
_SPATIAL = """def spatial_error(kernel, rank):
    c_out, c_in, r, s = kernel.shape
    matrix = {matrix}
    squares = np.linalg.svd(matrix, compute_uv=False) ** 2
    return float({result})
"""
_RIGHT_MATRIX = "kernel.transpose(0, 3, 1, 2).reshape(c_out * s, c_in * r)"
_RIGHT_ERROR = "np.sqrt(squares[rank:].sum() / squares.sum())"
_WEIGHTS = "def factor_weights(c_out, c_in, kernel, terms, p, q):\n    return "
_REBUILD = """def rebuild(weight, bias, x, rank):
    y = x @ weight.T + bias
    mean = y.mean(axis=0)
    directions = np.linalg.svd({rows}, full_matrices=False)[2]
    u = directions[{kept}].T
    project = u @ u.T
    return {matrix}, {bias}
"""
_EVEN_RANKS = """def even_ranks(layers, budget):
    ranks, left = [1] * len(layers), budget - sum(n * (m + k) for m, k, n in layers)
    while True:
        shares = [
            {share} if t < min(m, k) else np.inf for t, (m, k, n) in zip(ranks, layers)
        ]
        least = int(np.argmin(shares))
        m, k, n = layers[least]
        cost = {cost}
        if shares[least] == np.inf or cost > left:
            return ranks
        ranks[least] += 1
        left -= cost
"""


def _spatial(matrix=_RIGHT_MATRIX, result=_RIGHT_ERROR):
    return _SPATIAL.format(matrix=matrix, result=result)


def _rebuild(
    rows="y - mean", kept=":rank", matrix="project @ weight", bias="project @ (bias - mean) + mean"
):
    return _REBUILD.format(rows=rows, kept=kept, matrix=matrix, bias=bias)


def _even(share="(t + 1) * (m + k) / (m * k)", cost="n * (m + k)"):
    return _EVEN_RANKS.format(share=share, cost=cost)


MUTANTS = {
    "rank-nearest": [
        _NEAREST + "(u[:, -rank:] * s[-rank:]) @ vt[-rank:]\n",  # the smallest
        _NEAREST + "u[:, :rank] @ vt[:rank]\n",  # the values forgotten
        _NEAREST + "(u[:, rank:] * s[rank:]) @ vt[rank:]\n",  # what is left over
        _NEAREST + "(u[:, :rank] * s[:rank] ** 2) @ vt[:rank]\n",  # squared
    ],
    "rank-energy": [
        # values, not squares
        _ENERGY + "return 1 + int((np.cumsum(singular) / singular.sum() < kept).sum())\n",
        # one too few
        _ENERGY + "return int((np.cumsum(singular**2) / (singular**2).sum() < kept).sum())\n",
        # the share of the number of values
        _ENERGY + "return int(np.ceil(kept * len(singular)))\n",
        # values above a share of the largest
        _ENERGY + "return int((singular**2 > (1 - kept) * singular[0] ** 2).sum())\n",
    ],
    "rank-break-even": [
        _EVEN + "m * k // (m + k)\n",  # at equality nothing is saved
        _EVEN + "min(m, k) // 2\n",
        _EVEN + "m * k / (m + k)\n",  # no whole number
        _EVEN + "(m * k - 1) // (2 * max(m, k))\n",
    ],
    "rank-spatial": [
        _spatial("kernel.reshape(c_out, c_in * r * s)"),  # plain SVD
        _spatial("kernel.reshape(c_out * r, c_in * s)"),  # no transpose
        _spatial("kernel.transpose(0, 2, 1, 3).reshape(c_out * r, c_in * s)"),  # rows last
        _spatial(result="squares[rank:].sum() / squares.sum()"),  # no root
    ],
    "rank-weights": [
        _WEIGHTS + "terms * (c_in + kernel**2 + c_out), c_in * q + p * q * kernel**2 + c_out * p\n",
        _WEIGHTS + "terms * (c_in + 2 * kernel + c_out), c_in * q + p * q * kernel + c_out * p\n",
        _WEIGHTS
        + "terms * (c_in + 2 * kernel + c_out), c_in * p + p * q * kernel**2 + c_out * q\n",
        _WEIGHTS + "terms * (c_in + 2 * kernel + c_out), p * q * kernel**2\n",  # the core alone
    ],
    "rank-responses": [
        _rebuild(rows="y"),  # not centred
        _rebuild(bias="bias"),  # the mean forgotten
        _rebuild(kept="-rank:"),  # the narrowest directions
        _rebuild(rows="weight.T"),  # directions of the weights, not of the responses
    ],
    "rank-even": [
        _even(share="t + 1"),  # equal ranks, not equal shares
        _even(share="n * (t + 1) * (m + k)"),  # equal MACs
        _even(cost="m + k"),  # one position
        _even(share="(t + 1) / min(m, k)"),  # the share of the ranks
    ],
}
