"""Torch loads its meta kernels when they are first used; no test should pay for that."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode


@pytest.fixture(scope="session", autouse=True)
def meta_kernels():
    with FlopCounterMode(display=False), torch.device("meta"):
        torch.nn.Conv2d(1, 1, 1)(torch.empty(1, 1, 1, 1))
