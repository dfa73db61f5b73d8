"""An invented class: scores made by a model of ability, answers written in many ways.

The answers are those that independent people give to small exercises: a loop or a comprehension,
a temporary or none, the factors of a product in any order, names and comments by taste. What one
likes, one likes in every exercise, so that two honest learners do agree more than by chance.
"""

import random
import re

TASKS = (
    ("costs-conv-macs", "Count a convolution", 10),
    ("costs-separable", "Depthwise against dense", 10),
    ("costs-peak", "Memory of inference", 10),
    ("costs-training", "Memory of training", 10),
    ("costs-energy", "Energy of a layer", 10),
    ("costs-median", "Summarize timings", 10),
    ("costs-roofline", "The roofline", 10),
    ("costs-carbon", "Footprint of a search", 10),
)
STUBS = {
    "costs-conv-macs": "def conv_macs(c_in, c_out, kernel, h_out, w_out, groups):",
    "costs-separable": "def separable_saving(c_in, c_out, kernel):",
    "costs-peak": "def peak_bytes(elements):",
    "costs-training": "def training_bytes(layers, batch):",
    "costs-energy": "def layer_energy_pj(macs, words, bits):",
    "costs-median": "def summarize(times, warmup):",
    "costs-roofline": "def least_time(macs, traffic_bytes, macs_per_s, bytes_per_s):",
    "costs-carbon": "def search_footprint(fixed_hours, hours_each, n):",
}
NAMES = ("total", "result", "out", "res", "value", "acc", "s", "x", "tmp", "answer", "ret", "y")
REMARKS = (
    "multiply everything", "this took me a while", "from the slide on costs", "see the hint",
    "bytes of a float", "count each output once", "not sure about this", "works on my example",
    "the first part is warm up", "same as above but smaller", "check the units", "magic number",
)  # fmt: skip


def product(rng, *factors):
    order = list(factors)
    rng.shuffle(order)
    return " * ".join(order)


def answer(task, rng, taste):
    """The source of one answer by somebody with this taste."""
    body = globals()["_" + task.replace("-", "_")](rng, taste)
    names = rng.sample(NAMES, 4)
    lines = [line for part in body for line in part.split("\n")]
    lines = [re.sub(r"\$(\d)", lambda m: names[int(m[1])], line) for line in lines]
    if rng.random() < taste["remarks"]:
        lines.insert(rng.randrange(len(lines)), "# " + rng.choice(REMARKS))
    text = "\n".join("    " + line for line in lines)
    if taste["tight"]:
        text = text.replace(", ", ",").replace(" * ", "*")
    return f"{STUBS[task]}\n{text}\n"


def a_taste(rng):
    return {
        "temps": rng.random(), "loops": rng.random(), "tight": rng.random() < 0.2,
        "remarks": rng.choice([0, 0, 0.3, 0.8]), "numpy": rng.random() < 0.3,
    }  # fmt: skip


def _given(rng, taste, expression):
    if rng.random() < taste["temps"]:
        return [f"$0 = {expression}", "return $0"]
    return [f"return {expression}"]


def _square(rng):
    return rng.choice(["kernel**2", "kernel * kernel", "kernel ** 2", "pow(kernel, 2)"])


def _costs_conv_macs(rng, taste):
    per = rng.choice(["(c_in // groups)", "c_in // groups", "int(c_in / groups)"])
    if rng.random() < taste["temps"]:
        return [f"$1 = {product(rng, 'c_out', 'h_out', 'w_out')}",
                f"$2 = {product(rng, _square(rng), per)}",
                f"return {product(rng, '$1', '$2')}"]  # fmt: skip
    return _given(rng, taste, product(rng, "c_out", "h_out", "w_out", _square(rng), per))


def _costs_separable(rng, taste):
    dense = product(rng, _square(rng), "c_in", "c_out")
    pair = [product(rng, _square(rng), "c_in"), product(rng, "c_in", "c_out")]
    rng.shuffle(pair)
    both = " + ".join(pair)
    if rng.random() < taste["temps"]:
        steps = [f"$1 = {dense}", f"$2 = {both}"]
        rng.shuffle(steps)
        return [*steps, "return $1 / $2"]
    return _given(rng, taste, f"({dense}) / ({both})")


