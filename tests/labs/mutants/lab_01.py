"""Wrong answers to lab 01: its checks must refuse each."""

_CONV = "def conv_macs(c_in, c_out, kernel, h_out, w_out, groups):\n    return "
_SAVING = "def separable_saving(c_in, c_out, kernel):\n    return "
_ENERGY = "def layer_energy_pj(macs, words, bits):\n    share = bits / 32\n    return "
_MEDIAN = "def summarize(times, warmup):\n    kept = times[warmup:]\n    return "
_TIME = """def least_time(macs, traffic_bytes, macs_per_s, bytes_per_s):
    compute, memory = macs / macs_per_s, traffic_bytes / bytes_per_s
    return """
_SEARCH = "def search_footprint(fixed_hours, hours_each, n):\n    hours = "
_PRICED = "\n    return hours * LBS_PER_GPU_HOUR, hours * DOLLARS_PER_GPU_HOUR\n"

_TRAINING = """def training_bytes(layers, batch):
    total = 0
    for kind, elements in layers:
        if kind in {kinds}:
            total += {dense}
        elif kind == "relu":
            total += {bits}
    return {result}
"""
_KEEP = '("conv", "linear", "norm")'
_DENSE, _BITS = "4 * elements * batch", "-(-elements * batch // 8)"


def _training(kinds=_KEEP, dense=_DENSE, bits=_BITS, result="total"):
    return _TRAINING.format(kinds=kinds, dense=dense, bits=bits, result=result)


MUTANTS = {
    "costs-conv-macs": [
        _CONV + "c_out * h_out * w_out * kernel * kernel * c_in\n",  # forgets the groups
        _CONV + "c_out * h_out * w_out * kernel * (c_in // groups)\n",  # a kernel of one row
        _CONV + "(c_out // groups) * h_out * w_out * kernel**2 * (c_in // groups)\n",  # twice
        _CONV + "2 * c_out * h_out * w_out * kernel**2 * (c_in // groups)\n",  # operations
    ],
    "costs-separable": [
        _SAVING + "kernel**2 * c_out / (kernel**2 + c_in)\n",  # the wrong channels
        _SAVING + "(kernel**2 + c_out) / (kernel**2 * c_out)\n",  # upside down
        _SAVING + "float(kernel**2)\n",  # the limit, not the saving
        _SAVING + "kernel**2 * c_out // (kernel**2 + c_out)\n",  # cut off
    ],
    "costs-peak": [
        "def peak_bytes(elements):\n    return 4 * max(elements)\n",
        "def peak_bytes(elements):\n    return 4 * sum(elements)\n",
        "def peak_bytes(elements):\n    return 4 * sum(sorted(elements)[-2:])\n",  # no neighbours
        "def peak_bytes(elements):\n"
        "    return max(a + b for a, b in zip(elements, elements[1:]))\n",
    ],
    "costs-training": [
        _training(bits="4 * elements * batch"),  # a whole float for a bit
        _training(kinds='("conv", "linear")'),  # forgets batch norm
        _training(bits="elements * batch // 8"),  # rounds down
        _training(dense="4 * elements", bits="-(-elements // 8)"),  # forgets the batch
        _training(kinds='("conv", "linear", "norm", "pool")'),
    ],
    "costs-energy": [
        _ENERGY + "macs * (3.7 + 5 * share) + words * 640 * share\n",  # one operand
        _ENERGY + "macs * (3.7 + 2 * 5) + words * 640\n",  # bits forgotten
        _ENERGY + "macs * (3.7 + 2 * 5 + 640) * share\n",  # every operand from DRAM
        _ENERGY + "(macs * (3.7 + 2 * 5) + words * 640) * share\n",  # a cheaper multiplier
    ],
    "costs-median": [
        _MEDIAN + "float(kept.mean()), float(kept.std())\n",
        _MEDIAN + "float(np.median(times)), float(np.percentile(kept, 75) "
        "- np.percentile(kept, 25))\n",  # the warm-up stays
        _MEDIAN + "float(np.median(kept)), float(kept.max() - kept.min())\n",
        _MEDIAN + "float(kept.min()), float(np.percentile(kept, 75) - np.percentile(kept, 25))\n",
    ],
    "costs-roofline": [
        _TIME + "compute + memory, 'compute' if compute >= memory else 'memory'\n",
        _TIME + "min(compute, memory), 'compute' if compute >= memory else 'memory'\n",
        _TIME + "max(compute, memory), 'memory' if compute >= memory else 'compute'\n",
        _TIME + "max(compute, memory), 'compute'\n",
    ],
    "costs-carbon": [
        _SEARCH + "fixed_hours + hours_each" + _PRICED,  # one device
        _SEARCH + "(fixed_hours + hours_each) * n" + _PRICED,  # the fixed part again and again
        _SEARCH
        + "fixed_hours + hours_each * n\n"
        + "    return hours * DOLLARS_PER_GPU_HOUR, hours * LBS_PER_GPU_HOUR\n",
    ],
}
