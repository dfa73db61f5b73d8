"""The corpus: answers that lie about their values, forge what the grader is sent, or look around.

Values that cannot mix go into one submission, one on each exercise.
"""

from tests.grading.adversaries import (
    DIED,
    GOOD,
    LATE,
    MEMORY,
    NONE,
    RAISED,
    RIGHT,
    SHAPE,
    VALUE,
    WRONG,
    before,
    inside,
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
        label=("return 10**100_000, 'odd'", SHAPE),
        keep=("return np.zeros(2**24)", SHAPE, LATE, MEMORY),
        center=(CYCLE, SHAPE),
        spread=("return 'x' * 5_000_000", SHAPE),
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

PUT = (
    "import base64, efficientdl.grading.inside as inside\n"
    "from efficientdl.course.parcel import pack\n"
    "from IPython.display import publish_display_data\n"
    "def put(data):\n"
    "    text = base64.b64encode(data).decode() if isinstance(data, bytes) else data\n"
    "    publish_display_data({inside.MIME: text})\n"
    "rows = lambda n=8, **k: [{'value': 0, 'failure': '', 'said': '', **k}] * n\n"
    "def forge(make): inside.reply = lambda *a: put(make())\n"
)
TREE = (
    "import io, json\n"
    "def tree(text, **members):\n"
    "    file = io.BytesIO()\n"
    "    np.savez(file, tree=np.frombuffer(text.encode(), np.uint8), **members)\n"
    "    return file.getvalue()\n"
)
BROKEN_ZIP = (
    "import io, zipfile\n"
    "def broken(method):\n"
    "    file = io.BytesIO()\n"
    "    with zipfile.ZipFile(file, 'w', method) as z: z.writestr('tree.npy', bytes(5000))\n"
    "    data = bytearray(file.getvalue())\n"
    "    data[40:60] = b'\\xff' * 20\n"
    "    return bytes(data)\n"
)
MANY = (
    "import struct\n"
    "def many(n):\n"
    "    one = b'PK\\x01\\x02' + bytes(42)\n"
    "    end = b'PK\\x05\\x06' + struct.pack('<HHHHIIH', 0, 0, 65535, 65535, n * 46, 0, 0)\n"
    "    return one * n + end\n"
)


def forged(make, more=""):
    return PUT + more + f"forge(lambda: {make})\n" + WRONG


def payloads(name, *makes):
    """One forged payload on each exercise; the one that stands may not gain, nor break."""
    tasks = ("label", "keep", "center", "spread")
    parts = {}
    for task, (make, more, *gives) in zip(tasks, makes, strict=True):
        own = {"label": "def label(n): return 0\n", "keep": WRONG}
        source = forged(make, more) + own.get(task, f"def {task}(x): return 0\n")
        parts[task] = (source, *(gives or [RAISED]))
    return together(name, **parts)


FORGED = [
    payloads(
        "claims",
        ("pack(rows(failure='internal_error'))", ""),
        ("pack(rows(failure='correct', value=1))", ""),
        ("pack(rows(failure='forbidden'))", ""),
        ("pack(rows(failure='not_attempted', said='\\ud800' * 10**4))", "", NONE, RAISED),
    ),
    payloads(
        "counts",
        ("pack(rows(3))", ""),
        ("pack(rows(800))", ""),
        ("pack([])", ""),
        ("pack({'value': 1})", ""),
    ),
    payloads(
        "garbage",
        ("b'\\x80\\x04garbage'", ""),
        ("'a'", ""),
        ("['not', {'a': 'string'}]", ""),
        ("b''", ""),
    ),
    payloads(
        "trees",
        ("tree('[{\"$array\": Infinity}]')", TREE),
        ("tree('[' + '{\"$array\": 0},' * 7 + '{\"$array\": 0}]', a0=np.zeros(3))", TREE),
        ("tree('[' * 50_000 + ']' * 50_000)", TREE),
        ("tree('[[[1, 2], 3]]')", TREE),
    ),
    payloads(
        "broken_zips",
        ("broken(8)", BROKEN_ZIP),
        ("broken(12)", BROKEN_ZIP),
        ("broken(14)", BROKEN_ZIP),
        ("broken(0)", BROKEN_ZIP),
    ),
    payloads(
        "bombs",
        ("bomb()", BROKEN_ZIP + "def bomb():\n    file = io.BytesIO()\n    np.savez_compressed("
         "file, tree=np.zeros(3 * 10**8, np.uint8))\n    return file.getvalue()\n", RAISED, LATE),
        ("tree('[]', a0=np.array([{}], dtype=object))", TREE),
        ("many(200_000)", MANY, RAISED, LATE),
        ("bytes(70 * 2**20)", "", RAISED, LATE, DIED, MEMORY),
    ),
]  # fmt: skip

SEND = (
    "k = get_ipython().kernel\n"
    "def send(kind, content, parent=None, shell=False):\n"
    "    parent = k.get_parent() if parent is None else parent\n"
    "    socket = k.shell_stream if shell else k.iopub_socket\n"
    "    ident = k.get_parent and k._parent_ident['shell'] if shell else kind.encode()\n"
    "    k.session.send(socket, kind, content, parent=parent, ident=ident)\n"
)


def sent(*calls):
    return SEND + "\n".join(calls) + "\n"


# Messages that no kernel sends, before a right answer: what is forged is as if it had not come.
MESSAGES = [
    attack("content_a_list", sent("send('stream', b'[1]')", "send('status', b'[]')") + GOOD, RIGHT),
    attack(
        "fields_missing",
        sent(
            "send('stream', {})",
            "send('display_data', {'data': None})",
            "send('execute_result', {'data': {}, 'metadata': []})",
            "send('error', {'traceback': 1})",
            "send('nonsense', {'a': 1})",
        )
        + GOOD,
        RIGHT,
    ),
    attack("parent_a_list", sent("send('stream', {}, parent=[])") + GOOD, RIGHT),
    attack(
        "deep_content",
        sent("c = {}", "for _ in range(900): c = {'data': c}", "send('display_data', c)") + GOOD,
        RIGHT,
    ),
    attack(
        "early_reply",
        sent(
            "send('execute_reply', {'status': 'ok'}, shell=True)",
            "send('status', {'execution_state': 'idle'})",
            "import time; time.sleep(1000)",
        )
        + GOOD,
        LATE,
        NONE,
        RAISED,
        DIED,
    ),
    attack(
        "grader_at_fault",
        sent(
            "send('execute_reply', {'status': 'error', 'ename': ['x'], 'evalue': {'y': 1}},"
            " shell=True)",
            "raise MemoryError('the grader failed')",
        ),
        MEMORY,
        RAISED,
    ),
]

TAMPERED = [
    attack(
        "patched_numpy",
        "np.allclose = np.array_equal = lambda *a, **k: True\n"
        "np.testing.assert_allclose = np.testing.assert_array_equal = lambda *a, **k: None\n"
        "np.array = np.asarray = np.where = np.mean = np.savez = lambda *a, **k: None\n"
        f"{WRONG}",
        VALUE,
        SHAPE,
        RAISED,
    ),
    attack(
        "patched_checks",
        "import efficientdl.course.comparison as c, efficientdl.course.probe as p\n"
        "import efficientdl.course.checking as k, efficientdl.course.targets as t\n"
        "c.difference = p.difference = lambda *a: None\n"
        "p._wrong = lambda *a: None\nk.check = lambda id: None\n"
        "check = submit = lambda *a: None\nk.judge = p.judge = lambda *a, **k: 1 / 0\n" + WRONG,
        VALUE,
    ),
    attack(
        "patched_ask",
        "import efficientdl.grading.inside as i, efficientdl.course.probe as p\n"
        "i.ask = p.ask = lambda f, a: p.Answer(True)\n" + WRONG,
        SHAPE,
    ),
    attack(
        "patched_display",
        "import IPython.display as d\nd.publish_display_data = lambda *a, **k: None\n" + WRONG,
        RAISED,
    ),
    attack(
        "patched_pickle",
        "import pickle, json, zipfile\n"
        "pickle.loads = pickle.dumps = json.dumps = lambda *a, **k: 1 / 0\n" + WRONG,
        RAISED,
        VALUE,
        LATE,
        DIED,
    ),
    attack(
        "input_transformers",
        "ip = get_ipython()\nip.input_transformers_post.append(lambda lines: ['pass\\n'])\n"
        "ip.input_transformers_cleanup.append(lambda lines: ['pass\\n'])\n" + WRONG,
        RAISED,
    ),
    attack(
        "syntax_transformers",
        "import ast\n"
        "class Empty(ast.NodeTransformer):\n"
        "    def visit_Module(self, node):\n        node.body = []\n        return node\n"
        "get_ipython().ast_transformers.append(Empty())\n" + WRONG,
        RAISED,
    ),
    attack(
        "hidden_errors",
        "get_ipython().set_custom_exc((BaseException,), lambda *a, **k: None)\n"
        "def keep(x, limit): raise ValueError('no')\n",
        RAISED,
    ),
    attack(
        "events",
        "import os\nget_ipython().events.register('pre_run_cell', lambda *a: os._exit(0))\n"
        + WRONG,
        DIED,
    ),
    attack(
        "tracing",
        "import sys\n"
        "def trace(frame, event, arg):\n"
        "    if frame.f_code.co_name in ('reply', 'ask'): frame.f_locals.clear()\n"
        "    return trace\n"
        "sys.settrace(trace)\n" + WRONG,
        VALUE,
        LATE,
        RAISED,
    ),
]

# Right only if it finds what it looks for, so a right answer is a hole.
LOOK = inside("if not find(): raise LookupError('nothing to be found')")
LOOKING = [
    attack(
        "targets_in_memory",
        "import gc, sys\n"
        "def find():\n"
        "    frame = sys._getframe()\n"
        "    while frame:\n"
        "        if {'targets', 'target', 'key', 'seed'} & set(frame.f_locals): return True\n"
        "        frame = frame.f_back\n"
        "    return any(isinstance(o, dict) and 'public_targets' in o for o in gc.get_objects())\n"
        + LOOK,
        RAISED,
    ),
    attack(
        "files_of_the_grader",
        "import os\n"
        "def find():\n"
        "    wanted = ('91_small.py', 'test_adversaries.py', '01_costs.py', 'lab_01_mutants.py')\n"
        "    for top in ('/tmp', '/root', '/home', '/work', '/var', '/opt', '/srv', '/mnt'):\n"
        "        for folder, _, names in os.walk(top):\n"
        "            for name in names:\n"
        "                if name in wanted or name == 'submission.ipynb': return True\n"
        "LOOK\n".replace("LOOK\n", "")
        + LOOK,
        RAISED,
        LATE,
    ),
    attack(
        "processes_of_the_grader",
        "import ctypes, os, signal\n"
        "def opens(path):\n"
        "    try: return bool(open(path, 'rb').read(1))\n"
        "    except OSError: return False\n"
        "def find():\n"
        "    others = [p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]\n"
        "    seen = [p for p in others for f in ('mem', 'environ', 'fd/0', 'root/etc/passwd')\n"
        "            if opens(f'/proc/{p}/{f}')]\n"
        "    for pid in (os.getppid(), 1):\n"
        "        if ctypes.CDLL(None).ptrace(16, pid, 0, 0) == 0: seen.append(pid)\n"
        "        try: os.kill(pid, 0); seen.append(pid)\n"
        "        except OSError: pass\n"
        "    return seen\n" + LOOK,
        RAISED,
    ),
    attack(
        "more_rights",
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None)\n"
        "def find():\n"
        "    mounts = [line.split()[1] for line in open('/proc/mounts')]\n"
        "    gone = [m for m in mounts if libc.umount2(m.encode(), 2) == 0]\n"
        "    try: os.setuid(0); gone.append('root')\n"
        "    except OSError: pass\n"
        "    return gone or libc.mount(b'tmpfs', b'/mnt', b'tmpfs', 0, None) == 0\n" + LOOK,
        RAISED,
    ),
]
