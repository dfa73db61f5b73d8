"""The corpus: answers that attack the machine, the kernel and the grader while they run.

Every other answer of the submission is right and must keep its points. `GOOD` is a right answer,
for attacks on other exercises that hide behind one.
"""

from efficientdl.course.outcome import Kind
from tests.grading.sandbox import attack

GOOD = "def keep(x, limit):\n    return np.where(np.abs(x) >= limit, x, 0.0)\n"
WRONG = "def keep(x, limit):\n    return x + 1.0\n"
RIGHT, DIED, RAISED = Kind.CORRECT, Kind.KERNEL_DIED, Kind.RAISED
LATE, MEMORY, VALUE = Kind.TIMEOUT, Kind.MEMORY, Kind.WRONG_VALUE
SHAPE, NONE = Kind.WRONG_SHAPE, Kind.NOT_ATTEMPTED


def inside(body):
    """An answer whose function does this and then returns a right value."""
    lines = [f"    {line}" for line in body.strip().splitlines()]
    right = "    return np.where(np.abs(x) >= limit, x, 0.0)"
    return "\n".join(["def keep(x, limit):", *lines, right, ""])


def before(body):
    """A cell that does this, and then defines a right answer."""
    return f"{body.strip()}\n{GOOD}"


ENDLESS = [
    attack("endless_loop", inside("while True: pass"), LATE),
    attack("endless_cell", before("while True: pass"), LATE),
    attack(
        "swallowed_interrupts",
        inside(
            "while True:\n    try:\n        while True: pass\n    except BaseException: continue"
        ),
        LATE,
    ),
    attack(
        "ignored_signals",
        before(
            "import signal\nfor s in (2, 10, 12, 15): signal.signal(s, signal.SIG_IGN)\n"
            "while True: pass"
        ),
        LATE,
    ),
    # the loop ends by the interrupt, and the value that comes after it is right: too late
    attack(
        "right_but_late", inside("try:\n    while True: pass\nexcept BaseException: pass"), LATE
    ),
    attack("deep_sleep", inside("import time; time.sleep(1000)"), LATE),
    attack("print_flood", before("while True: print('x' * 1000)"), LATE),
    attack(
        "large_messages",
        before(
            "from IPython.display import publish_display_data as put\n"
            "while True: put({'text/plain': 'x' * 40_000_000})"
        ),
        LATE,
        DIED,  # what cannot be sent fills the kernel's own memory
        MEMORY,
    ),
    attack(
        "closed_sockets",
        before(
            "k = get_ipython().kernel\n"
            "k.shell_stream.close() if hasattr(k, 'shell_stream') else None\n"
            "k.iopub_socket.close() if hasattr(k.iopub_socket, 'close') else None\n"
            "import os; os.closerange(10, 256)\nimport time; time.sleep(1000)"
        ),
        LATE,
        DIED,
        RAISED,
    ),
]

DYING = [
    attack("exit_cell", before("import os; os._exit(0)"), DIED),
    attack("exit_function", inside("import os; os._exit(0)"), DIED),
    attack("sys_exit_cell", before("import sys; sys.exit(0)"), RAISED),
    attack("sys_exit_function", inside("import sys; sys.exit(0)"), RAISED),
    attack("quit", inside("quit()\nexit()"), RIGHT, RAISED, DIED),
    attack("killed_kernel", inside("import os; os.kill(os.getpid(), 9)"), DIED),
    attack("kill_everybody", before("import os; os.kill(-1, 9)"), DIED, RAISED),
    attack("kill_group", before("import os; os.killpg(0, 9)"), DIED),
    attack("crash", inside("import ctypes; ctypes.string_at(0)"), DIED),
    attack("recursion", "def keep(x, limit):\n    return keep(x, limit)\n", RAISED),
    attack("input", inside("input('your key? ')"), RAISED),
    attack("closed_files", before("import os; os.closerange(0, 256)"), DIED, LATE),
    attack("deaf_kernel", before("get_ipython().kernel.do_execute = None"), RAISED, LATE, DIED),
    # a base exception that nobody expects, with the inputs in its words
    attack(
        "base_exception", inside("class Loud(BaseException): pass\nraise Loud(repr(x))"), RAISED
    ),
]

# A right answer, and behind it something that comes down on whoever is next.
LATER = [
    attack(
        "late_killer",
        before("import os, threading\nthreading.Timer(0.15, os._exit, [0]).start()"),
        RIGHT,
        DIED,
    ),
    attack(
        "late_crash",
        before("import faulthandler\nfaulthandler.dump_traceback_later(0.15, exit=True)"),
        RIGHT,
        DIED,
        RAISED,  # faulthandler wants a real stderr
    ),
    attack(
        "redefines_others",
        before(
            "import threading\ndef spoil():\n    while True: globals()['center'] = lambda x: x\n"
            "threading.Thread(target=spoil, daemon=True).start()"
        ),
        RIGHT,
    ),
    attack(
        "threads_left",
        before(
            "import threading, time\n"
            "for _ in range(50): threading.Thread(target=time.sleep, args=(1000,)).start()"
        ),
        RIGHT,
    ),
    attack(
        "daemons_left",
        before(
            "import os, subprocess, sys\n"
            "if os.fork() == 0:\n    os.setsid()\n"
            "    if os.fork() == 0: os.execv(sys.executable, [sys.executable, '-c',"
            " 'import time; time.sleep(1000)'])\n    os._exit(0)\n"
            "subprocess.Popen(['sleep', '1000'], start_new_session=True)"
        ),
        RIGHT,
    ),
    attack(
        "atexit",
        before("import atexit, time\natexit.register(time.sleep, 1000)"),
        RIGHT,
    ),
    attack(
        "own_folder_gone", before("import os, shutil; shutil.rmtree(os.getcwd())"), RIGHT, RAISED
    ),
    # where the kernel itself no longer works it answers in time or does not
    attack(
        "frozen_names", before("import builtins; builtins.callable = lambda f: False"), NONE, LATE
    ),
    attack(
        "no_imports",
        before("import builtins\ndef no(*a, **k): raise OSError('no')\nbuiltins.__import__ = no"),
        RAISED,
        LATE,
    ),
    attack("no_dictionaries", before("import builtins; builtins.dict = int"), RIGHT, RAISED, LATE),
]

TAKING = [
    attack("ten_gb", inside("np.ones(1_250_000_000)"), MEMORY),
    # within its two seconds a machine fills its memory or does not
    attack("grows", inside("held = []\nwhile True: held.append(np.ones(2**23))"), MEMORY, LATE),
    attack("large_file", inside("open('large', 'wb').write(bytes(100 * 2**20))"), RAISED, LATE),
    attack(
        "full_disks",
        inside(
            "for place in ('/tmp', '/dev/shm'):\n"
            "    for i in range(8): open(f'{place}/fill{i}', 'wb').write(bytes(60 * 2**20))"
        ),
        RAISED,
        LATE,
    ),
    attack("fork_bomb", inside("import os\nwhile True: os.fork()"), DIED, RAISED, LATE),
    attack(
        "many_threads",
        inside(
            "import threading, time\n"
            "while True: threading.Thread(target=time.sleep, args=(100,)).start()"
        ),
        RAISED,
        DIED,
        LATE,
    ),
]
