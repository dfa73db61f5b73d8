"""Wrong answers to lab 05: its checks must refuse each."""

_SOFTEN = "def soften(logits, temperature):\n"
_SOFT = "def soft_loss(student, teacher, temperature):\n"
_BOTH = "    p, q = soften(teacher, temperature), soften(student, temperature)\n"
_GRADIENT = "def soft_gradient(student, teacher, temperature):\n"
_LOGITS = "def logit_loss(student, teacher):\n    return float("
_MIXTURE = """def mixture(student, teacher, labels, temperature, a):
    true = soften(student, {at})[np.arange(len(labels)), labels]
    soft = soft_loss(student, teacher, temperature)
    return float({result})
"""
_HINT = """def best_hint(student, teacher):
    a = np.moveaxis(student, 1, -1).reshape(-1, student.shape[1])
    b = {teacher}.reshape(len(a), -1)
    {bias}
    solution = np.linalg.lstsq(a, b, rcond=None)[0]
    return float({result})
"""
_ATTENTION = """def attention(features, power):
    maps = {maps}
    maps = maps.reshape(len(features), -1)
    return maps / {size}
"""
_PAIRS = """def pair_loss(student, teacher):
    alike = []
    for features in (student, teacher):
        f = features.reshape(*features.shape[:2], -1)
        f = f / {size}
        alike.append(np.einsum("{pairs}", f, f))
    return float({result})
"""


def _mixture(at="1.0", result="(1 - a) * np.mean(-np.log(true)) + a * soft"):
    return _MIXTURE.format(at=at, result=result)


def _hint(
    teacher="np.moveaxis(teacher, 1, -1)",
    bias="a = np.hstack([a, np.ones((len(a), 1))])",
    result="np.mean((a @ solution - b) ** 2) / 2",
):
    return _HINT.format(teacher=teacher, bias=bias, result=result)


def _attention(
    maps="(np.abs(features) ** power).sum(axis=1)",
    size="np.linalg.norm(maps, axis=1, keepdims=True)",
):
    return _ATTENTION.format(maps=maps, size=size)


def _pairs(
    size="np.linalg.norm(f, axis=1, keepdims=True)",
    pairs="nci,ncj->nij",
    result="np.mean((alike[0] - alike[1]) ** 2)",
):
    return _PAIRS.format(size=size, pairs=pairs, result=result)


MUTANTS = {
    "kd-soften": [
        # overflows
        _SOFTEN + "    e = np.exp(logits / temperature)\n    return e / e.sum(1, keepdims=True)\n",
        # multiplied
        _SOFTEN
        + "    z = logits * temperature\n    e = np.exp(z - z.max(1, keepdims=True))\n"
        + "    return e / e.sum(1, keepdims=True)\n",
        # over the examples
        _SOFTEN
        + "    z = logits / temperature\n    e = np.exp(z - z.max(0))\n    return e / e.sum(0)\n",
        # after the softmax
        _SOFTEN
        + "    e = np.exp(logits - logits.max(1, keepdims=True))\n"
        + "    return e / e.sum(1, keepdims=True) / temperature\n",
    ],
    "kd-soft-loss": [
        _SOFT + _BOTH + "    return float(np.mean(np.sum(p * np.log(p / q), axis=1)))\n",
        # the other way round
        _SOFT
        + _BOTH
        + "    return float(temperature**2 * np.mean(np.sum(q * np.log(q / p), axis=1)))\n",
        # a cross entropy
        _SOFT + _BOTH + "    return float(temperature**2 * np.mean(np.sum(-p * np.log(q), 1)))\n",
        # a mean over the classes too
        _SOFT + _BOTH + "    return float(temperature**2 * np.mean(p * np.log(p / q)))\n",
    ],
    "kd-gradient": [
        _GRADIENT + _BOTH + "    return (q - p) / temperature / len(student)\n",  # no factor
        _GRADIENT + _BOTH + "    return temperature * (p - q) / len(student)\n",  # uphill
        _GRADIENT + _BOTH + "    return temperature * (q - p)\n",  # the sum over examples
        _GRADIENT + _BOTH + "    return temperature**2 * (q - p) / len(student)\n",
    ],
    "kd-logits": [
        _LOGITS + "np.mean((student - teacher) ** 2) / 2)\n",  # a mean over the classes
        _LOGITS + "np.mean(np.sum((student - teacher) ** 2, axis=1)))\n",  # no half
        _LOGITS + "np.mean(np.sum(np.abs(student - teacher), axis=1)) / 2)\n",
        _LOGITS + "np.sum((student - teacher) ** 2) / 2)\n",
    ],
    "kd-mixture": [
        _mixture(at="temperature"),  # labels asked at the temperature
        _mixture(result="a * np.mean(-np.log(true)) + (1 - a) * soft"),
        _mixture(result="np.mean(-np.log(true)) + a * soft"),
        _mixture(result="(1 - a) * np.mean(-np.log(true)) + a * soft / temperature**2"),
    ],
    "kd-hint": [
        _hint(bias="pass"),  # no bias
        _hint(teacher="teacher"),  # channels not moved
        _hint(result="np.mean((a @ solution - b) ** 2)"),  # no half
        _hint(result="np.sum((a @ solution - b) ** 2) / 2"),  # a sum over the entries
    ],
    "kd-attention": [
        _attention(maps="(features ** power).sum(axis=1)"),  # signs cancel
        _attention(size="maps.sum(axis=1, keepdims=True)"),  # shares
        _attention(size="np.linalg.norm(maps)"),  # all pictures together
        _attention(maps="np.abs(features.sum(axis=1)) ** power"),
    ],
    "kd-pairs": [
        _pairs(size="1.0"),  # no cosines
        _pairs(size="np.linalg.norm(f, axis=2, keepdims=True)"),  # channels, not positions
        _pairs(result="np.sum((alike[0] - alike[1]) ** 2)"),
        _pairs(result="np.mean(np.abs(alike[0] - alike[1]))"),
    ],
}
