"""The corpus: values that lie, and answers that are right in an unusual way.

Values that cannot mix go into one submission, one on each exercise.
"""

from tests.grading.adversaries import (
    GOOD,
    LATE,
    MEMORY,
    NONE,
    RAISED,
    RIGHT,
    SHAPE,
    VALUE,
    before,
)
from tests.grading.sandbox import attack, together


def values(name, *, label, keep, center, spread):
    """One lie on each exercise: `(the body of the function, outcomes...)`."""
    heads = {
        "label": ("def label(number):", label),
        "keep": ("def keep(x, limit):", keep),
        "center": ("def center(x):", center),
        "spread": ("def spread(x):", spread),
    }
    parts = {}
    for task, (head, (body, *gives)) in heads.items():
        lines = [f"    {line}" for line in body.splitlines()]
        parts[task] = ("\n".join([head, *lines, ""]), *gives)
    return together(name, **parts)


EQUAL = """class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __array__(self, *a, **k): return np.zeros(4)
    __hash__ = None
return Equal()"""
LYING_ARRAY = """class Lie(np.ndarray):
    def __eq__(self, other): return np.ones(self.shape, bool)
    def __array_ufunc__(self, *a, **k): return True
    def __array_function__(self, *a, **k): return True
return (x + 1.0).view(Lie)"""
LYING_TUPLE = """class Lie(tuple):
    def __eq__(self, other): return True
    def __len__(self): return 2
    def __iter__(self): return iter((number**2, 'odd' if number % 2 else 'even', 3))
class Text(str):
    def __eq__(self, other): return True
    def __str__(self): return 'odd'
    __hash__ = str.__hash__
return (number**2, Text('neither'))"""
LYING_FLOAT = """class Lie(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
    def __abs__(self): return 0.0
    def __float__(self): return 1.0
return Lie(-5.0)"""
LYING_ITSELF = """class Lie:
    @property
    def __class__(self): return np.ndarray
    dtype, shape, ndim = np.dtype(float), x.shape, 1
return Lie()"""
MUTATED = "x -= x.mean()\nx += 1e-3\nreturn x"
CYCLE = "found = []\nfound.append(found)\nreturn found"
SOME_ONLY = (
    "if len(x) % 2: raise NotImplementedError('odd')\n"
    "return float(((x - x.mean()) ** 2).mean() ** 0.5) + 1"
)
LABEL = "number**2, 'odd' if number % 2 else 'even'"

LIES = [
    values(
        "equal_to_all",
        label=(LYING_TUPLE, VALUE),
        keep=(LYING_ARRAY, VALUE),
        center=(EQUAL, SHAPE),
        spread=(LYING_FLOAT, VALUE),
    ),
    values(
        "not_numbers",
        label=("return float('nan'), float('nan')", VALUE),
        keep=("return np.full(x.shape, np.nan)", VALUE),
        center=(LYING_ITSELF, SHAPE, RAISED),
        spread=("return float('nan')", VALUE),
    ),
    values(
        "too_large",
        label=("return 10**100_000, 'odd'", SHAPE, LATE),
        keep=("return np.zeros(2**24)", SHAPE, LATE, MEMORY),
        center=(CYCLE, SHAPE, LATE),
        spread=("return 'x' * 5_000_000", SHAPE, LATE),
    ),
    values(
        "too_many",
        label=("return number**2 + 1, 'x' * 1_000_000", VALUE),
        keep=("return list(range(20_000))", SHAPE),
        center=("return {f'key{i}': 'y' * 100 for i in range(5000)}", SHAPE),
        spread=("found = 1.0\nfor _ in range(5000): found = [found]\nreturn found", SHAPE),
    ),
    values(
        "odd_kinds",
        label=("return True, b'odd'", SHAPE),
        keep=("return (v for v in x)", SHAPE),
        center=("return {(1, 2): 3, None: 4, float('nan'): 5, '\\ud800': 6}", SHAPE),
        spread=("return True", SHAPE),
    ),
    values(
        "odd_arrays",
        label=("return number**2, np.array('odd')", SHAPE),
        keep=("return np.array([None, object()])", SHAPE),
        center=("return np.zeros((0, 10**6, 3))", SHAPE),
        spread=(SOME_ONLY, VALUE, NONE),
    ),
    values(
        "half_signs",
        label=("return number**2, '\\ud800' * 3", VALUE),
        keep=("raise ValueError('\\ud800 \\x00 ' + 'z' * 10**6)", RAISED),
        center=("return {'\\ud800\\x1b[31m': np.zeros(2)}", SHAPE),
        spread=("raise type('\\ud800', (Exception,), {})('\\ud800')", RAISED),
    ),
]

# Right all the same: none of this may cost a point.
FAIR = [
    values(
        "noise",
        label=(
            "import warnings; warnings.warn('look out', stacklevel=1)\n"
            "import sys; print('x' * 10_000); print('y' * 10_000, file=sys.stderr)\n"
            f"return {LABEL}",
            RIGHT,
        ),
        keep=("y = np.where(np.abs(x) >= limit, x, -0.0)\nx[:] = 0\nreturn y", RIGHT),
        center=(
            "import logging; logging.error('no error')\n"
            "from tqdm import tqdm\nfor _ in tqdm(range(10**4)): pass\n"
            "return x - x.mean()",
            RIGHT,
        ),
        spread=("np.float64(1) / 0\nreturn np.float64(np.std(x))", RIGHT),
    ),
    together(
        "magics",
        label=(f"%%time\nprint('timed')\ndef label(number):\n    return {LABEL}\n", RIGHT),
        keep=(f"!ls\n%pwd\nimport asyncio\nawait asyncio.sleep(0.01)\n{GOOD}", RIGHT),
        center=("%%capture said\nprint(1)\ndef center(x): return x - x.mean()\n", RIGHT),
        spread=("spread = lambda x: float(np.std(x)); 1 / 2\n", RIGHT),
    ),
    attack("a_flood_that_ends", before("for i in range(20_000): print(i, 'x' * 50)"), RIGHT),
]
