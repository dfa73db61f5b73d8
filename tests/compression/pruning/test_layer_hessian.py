"""The layer's own Hessian against autograd's, and inverses against NumPy's."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.pruning.layer_hessian import inverses, layer_hessians
from tests.compression.pruning.small_nets import convnet, examples
from tests.models.layers.test_masked import drawn, gen


def test_is_the_hessian_of_the_mean_squared_error_of_the_layers_output():
    conv = drawn(nn.Conv2d(4, 2, 3, groups=2, padding=1)).double()
    x = torch.randn(5, 4, 4, 4, generator=gen(), dtype=torch.float64)

    def error(weight):
        moved = nn.functional.conv2d(x, weight - conv.weight.detach(), None, padding=1, groups=2)
        return moved.square().sum() / len(x)

    full = torch.autograd.functional.hessian(error, conv.weight.detach()).reshape(36, 36)
    (ours,) = layer_hessians("prune", conv, {"": conv}, x.split(2), block=18)[""]
    torch.testing.assert_close(torch.block_diag(*ours), full)
    blocks = layer_hessians("prune", conv, {"": conv}, [x], block=7)[""]
    assert [b.shape for b in blocks] == [(2, 7, 7), (2, 7, 7), (2, 4, 4)]
    torch.testing.assert_close(blocks[2][1], full[32:, 32:])


def test_inverses_are_numpys_of_the_raised_matrix():
    model = convnet()
    x, _ = examples(model, n=20)
    (h,) = layer_hessians("prune", model, {"3": model[3]}, [x], block=128)["3"]
    (ours,) = inverses("prune", [h], dampening=0.1)
    for group in (0, 1):
        raised = h[group].numpy() + 0.1 * np.diag(h[group]).mean() * np.eye(12)
        np.testing.assert_allclose(ours[group], np.linalg.inv(raised), rtol=1e-7)


def test_inputs_that_are_always_zero_leave_an_inverse_all_the_same():
    (ours,) = inverses("prune", [torch.zeros(1, 3, 3)], dampening=0.5)
    np.testing.assert_allclose(ours[0], 2 * np.eye(3), rtol=1e-6)


def test_a_hessian_without_inverse_is_told():
    with pytest.raises(ValueError, match=r"prune: dampening must be larger: .*got 0"):
        inverses("prune", [torch.ones(1, 3, 3)], dampening=0)
    with pytest.raises(ValueError, match=r"prune: dampening must be at least 0, got -1"):
        inverses("prune", [torch.ones(1, 3, 3)], dampening=-1)