def _costs_peak(rng, taste):
    if rng.random() < taste["loops"]:
        first = rng.choice(["0", "elements[0] + elements[1]", "-1"])
        body = rng.choice(["    $0 = max($0, $1)", "    if $1 > $0:\n        $0 = $1"])
        span = rng.choice(["range(len(elements) - 1)", "range(0, len(elements) - 1)"])
        rate = rng.choice(["return 4 * $0", "return $0 * 4"])
        return [f"$0 = {first}", f"for i in {span}:", "    $1 = elements[i] + elements[i + 1]",
                body, rate]  # fmt: skip
    pairs = rng.choice(["zip(elements, elements[1:])", "zip(elements[:-1], elements[1:])"])
    inner = rng.choice([f"a + b for a, b in {pairs}", f"sum($1) for $1 in {pairs}",
                        "elements[i] + elements[i + 1] for i in range(len(elements) - 1)",
                        ])  # fmt: skip
    return _given(rng, taste, rng.choice([f"4 * max({inner})", f"max({inner}) * 4",
                                          f"max([{inner}]) * 4"]))  # fmt: skip


def _costs_training(rng, taste):
    kinds = ["'conv'", "'linear'", "'norm'"]
    rng.shuffle(kinds)
    named = rng.choice([f"kind in ({', '.join(kinds)})", f"kind in [{', '.join(kinds)}]",
                        " or ".join(f"kind == {k}" for k in kinds)])  # fmt: skip
    bits = rng.choice(["-(-$1 * batch // 8)", "($1 * batch + 7) // 8",
                       "int(np.ceil($1 * batch / 8))", "math.ceil($1 * batch / 8)"])  # fmt: skip
    full = product(rng, "4", "$1", "batch")
    other = rng.choice(["elif kind == 'relu':", "if kind == 'relu':"])
    return ["$0 = 0", "for kind, $1 in layers:", f"    if {named}:", f"        $0 += {full}",
            f"    {other}", f"        $0 += {bits}", "return $0"]  # fmt: skip


def _costs_energy(rng, taste):
    share = rng.choice(["bits / 32", "(bits / 32)"])
    parts = [product(rng, "macs", "3.7"), product(rng, "macs", "2", "5", "$1"),
             product(rng, "words", "640", "$1")]  # fmt: skip
    rng.shuffle(parts)
    if rng.random() < 0.4:
        names = ["$0", "$2", "$3"]
        steps = [f"{name} = {part}" for name, part in zip(names, parts, strict=True)]
        return [f"$1 = {share}", *steps, f"return {' + '.join(names)}"]
    return [f"$1 = {share}", *_given(rng, taste, " + ".join(parts))]


def _costs_median(rng, taste):
    first = rng.choice(["$1 = times[warmup:]", "$1 = np.array(times[warmup:])"])
    low, high = "np.percentile($1, 25)", "np.percentile($1, 75)"
    if rng.random() < taste["temps"]:
        joined = ["$2, $3 = np.percentile($1, [75, 25])"] if taste["numpy"] else [
            f"$2 = {high}", f"$3 = {low}"]  # fmt: skip
        return [first, *joined, rng.choice(["return float(np.median($1)), float($2 - $3)",
                                            "return np.median($1), $2 - $3"])]  # fmt: skip
    return [first, rng.choice([f"return np.median($1), {high} - {low}",
                               f"return float(np.median($1)), float({high} - {low})"])]  # fmt: skip


def _costs_roofline(rng, taste):
    steps = ["$0 = macs / macs_per_s", "$1 = traffic_bytes / bytes_per_s"]
    rng.shuffle(steps)
    end = rng.choice([
        "return max($0, $1), 'compute' if $0 >= $1 else 'memory'",
        "if $0 >= $1:\n    return $0, 'compute'\nreturn $1, 'memory'",
        "if $0 < $1:\n    return $1, 'memory'\nelse:\n    return $0, 'compute'",
        "$2 = 'compute'\nif $1 > $0:\n    $2 = 'memory'\nreturn max($0, $1), $2",
    ])  # fmt: skip
    return [*steps, end]


def _costs_carbon(rng, taste):
    hours = rng.choice(["fixed_hours + hours_each * n", "fixed_hours + n * hours_each",
                        "hours_each * n + fixed_hours"])  # fmt: skip
    ends = ["$0 * LBS_PER_GPU_HOUR, $0 * DOLLARS_PER_GPU_HOUR",
            "LBS_PER_GPU_HOUR * $0, DOLLARS_PER_GPU_HOUR * $0"]  # fmt: skip
    if rng.random() < taste["temps"]:
        return [f"$0 = {hours}", "$1 = $0 * LBS_PER_GPU_HOUR", "$2 = $0 * DOLLARS_PER_GPU_HOUR",
                rng.choice(["return $1, $2", "return ($1, $2)"])]  # fmt: skip
    return [f"$0 = {hours}", f"return {rng.choice(ends)}"]


