"""What the codes of an activation stand for, and how a layer keeps that in its `state_dict`."""

from collections.abc import Mapping
from math import inf
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Int8, Int32, Integer
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.tensors import QParams
from efficientdl.tensors.affine import as_signed

Rows = Mapping[str, list[tuple[float, ...]]]


class ActivationCodes(NamedTuple):
    """What the codes of an activation stand for.

    Attributes:
        scale: The step from one code to the next.
        zero_point: The code of 0.0.
        lowest: The least code that occurs.
        highest: The largest.
    """

    scale: float
    zero_point: int
    lowest: int = -128
    highest: int = 127

    @classmethod
    def of(cls, qparams: QParams) -> "ActivationCodes":
        """Signed codes with one scale for the whole tensor.

        >>> from efficientdl.tensors import affine
        >>> ActivationCodes.of(affine(torch.tensor([[0.0, 51.0]]), bits=8)).zero_point
        -128
        """
        codes = as_signed(qparams)
        zero_point = whole_zero_points(codes)
        highest = codes.lowest + codes.n_levels - 1
        return cls(float(codes.scale), int(zero_point), codes.lowest, highest)

    def between(self, low: float, high: float) -> "ActivationCodes":
        """The same codes, of which only those from `low` to `high` occur: a ReLU's, say.

        >>> ActivationCodes(0.1, 0).between(0.0, 6.0)
        ActivationCodes(scale=0.1, zero_point=0, lowest=0, highest=60)
        """
        lowest, highest = self.lowest, self.highest
        if low > -inf:
            lowest = max(lowest, min(highest, self.zero_point + round(low / self.scale)))
        if high < inf:
            highest = min(highest, max(lowest, self.zero_point + round(high / self.scale)))
        return self._replace(lowest=lowest, highest=highest)

    def steps(self, codes: Int8[Tensor, "*shape"]) -> Int32[Tensor, "*shape"]:
        """How many steps from zero the codes are: `q - Z`."""
        return codes.to(torch.int32) - self.zero_point


class KeepsCodes(nn.Module):
    """A layer on codes, whose scales and zero points go into its `state_dict`.

    A layer of another network that is built alike takes them from there with its tensors: without
    them its weights would stand for something else.

    Attributes:
        kept: The attributes that hold one `ActivationCodes`, or several.
    """

    kept: ClassVar[tuple[str, ...]] = ()

    def get_extra_state(self) -> Rows:
        """Plain numbers, so that `torch.load` takes them with `weights_only`.

        >>> class Kept(KeepsCodes):
        ...     kept = ("y",)
        ...     y = ActivationCodes(0.5, 3)
        >>> Kept().get_extra_state()
        {'y': [(0.5, 3, -128, 127)]}
        """
        held = {name: getattr(self, name) for name in self.kept}
        return {
            name: [tuple(one) for one in ([codes] if isinstance(codes, ActivationCodes) else codes)]
            for name, codes in held.items()
        }

    def set_extra_state(self, state: Rows) -> None:
        """Take the codes of a layer that is built alike."""
        for name, rows in state.items():
            several = tuple(ActivationCodes(*row) for row in rows)  # pyright: ignore[reportArgumentType]
            one = isinstance(getattr(self, name), ActivationCodes)
            setattr(self, name, several[0] if one else several)
        self.derive()

    def derive(self) -> None:
        """Whatever follows from the codes; nothing does where only tensors do the work."""


def whole_zero_points(qparams: QParams) -> Integer[Tensor, " groups"]:
    """Zero points as whole numbers.

    Args:
        qparams: Levels of eight bits or fewer, with zero among them.

    Raises:
        BadValue: Zero is not a level, or there are more bits.
    """
    zero_point = qparams.zero_point.detach().flatten()
    whole = zero_point.round()
    if not bool((zero_point == whole).all()):
        bad = float(zero_point[zero_point != whole][0])
        _check.fail(
            "integer_only",
            "zero point",
            "must be a whole number, as symmetric and affine give it",
            bad,
        )
    if qparams.bits > 8:
        _check.fail("integer_only", "bits", "must be at most 8", qparams.bits)
    return whole.to(torch.int64)
