"""Starting up: what an import brings, and how long the first call of a kernel takes."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.kernel_bars import NEAR, Json

TITLE = "Starting up"
NOTE = (
    "Processor time, in a process of its own each time. Cold: nothing compiled is on disk. Warm: "
    "another process has compiled it before. Imports are counted apart."
)
ROOT = Path(__file__).parents[2]
WARM_S, COLD_S = 0.5, 3.0
RUNS = 3
KERNELS = {  # what is imported, and what is computed
    "block_matmul": (
        "sparse import block_matmul, pack_blocks",
        "weight = pack_blocks(np.float32([2]), np.int32([0]), np.int32([0, 1]), 1)\n"
        "block_matmul(weight, np.ones((1, 64), np.float32))",
    ),
    "int8_gemm": (
        "low_bit import int8_gemm, pack_int8",
        "weight = pack_int8(np.ones((8, 8), np.int8))\n"
        "int8_gemm(np.ones((8, 8), np.uint8), weight, np.zeros(8, np.int32))",
    ),
    "sparse_conv": (
        "points import KernelMap, sparse_conv",
        "pairs = KernelMap(np.int32([0]), np.int32([0]), np.array([0, 1]), 1)\n"
        "x, weight = np.ones((1, 64), np.float32), np.ones((1, 64, 64), np.float32)\n"
        "sparse_conv(x, weight, pairs)",
    ),
}
PROGRAM = """
import json, sys, time
start = time.process_time()
import efficientdl
whole = time.process_time() - start
loaded = sorted(name for name in ("torch", "numba", "numpy", "scipy") if name in sys.modules)
import numpy as np
from efficientdl.kernels.{imported}
start = time.process_time()
{computed}
first = time.process_time() - start
print(json.dumps({{"import": whole, "loaded": loaded, "first": first}}))
"""


def own_rows(n_threads: int, _repeats: int) -> Iterator[Json]:
    """The import, and each kernel cold and warm; on one thread, since no other is asked for."""
    if n_threads > 1:
        return
    imports: list[float] = []
    loaded: set[str] = set()
    for name in KERNELS:
        cold, warm = [], []
        for _ in range(RUNS):
            with tempfile.TemporaryDirectory() as folder:
                runs = [asked(name, folder) for _ in range(2)]
            cold.append(runs[0]["first"])
            warm.append(runs[1]["first"])
            imports += [run["import"] for run in runs]
            loaded.update(*(run["loaded"] for run in runs))
        yield row(f"{name}, packing and first call, cold", cold, COLD_S)
        yield row(f"{name}, packing and first call, warm", warm, WARM_S)
    said = f"loads {', '.join(sorted(loaded)) or 'neither torch, Numba, NumPy nor SciPy'}"
    found = row("import efficientdl", imports, None) | {"note": said}
    bar = {"least": 1.0, "of": [], "says": "torch is not loaded", "low": None, "high": None}
    free = float("torch" not in loaded)
    yield found | {"bars": [bar | {"found": free, "verdict": "met" if free else "missed"}]}


def asked(name: str, folder: str) -> Json:
    """What a process of its own says of a kernel, with compiled loops kept in a folder."""
    imported, computed = KERNELS[name]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")}
    kept |= {"EFFICIENTDL_CACHE": folder, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", PROGRAM.format(imported=imported, computed=computed)]
    run = subprocess.run(words, env=kept, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def row(name: str, seconds: Sequence[float], most_s: float | None) -> Json:
    """Seconds as a row, held to at most so many.

    >>> row("a call", [0.2, 0.4, 0.3], 0.5)["bars"][0]["verdict"]
    'met'
    """
    middle = median(seconds)
    low, high = (float(np.quantile(seconds, part)) for part in (0.25, 0.75))
    entry = {"median_s": middle, "low_s": low, "high_s": high}
    entry |= {"ratio": 1.0, "ratio_low": 1.0, "ratio_high": 1.0}
    found: Json = {"case": name, "threads": 1, "ours": "efficientdl", "best": None, "bars": []}
    found |= {"entries": {"efficientdl": entry}}
    if most_s is None:
        return found
    verdict = "met" if middle <= most_s else "near" if NEAR * middle <= most_s else "missed"
    bar = {"least": most_s, "of": ["seconds"], "says": f"at most {most_s:g} s", "found": middle}
    return found | {"bars": [bar | {"low": low, "high": high, "verdict": verdict}]}
