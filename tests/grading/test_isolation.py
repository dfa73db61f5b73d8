"""What a caged process sees of its surroundings: as little as the system allows."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from efficientdl.grading import isolation
from efficientdl.grading.isolation import PLAIN, Place, caged, strongest
from efficientdl.grading.limits import Limits

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="efficientdl-") as folder:
        yield Place(Path(folder).resolve(), (ROOT,))


@pytest.fixture
def level():
    found = strongest()
    if not found.namespaces:
        pytest.skip("this system allows no namespaces")
    return found


def seen(code, place, level, **limits):
    """What a caged Python prints, as JSON."""
    argv = caged([sys.executable, "-c", code], place, Limits(**limits), level, {"PATH": "/usr/bin"})
    done = subprocess.run(argv, capture_output=True, text=True, cwd="/", check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_checkout_shows_what_is_needed_and_no_more(place, level):
    listed = seen(f"import os, json; print(json.dumps(os.listdir({str(ROOT)!r})))", place, level)
    assert {"efficientdl", "data"} <= set(listed)
    assert not {"solutions", "tests", ".git", "labs"} & set(listed)


def test_temporary_folders_and_homes_are_empty_but_for_its_own(place, level):
    with tempfile.NamedTemporaryFile(prefix="secret-") as secret:
        code = "import os, json; print(json.dumps([os.listdir(p) for p in ('/tmp', '/dev/shm')]))"
        shown = seen(code, place, level)
        assert not any(Path(secret.name).name in names for names in shown)


def test_no_other_process_and_no_parent_is_in_sight(place, level):
    code = "import os, json; print(json.dumps([p for p in os.listdir('/proc') if p.isdigit()]))"
    assert len(seen(code, place, level)) == 2  # the cage's own first process, and itself


def test_there_is_no_network(place, level):
    with socket.create_server(("127.0.0.1", 0)) as server:
        heard = []
        threading.Thread(target=lambda: heard.append(server.accept()), daemon=True).start()
        code = (
            "import socket\ntry:\n"
            f"  socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)\n"
            "  print('\"through\"')\nexcept OSError: print('\"refused\"')"
        )
        assert seen(code, place, level) == "refused"
        assert not heard


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can change user")
def test_root_becomes_a_user_that_owns_nothing(place, level):
    code = (
        "import os, json\ntry:\n  os.setuid(0)\nexcept PermissionError:\n"
        "  print(json.dumps([os.getuid(), os.getgid(), os.getgroups()]))"
    )
    uid, gid, groups = seen(code, place, level)
    assert uid == gid > 999_999
    assert not groups


def test_it_writes_at_home_and_nowhere_in_the_checkout(place, level):
    target = str(ROOT / "efficientdl" / "planted.py")
    code = (
        "import json, os\nopen('mine', 'w').close()\ntry:\n"
        f"  open({target!r}, 'w').close()\n  print('\"written\"')\n"
        "except OSError: print('\"refused\"')"
    )
    if os.geteuid() == 0:  # otherwise it is the owner, and only what is hidden is safe
        assert seen(code, place, level) == "refused"
    assert (place.home / "mine").exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="starts as root")
def test_who_is_not_root_gets_namespaces_of_his_own(place, level):
    """Run inside a cage, where one is nobody: there the level below is the strongest."""
    look = (
        f"import ctypes, json, os\ntop = {str(ROOT)!r}\n"
        "freed = ctypes.CDLL(None).umount2(top.encode(), 2) == 0\n"
        "print(json.dumps([freed, 'solutions' in os.listdir(top)]))"
    )
    code = (
        "import json, subprocess, sys, tempfile\nfrom pathlib import Path\n"
        "from efficientdl.grading.isolation import Place, caged, strongest\n"
        "from efficientdl.grading.limits import Limits\n"
        f"place = Place(Path(tempfile.mkdtemp()), (Path({str(ROOT)!r}),))\n"
        f"command = [sys.executable, '-c', {look!r}]\nfound = strongest()\n"
        "argv = caged(command, place, Limits(), found, {})\n"
        "done = subprocess.run(argv, capture_output=True, text=True, cwd='/')\n"
        "said = done.stdout.strip() or done.stderr\n"
        "print(json.dumps([found.own_user, found.namespaces, said]))"
    )
    assert seen(code, place, level) == [False, True, "[false, false]"]


def test_limits_bind(place):
    code = (
        "import json, resource as r\n"
        "kinds = r.RLIMIT_AS, r.RLIMIT_CPU, r.RLIMIT_FSIZE\n"
        "print(json.dumps([r.getrlimit(kind)[0] for kind in kinds]))"
    )
    found = seen(code, place, PLAIN, address_mb=900, cpu_s=7, file_mb=3)
    assert found == [900 * 2**20, 7, 3 * 2**20]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can change user")
def test_root_runs_nobodys_code_as_root(monkeypatch):
    """Where the package cannot be read by others, grading says what to do and does not begin."""
    monkeypatch.setattr(isolation, "_trial", lambda level: "/opt/lab/efficientdl/cli.py")
    strongest.cache_clear()
    try:
        with pytest.raises(ValueError, match=r"run chmod -R a\+rX on the checkout"):
            strongest()
    finally:
        strongest.cache_clear()


def test_protections_are_named(level):
    assert "no network" in level.protections()
    assert "no network" not in PLAIN.protections()


def test_folders_of_the_system_are_never_hidden(place):
    odd = Place(place.root, (Path("/"), Path("/etc"), Path("/usr/lib"), ROOT))
    paths = {mask["path"] for mask in isolation._masks(odd, Limits())}
    assert any(ROOT.is_relative_to(path) for path in paths)
    assert not {"/", "/etc", "/usr", "/usr/lib"} & paths
