"""The corpus: answers that look around for what they should not see."""

import tempfile

from tests.grading.adversaries import (
    LATE,
    RAISED,
    inside,
)
from tests.grading.sandbox import CHECKOUT, attack

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
        f"    kept = [{str(CHECKOUT)!r} + name for name in ('/solutions', '/tests', '/.git')]\n"
        f"    names = [n for _, _, names in os.walk({tempfile.gettempdir()!r}) for n in names]\n"
        "    return any(map(os.path.exists, kept)) or '91_small.py' in names\n" + LOOK,
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
