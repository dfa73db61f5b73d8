"""The cage of a learner's process: `python -I cage.py SETTINGS COMMAND...`, a script by itself.

It puts limits on itself and what it starts, moves into namespaces of its own where the system
allows that (no network, no other process in sight, folders hidden), gives up its privileges, and
runs the command. It stays between the grader and the command: when it dies, so does everything
inside. Nothing here imports the package, so that it starts in an instant.

SETTINGS is the JSON of `isolation.settings`.
"""

import ctypes
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

try:
    import resource
except ImportError:  # Windows
    resource = None

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER = 0x00020000, 0x04000000, 0x08000000, 0x10000000
_NEWPID, _NEWNET = 0x20000000, 0x40000000
_BIND, _REC, _PRIVATE, _NOSUID, _NODEV = 4096, 16384, 1 << 18, 2, 4
_PDEATHSIG, _SECUREBITS, _SUBREAPER, _NO_NEW_PRIVS = 1, 28, 36, 38
_NOROOT_LOCKED = 3  # root is nobody special, and that cannot be taken back
_LIMITS = {
    "address_bytes": "RLIMIT_AS",
    "cpu_s": "RLIMIT_CPU",
    "file_bytes": "RLIMIT_FSIZE",
    "threads": "RLIMIT_NPROC",
    "open_files": "RLIMIT_NOFILE",
    "core_bytes": "RLIMIT_CORE",
}


def main(settings: Mapping[str, Any], command: Sequence[str]) -> int:
    """Run the command in its cage; its exit code, or 128 and the signal that ended it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the command
    _prctl(_PDEATHSIG, signal.SIGKILL)
    if not settings["namespaces"]:
        _prctl(_SUBREAPER, 1)  # what loses its parent stays below us, where the grader sees it
        return _first(settings, command)
    _new_namespaces(settings["user_namespace"])
    first = os.fork()
    if first == 0:
        os._exit(_guarded(settings, command))
    return _exit_code(os.waitpid(first, 0)[1])


def _guarded(settings: Mapping[str, Any], command: Sequence[str]) -> int:
    """Process 1 of the new namespace: when it ends, the kernel ends all others in there."""
    _prctl(_PDEATHSIG, signal.SIGKILL)
    _mount(None, "/", None, _REC | _PRIVATE)
    for mask in settings["masks"]:
        _mask(mask["path"], mask["keep"], mask["mode"], mask["bytes"])
    _mount("proc", "/proc", "proc", _NOSUID | _NODEV)
    return _first(settings, command)


def _first(settings: Mapping[str, Any], command: Sequence[str]) -> int:
    """Start the command, and wait for it, burying whatever else dies in here."""
    child = os.fork()
    if child == 0:
        try:
            _become(settings)
            os.execvpe(command[0], list(command), settings["environment"])
        except OSError as error:
            sys.stderr.write(f"cage: {error}\n")
        os._exit(127)
    while True:
        ended, status = os.wait()
        if ended == child:
            if not settings["namespaces"]:  # elsewhere the system ends what is left
                _end_the_rest()
            return _exit_code(status)


def _end_the_rest() -> None:
    """End what the command left behind: it has come to us, and so will what that has started."""
    while sys.platform == "linux":
        with open(f"/proc/self/task/{os.getpid()}/children") as file:  # noqa: PTH123
            for pid in file.read().split():
                os.kill(int(pid), signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def _become(settings: Mapping[str, Any]) -> None:
    """What the command is: limited, unprivileged, in an empty folder."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for folder in settings["make"]:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - a script that starts in an instant
        if settings["uid"] is not None:
            os.chown(folder, settings["uid"], settings["uid"])
    for name, value in settings["limits"].items():
        kind = getattr(resource, _LIMITS[name], None)
        if kind is not None:
            _limit(kind, value)
    os.umask(0o077)
    if settings["uid"] is not None:
        os.setgroups([])
        os.setgid(settings["uid"])
        os.setuid(settings["uid"])
    if settings["user_namespace"]:  # who seems to be root in here could take the masks off
        _prctl(_SECUREBITS, _NOROOT_LOCKED)
    _prctl(_NO_NEW_PRIVS, 1)
    _prctl(_PDEATHSIG, signal.SIGKILL)  # a change of user forgets what `main` asked for
    os.chdir(settings["environment"]["HOME"])


def _limit(kind: int, value: int) -> None:
    assert resource is not None
    _, hard = resource.getrlimit(kind)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(kind, (bound, bound))
    except (ValueError, OSError):  # macOS knows some limits by name only
        return


def _new_namespaces(user: bool) -> None:
    uid, gid = os.getuid(), os.getgid()
    flags = _NEWNS | _NEWUTS | _NEWIPC | _NEWPID | _NEWNET | (_NEWUSER if user else 0)
    _call("unshare", flags)
    if user:  # we are still who we were, and seem to be root in here
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {uid} 1")
        _write("/proc/self/gid_map", f"0 {gid} 1")


def _mask(path: str, keep: Sequence[str], mode: str, size: int) -> None:
    """Lay an empty folder over a folder, and put back only what is to be kept of it."""
    kept = [(place, os.open(place, os.O_PATH)) for place in keep]
    _mount("tmpfs", path, "tmpfs", _NOSUID | _NODEV, f"mode={mode},size={size}")
    for place, handle in kept:
        os.makedirs(place, mode=0o755, exist_ok=True)  # noqa: PTH103
        _mount(f"/proc/self/fd/{handle}", place, None, _BIND | _REC)
        os.close(handle)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    _call("mount", *map(_bytes, (source, target, kind)), flags, _bytes(data))


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        _call("prctl", option, value, 0, 0, 0)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123
        file.write(text)


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    try:
        sys.exit(main(json.loads(sys.argv[1]), sys.argv[2:]))
    except OSError as error:
        sys.stderr.write(f"cage: {error}\n")
        sys.exit(126)
