"""Random operands with zeros."""

import numpy as np


def sparse(shape, density, seed, low=-8, high=8):
    """Whole numbers, of which about so many are kept; a kept one may be zero too."""
    rng = np.random.default_rng(seed)
    return rng.integers(low, high, shape) * (rng.random(shape) < density)
