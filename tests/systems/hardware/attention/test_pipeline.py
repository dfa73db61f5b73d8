"""When the last job is through: beside a clock that ticks, and a closed form."""

from hypothesis import given
from hypothesis import strategies as st

from efficientdl.systems.hardware.attention.pipeline import makespan
from tests.systems.hardware.attention.drawn import quick


def ticking(times):
    """Every cycle, each idle stage takes the next job that waits for it."""
    stages = len(times[0])
    waiting = [list(range(len(times))), *([] for _ in range(stages))]
    busy = [None] * stages
    t = 0
    while True:
        for s in range(stages):
            take(times, waiting, busy, s)
        if len(waiting[stages]) == len(times):
            return t
        t += 1
        for s in range(stages):
            work(waiting, busy, s)


def take(times, waiting, busy, s):
    """An idle stage takes a job; one of no cycles passes through at once."""
    while busy[s] is None and waiting[s]:
        job = waiting[s].pop(0)
        if times[job][s]:
            busy[s] = [job, times[job][s]]
        else:
            waiting[s + 1].append(job)


def work(waiting, busy, s):
    """A cycle of a stage; a job that is done goes on to wait."""
    if busy[s]:
        busy[s][1] -= 1
        if not busy[s][1]:
            waiting[s + 1].append(busy[s][0])
            busy[s] = None


jobs = st.integers(1, 3).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 5), min_size=n, max_size=n), min_size=1, max_size=6)
)


@quick
@given(times=jobs)
def test_makespan_is_what_a_clock_counts(times):
    assert makespan(times) == ticking(times)
    longest = max(sum(stage) for stage in zip(*times, strict=True))
    assert max(longest, max(map(sum, times))) <= makespan(times) <= sum(map(sum, times))


@quick
@given(job=st.lists(st.integers(0, 9), min_size=1, max_size=4), n=st.integers(1, 9))
def test_equal_jobs_by_the_closed_form(job, n):
    assert makespan([job] * n) == sum(job) + (n - 1) * max(job)


def test_no_jobs_take_no_time():
    assert makespan([]) == 0
