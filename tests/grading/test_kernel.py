"""A learner's kernel: it runs cells, it keeps its limits, and it can always be ended."""

import os
import sys

import psutil
import pytest

from efficientdl.grading.isolation import PLAIN, strongest
from efficientdl.grading.kernel import Kernel, NotStarted
from efficientdl.grading.limits import Limits
from efficientdl.grading.messages import End

pytestmark = pytest.mark.slow
LIMITS = Limits(memory_mb=400, address_mb=1500, processes=8, file_mb=1, output_kb=1)


@pytest.fixture(scope="module")
def kernel():
    with Kernel(LIMITS, strongest()) as running:
        yield running


@pytest.fixture
def fresh():
    with Kernel(LIMITS, strongest()) as running:
        yield running


def printed(ran):
    return "".join(output.get("text", "") for output in ran.outputs)


def test_cells_share_names_and_their_output_is_kept(kernel):
    assert kernel.run("x = 6 * 7", 5).end is End.OK
    ran = kernel.run("print(x)\nx", 5)
    assert ran.end is End.OK
    assert printed(ran) == "42\n"
    assert [output.output_type for output in ran.outputs] == ["stream", "execute_result"]
    assert ran.peak_mb > 10


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("input()", "StdinNotImplementedError"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("x = bytearray(4 * 2**30)", "MemoryError"),
        ("open('big', 'wb').write(b'x' * 2**21)", "OSError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_an_error_is_told_and_the_kernel_lives(kernel, source, name):
    ran = kernel.run(source, 10)
    assert (ran.end, ran.name) == (End.ERROR, name)
    assert kernel.run("pass", 5).end is End.OK


def test_a_cell_past_its_limit_is_interrupted(kernel):
    assert kernel.run("while True: pass", 0.5).end is End.TIMEOUT
    assert kernel.alive
    assert kernel.run("pass", 5).end is End.OK


def test_output_is_cut_and_costs_nothing(kernel):
    ran = kernel.run("for i in range(3000): print('x' * 100)", 20)
    assert ran.end is End.OK
    assert ran.cut
    assert 0 < len(printed(ran)) <= 1024


def test_home_is_empty_and_its_own(kernel):
    ran = kernel.run("import os; print(os.getcwd() == os.environ['HOME'], os.listdir())", 5)
    assert printed(ran).startswith("True [")
    assert "'big'" not in printed(kernel.run("print(os.environ)", 5))
    assert "PYTEST" not in printed(kernel.run("print(sorted(os.environ))", 5))


def test_a_cell_that_swallows_the_interrupt_is_ended(fresh):
    source = "import time\nwhile True:\n  try:\n    time.sleep(9)\n  except BaseException: pass"
    assert fresh.run(source, 0.5).end is End.TIMEOUT
    assert not fresh.alive


@pytest.mark.parametrize(
    ("source", "end"),
    [
        ("import os; os._exit(0)", End.DIED),
        ("import os; os.kill(os.getpid(), 9)", End.DIED),
        ("import ctypes; ctypes.string_at(0)", End.DIED),
        ("kept = []\nwhile True: kept.append(bytearray(2**20))", End.MEMORY),
    ],
)
def test_a_process_that_ends_is_noticed(fresh, source, end):
    assert fresh.run(source, 30).end is end
    assert not fresh.alive


def test_too_many_processes_are_ended(fresh):
    """Bounded by itself: it stops at 40, so it is harmless where the watch should fail."""
    source = (
        "import os, time\nfor _ in range(40):\n  if not os.fork(): time.sleep(60)\ntime.sleep(9)"
    )
    assert fresh.run(source, 30).end is End.PROCESSES


def test_many_small_files_are_too_much_too():
    """Bounded by itself, at four times what it may."""
    write = "for i in range(40): open(f'f{i}', 'wb').write(bytes(10**6))"
    source = f"import time\n{write}\ntime.sleep(9)"
    with Kernel(Limits(disk_mb=10), strongest()) as kernel:
        assert kernel.run(source, 30).end is End.DISK
        assert not kernel.alive


@pytest.mark.parametrize("level", [strongest(), PLAIN], ids=["strongest", "plain"])
def test_nothing_outlives_the_kernel(level):
    """Not even a process that left its session and its parent."""
    marker = f"outlive-{os.getpid()}"
    daemon = (
        "import os, sys, time\n"
        "if not os.fork():\n  os.setsid()\n  if not os.fork():\n"
        "    sleep = 'import time; time.sleep(99)'\n"
        f"    os.execv(sys.executable, [sys.executable, '-c', sleep, '{marker}'])\n"
        "  os._exit(0)\n"
    )
    with Kernel(LIMITS, level) as kernel:
        kernel.run(daemon, 5)
        kernel.run("time.sleep(0.5)", 5)
        assert marked(marker)
    assert not marked(marker)


def marked(marker):
    return [p for p in psutil.process_iter(["cmdline"]) if marker in (p.info["cmdline"] or [])]


def test_without_any_isolation_the_limits_still_hold():
    source = "import resource; print(resource.getrlimit(resource.RLIMIT_FSIZE)[0])"
    with Kernel(LIMITS, PLAIN) as kernel:
        assert printed(kernel.run(source, 5)) == f"{2**20}\n"
        assert kernel.run("import os; os._exit(0)", 5).end is End.DIED


def test_a_kernel_that_does_not_start_is_no_ones_fault_but_ours(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises((NotStarted, OSError)), Kernel(LIMITS, PLAIN):
        pass


def test_limits_are_whole_numbers():
    with pytest.raises(ValueError, match="Limits: memory_mb must be a whole number, 1 or more"):
        Limits(memory_mb=0)