def answers(rng):
    """One learner's answers to everything."""
    taste = a_taste(rng)
    return {id: answer(id, rng, taste) for id, _, _ in TASKS}


def disguised(source, rng):
    """A copy: variables renamed, the comments left out or others put in, spaces changed."""
    fresh = dict(zip(NAMES, rng.sample([f"{n}_{i}" for i, n in enumerate(NAMES)], len(NAMES)),
                     strict=True))  # fmt: skip
    lines = [line for line in source.split("\n") if not line.strip().startswith("#")]
    text = re.sub(r"\b[a-z]+\b", lambda m: fresh.get(m[0], m[0]), "\n".join(lines))
    text = text.replace("\n    ", f"\n    # {rng.choice(REMARKS)}\n    ", 1)
    return text.replace(" * ", "*") if rng.random() < 0.5 else text


def entry(number, given, tasks=(), *, lab="01_costs", status="graded"):
    """A line of the results as grading writes it."""
    learner = f"learner-{number:02d}"
    earned = sum(task["earned"] or 0 for task in tasks)
    points = sum(task["points"] for task in tasks if task["earned"] is not None)
    score = {
        "release": {"lab": lab, "digest": "d", "version": "0.1.0", "submitted": "d"},
        "exercises": list(tasks), "written": [],
        "total": {"earned": earned, "points": points, "ungraded": 0},
    }  # fmt: skip
    return {"place": f"{learner}/01_costs.ipynb", "learner": learner, "status": status,
            "reason": "", "score": score, "answers": given}  # fmt: skip


def task(id, title="A title", points=10, earned=10.0, outcome="correct", message="", seconds=0.5):
    """One task of a score."""
    return {"id": id, "title": title, "task": "exercise", "points": points, "earned": earned,
            "outcome": outcome, "message": message, "right": 0, "cases": 8, "seconds": seconds,
            "peak_mb": None, "shown": None, "hint": "", "figures": []}  # fmt: skip


def a_class(n, seed):
    """The answers of a class in which nobody copied."""
    rng = random.Random(seed)
    return [entry(i, answers(rng)) for i in range(1, n + 1)]


FAILURES = (
    ("wrong_value", "the target is 216, yours is {}, which is 2 times the target"),
    ("wrong_value", "the target is 51, yours is {}"),
    ("raised", "raised ZeroDivisionError: division by zero"),
    ("wrong_shape", "the answer must be a number, yours is a string"),
    ("partial", "at [0]: the target is 4, yours is {}"),
    ("timeout", "stopped after 20 seconds"),
)
HARDNESS = (-2.5, -0.8, -0.3, 0.2, 0.5, 1.0, None, 1.8)  # None: an item that goes backwards


def marked(rng):
    """One learner's tasks, by a model in which ability and hardness decide."""
    ability = rng.gauss(0.4, 1.2)
    found = []
    for (id, title, points), hardness in zip(TASKS, HARDNESS, strict=True):
        edge = -ability if hardness is None else ability - hardness
        sure = edge + rng.gauss(0, 0.7)
        seconds = round(rng.uniform(0.2, 1.5), 2)
        if sure > 0:
            found.append(task(id, title, points, float(points), seconds=seconds))
        elif rng.random() < 0.25:
            found.append(task(id, title, points, 0.0, "not_attempted", seconds=0.0))
        else:
            outcome, message = rng.choice(FAILURES[: 4 + len(id) % 3])
            earned = 5.0 if outcome == "partial" else 0.0
            said = message.format(rng.randrange(1000))
            found.append(task(id, title, points, earned, outcome, said, seconds))
    return found


def a_marked_class(n, seed):
    """A class with scores and answers, in which number 2 has copied from number 1."""
    rng = random.Random(seed)
    found = [entry(i, answers(rng), marked(rng)) for i in range(1, n + 1)]
    copied = {id: disguised(source, rng) for id, source in found[0]["answers"].items()}
    return [found[0], {**found[1], "answers": copied}, *found[2:]]
