"""What the processor can do. An instruction that it lacks would end the process, not raise."""

import platform
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numba

config: Any = numba.config  # pyright: ignore[reportPrivateImportUsage]
AVX2, AVX512, VNNI = "avx2", "avx512f", "avx512vnni"


@cache
def features() -> frozenset[str]:
    """The instruction sets that kernels may use, by LLVM's names.

    They are the processor's own; `NUMBA_CPU_FEATURES="+avx2,-avx512f"` or `NUMBA_CPU_NAME=generic`
    makes them fewer, as it does for Numba.
    """
    if config.CPU_FEATURES is not None:
        return listed(config.CPU_FEATURES)
    if config.CPU_NAME not in (None, "host"):
        return frozenset()  # a processor that we know by name alone: nothing is taken for granted
    found = llvm.get_host_cpu_features()
    return frozenset(
        name
        for name, there in found.items()
        if there and (config.ENABLE_AVX or not name.startswith("avx"))
    )


def listed(text: str) -> frozenset[str]:
    """The instruction sets that a list like LLVM's switches on.

    >>> sorted(listed("+avx2,-avx512f,+fma"))
    ['avx2', 'fma']
    """
    parts = [part.strip() for part in text.split(",")]
    return frozenset(part[1:] for part in parts if part.startswith("+"))


def has(*names: str) -> bool:
    """Whether the processor has all of these, by LLVM's names: `has("avx512f", "avx512vnni")`.

    >>> has()
    True
    """
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return not names or (x86 and features().issuperset(names))
