"""Speed and memory, measured: ratios to named peers in the same run, with the machine named.

`make bench` runs all of them, `make bench BENCH_ARGS=counting` one. Results stand in
`benchmarks/results/`, as JSON for programs and as Markdown for people. Each module here has a
function `contests() -> list[Contest]`; nothing in `tests/` measures time.
"""
