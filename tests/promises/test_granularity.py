"""The promises of granularities, on those of `tensors` and on broken ones."""

import pytest

from efficientdl import tensors
from efficientdl.catalogue import Granularity
from tests.promises.toys import broken_promises, toy


class Rows:
    """One group for each row."""

    def group(self, x):
        return x.reshape(x.shape[0], -1)

    def ungroup(self, groups, shape):
        return groups.reshape(shape)


class Turned(Rows):
    def group(self, x):
        return super().group(x).T


class Lossy(Rows):
    def group(self, x):
        groups = super().group(x).clone()
        groups[0] = groups[-1]
        return groups


class Flat(Rows):
    def group(self, x):
        return x.flatten()


class Floats(Rows):
    def group(self, x):
        return super().group(x).float()


@pytest.mark.parametrize(
    ("granularity", "options"),
    [
        (tensors.PerTensor, {}),
        (tensors.PerChannel, {}),
        (tensors.PerGroup, {"size": 4}),
        (tensors.PerBlock, {"rows": 4, "cols": 8}),
        (Rows, {}),
    ],
)
def test_sound_granularities_keep_all(granularity, options):
    assert broken_promises(toy(granularity, Granularity(options=options))) == set()


@pytest.mark.parametrize(
    ("granularity", "promise"),
    [
        (Turned, "ungroup_undoes_group"),
        (Lossy, "puts_every_element_in_one_group"),
        (Flat, "puts_every_element_in_one_group"),
        (Floats, "works_on_any_dtype"),
    ],
)
def test_each_fault_is_caught_by_the_promise_meant_for_it(granularity, promise):
    assert promise in broken_promises(toy(granularity, Granularity()))
