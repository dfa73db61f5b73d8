"""SCALE-Sim beside ours: in its compute mode, and with its memory behind it, as it is called.

Its compute mode makes the matrix of addresses that each cycle asks for, and computes no product;
ours moves the words and computes it. With its memory it counts what DRAM gives, which ours does not
here. This file is also the program that its own Python runs:
`python hardware_scalesim.py M K N side kind`.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]
VARIABLE = "EFFICIENTDL_SCALESIM"
SHAPE = (256, 256, 128)  # 8.4 M MACs
BAR = 50.0
LIMIT_S = 600
KINDS = {"os": "OUTPUT_STATIONARY", "ws": "WEIGHT_STATIONARY"}


def rows() -> Iterator[Json]:
    """The same product on two arrays, theirs once and ours the least of five, in one run."""
    named = os.environ.get(VARIABLE)
    if not named:
        yield {"skipped": f"Left out: {VARIABLE} names no Python that has SCALE-Sim."}
        return
    for side in (8, 32):
        for kind in KINDS:
            yield _row(named, side, kind)


def _row(python: str, side: int, kind: str) -> Json:
    from benchmarks.peers.pythons import call  # the peer's Python lacks it

    words = [python, str(Path(__file__).resolve()), *map(str, (*SHAPE, side)), kind]
    finished = call(words, folder=Path.cwd(), limit_s=LIMIT_S)
    if finished.code != 0:
        raise ValueError(f"SCALE-Sim, {kind} on {side} x {side}: {finished.reason()}")
    theirs, ours = json.loads(finished.last_line()), _ours(side, kind)
    m, k, n = SHAPE
    return {
        "name": f"{m} x {k} x {n}, {KINDS[kind].lower().replace('_', ' ')}, {side} x {side}",
        "theirs_s": theirs["seconds"],
        "whole_s": theirs["whole_s"],
        "their_cycles": theirs["cycles"],
        "bar": BAR,
        **ours,
    }


def _ours(side: int, kind: str) -> Json:
    import numpy as np

    from efficientdl.systems.hardware import (
        Arch,
        Array,
        Dataflow,
        Gemm,
        simulate,
    )

    gemm = Gemm(*SHAPE)
    arch = Arch("same", Array(side, side), Dataflow[KINDS[kind]])
    rng = np.random.default_rng(0)
    x, weight = (rng.integers(-128, 128, s) for s in (gemm.x_shape, gemm.weight_shape))
    run = simulate(gemm, arch, x, weight)
    if run.y is None or not np.array_equal(run.y, x @ weight):
        raise ValueError("a simulation gives another product than NumPy")
    seconds = []
    for _ in range(5):
        start = time.thread_time()
        simulate(gemm, arch, x, weight)
        seconds.append(time.thread_time() - start)
    return {"ours_s": min(seconds), "our_cycles": run.cycles}


def compute(m: int, k: int, n: int, side: int, kind: str) -> Json:
    """Run in the peer's Python: seconds of processor time, and cycles."""
    from importlib import import_module

    import numpy as np

    settings = import_module("scalesim.scale_config").scale_config()
    settings.set_arr_dims(side, side)
    settings.valid_conf_flag = True  # it wants a file otherwise, of which this is all that counts
    name = f"systolic_compute_{kind}"
    machine = getattr(import_module(f"scalesim.compute.{name}"), name)()
    store = import_module("scalesim.memory.double_buffered_scratchpad_mem")
    x = np.arange(m * k).reshape(m, k)
    weight = x.size + np.arange(k * n).reshape(k, n)
    y = x.size + weight.size + np.arange(m * n).reshape(m, n)
    start = time.process_time()
    machine.set_params(config_obj=settings, ifmap_op_mat=x, filter_op_mat=weight, ofmap_op_mat=y)
    machine.get_prefetch_matrices()
    demands = machine.get_demand_matrices()
    seconds = time.process_time() - start
    memory = store.double_buffered_scratchpad()
    kib = {f"{part}_buf_size_bytes": 64 * 1024 for part in ("ifmap", "filter", "ofmap")}
    rates = {"ifmap_backing_buf_bw": 10, "filter_backing_buf_bw": 10, "ofmap_backing_buf_bw": side}
    estimate = {"estimate_bandwidth_mode": True, "verbose": False, "config": settings}
    memory.set_params(**kib, **rates, **estimate)
    memory.service_memory_requests(*demands)
    whole = time.process_time() - start
    return {"seconds": seconds, "whole_s": whole, "cycles": len(demands[0])}


if __name__ == "__main__":
    M, K, N, SIDE = map(int, sys.argv[1:5])
    print(json.dumps(compute(M, K, N, SIDE, sys.argv[5])))
