"""The jobs of a class on a Dask cluster.

The same function runs there as here, so each submission still has a process of its own. What a
worker was doing when it was lost is done again by another.
"""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, TypeVar

from efficientdl import _check
from efficientdl.grading.classroom.children import internal_error

Json = dict[str, Any]
T = TypeVar("T")
_PATIENCE_S = 20.0  # for a scheduler to answer


def on_cluster(
    scheduler: str, items: Sequence[T], job_of: Callable[[T], Json], run: Callable[[Json], Json]
) -> Iterator[tuple[T, Json]]:
    """Each item with the result of its job, as they are done.

    Args:
        scheduler: Its address, `tcp://machine:8786`.
        items: What there is to do; jobs are made of few at a time, because a class is large.
        job_of: Makes the job of one item.
        run: Does one job on a worker, which has to be able to import it.

    Raises:
        BadValue: dask.distributed is not installed, or nothing answers at the address.
    """
    try:
        dask, distributed = import_module("dask"), import_module("distributed")
    except ImportError:
        rule = "needs dask.distributed: pip install 'efficientdl[class]'"
        _check.fail("class", "scheduler", rule, scheduler)
    try:
        client = distributed.Client(scheduler, timeout=_PATIENCE_S, set_as_default=False)
    except (OSError, ValueError, ImportError):
        _check.fail("class", "scheduler", "must be the address of one that answers", scheduler)
    # A notebook is a few megabytes, which Dask would warn of.
    quiet = {"distributed.admin.large-graph-warning-threshold": "1 GB"}
    with client, dask.config.set(quiet):
        threads = sum(client.nthreads().values())
        running = distributed.as_completed(loop=client.loop)
        owner: dict[str, T] = {}
        unread: list[tuple[T, Json]] = []
        waiting = iter(items)

        def send(count: int) -> None:
            while count and (item := next(waiting, None)) is not None:
                try:
                    job = job_of(item)
                except _check.BadValue as error:
                    unread.append((item, internal_error(str(error))))
                    continue
                future = client.submit(run, job, pure=False, retries=1)
                owner[future.key] = item
                running.add(future)
                count -= 1

        send(2 * max(threads, 1))
        for future in running:
            yield owner.pop(future.key), _result(future)
            send(1)
        yield from unread


def _result(future: Any) -> Json:  # noqa: ANN401 - distributed has no types
    try:
        return future.result()
    except Exception as error:  # it failed there, or every worker died of it
        return internal_error(f"the cluster failed on it ({type(error).__name__})")
