"""Promises of networks: `f(*, classes, seed) -> nn.Module`."""

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from efficientdl.catalogue import Technique
from tests.promises.state import global_generators_untouched

CLASSES = 1000


def built(technique: Technique, seed: int = 0) -> nn.Module:
    return technique.call(classes=CLASSES, seed=seed)


def fingerprints(model: nn.Module) -> dict[str, list[float]]:
    """A few numbers for each tensor: both ends and the sum, enough to tell two draws apart."""

    def few(tensor: Tensor) -> list[float]:
        flat = tensor.detach().flatten()
        return [*flat[:8].tolist(), *flat[-8:].tolist(), float(flat.sum())]

    return {name: few(tensor) for name, tensor in model.state_dict().items()}


def has_the_params_and_macs_that_it_declares(technique: Technique) -> None:
    model = built(technique)
    params = sum(p.numel() for p in model.parameters())
    assert params == technique.kind.params, f"has {params} parameters"
    side = technique.kind.resolution
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        y = model.eval().to("meta")(torch.zeros(1, 3, side, side, device="meta"))
    macs = counter.get_total_flops() // 2
    assert macs == technique.kind.macs, f"does {macs} MACs"
    assert y.shape == (1, CLASSES), f"gives {tuple(y.shape)} for {CLASSES} classes"


def replays_from_its_seed(technique: Technique) -> None:
    first = fingerprints(built(technique))
    torch.rand(3)  # moves the global generator, on which nothing may depend
    assert fingerprints(built(technique)) == first, "gave other weights for the same seed"
    other = fingerprints(built(technique, seed=1))
    assert other != first, "gave the same weights for another seed"


def leaves_global_generators_alone(technique: Technique) -> None:
    with global_generators_untouched():
        built(technique)


def has_no_memory_left_undrawn(technique: Technique) -> None:
    for name, tensor in built(technique).state_dict().items():
        assert tensor.device.type == "cpu", f"{name} is on {tensor.device}"
        assert bool(tensor.isfinite().all()), f"{name} is not finite"
        drawn = tensor.is_floating_point() and tensor.ndim > 1
        assert not drawn or len(tensor.flatten()[:64].unique()) > 1, f"{name} was never drawn"


PROMISES = [
    has_the_params_and_macs_that_it_declares,
    replays_from_its_seed,
    leaves_global_generators_alone,
    has_no_memory_left_undrawn,
]
