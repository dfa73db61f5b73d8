"""Weights that go one by one: the claims, in the order of the page."""

from collections.abc import Callable, Iterator

from benchmarks.headlines import Headline, choices, gates, penalties, smaller, tickets

# From cheap to dear within what belongs together, so that an interrupted run has the most.
CLAIMS: tuple[Callable[[], Headline], ...] = (
    smaller.lenet_300_100,
    smaller.lenet_5,
    smaller.convolutions,
    smaller.convolutions_on_digits,
    smaller.iterative_beats_one_shot,
    smaller.gradual_beats_one_shot,
    smaller.surgery_300_100,
    smaller.surgery_5,
    tickets.ticket_300_100,
    tickets.ticket_convolutions,
    tickets.instability_falls,
    penalties.l1_gives_zeros,
    penalties.l0_closes_rows,
    penalties.group_lasso_empties_filters,
    choices.criteria,
    choices.granularities,
    choices.regular_forms,
    gates.easy_pictures_use_fewer_channels,
)


def headlines() -> list[Headline]:
    """Run all of them."""
    return list(each())


def each() -> Iterator[Headline]:
    """One after the other, each as soon as it is done."""
    for claim in CLAIMS:
        yield claim()
