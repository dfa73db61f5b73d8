"""The corpus: answers that forge what the grader is sent, or tamper with what sends it."""

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
)
from tests.grading.sandbox import attack, together

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
        "patched_torch",
        "import torch\n"
        "torch.testing.assert_close = lambda *a, **k: None\n"
        "torch.equal = torch.allclose = lambda *a, **k: True\n" + WRONG,
        VALUE,
        LATE,  # importing torch may take all the time that there is
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
