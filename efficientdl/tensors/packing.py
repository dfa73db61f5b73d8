"""Bit packing: codes of a few bits, side by side in bytes with nothing between them."""

import torch
from jaxtyping import Integer, UInt8
from torch import Tensor

from efficientdl import _check


def pack(codes: Integer[Tensor, "..."], *, bits: int) -> UInt8[Tensor, "bytes"]:
    """Codes as bytes: the first code in the lowest bits of the first byte, and so on.

    The last byte is filled up with zeros.

    Args:
        codes: Whole numbers, 0 .. 2**bits - 1, in any shape; taken in memory order.
        bits: Bits of a code, 1..32.

    Raises:
        BadValue: A code does not fit into its bits.

    >>> pack(torch.tensor([1, 2, 3, 0, 1]), bits=2)  # 00_11_10_01, then 01
    tensor([57,  1], dtype=torch.uint8)
    """
    _check.whole("pack", "bits", bits, 1, 32)
    flat = codes.flatten().long()
    if flat.numel() and not 0 <= int(flat.min()) <= int(flat.max()) < 2**bits:
        bad = int(flat[(flat < 0) | (flat >= 2**bits)][0])
        _check.fail("pack", "codes", f"must be in [0, {2**bits - 1}]", bad)
    places = torch.arange(bits, device=flat.device)
    each = ((flat[:, None] >> places) & 1).flatten()
    each = torch.nn.functional.pad(each, (0, -len(each) % 8)).unflatten(0, (-1, 8))
    return (each << torch.arange(8, device=flat.device)).sum(dim=1).to(torch.uint8)


def unpack(packed: UInt8[Tensor, "bytes"], *, bits: int, count: int) -> Integer[Tensor, "codes"]:
    """The codes that `pack` put into bytes.

    Args:
        packed: The bytes.
        bits: Bits of a code, 1..32.
        count: How many codes there are.

    Raises:
        BadValue: There are not as many bytes as these codes take.

    >>> unpack(torch.tensor([57, 1], dtype=torch.uint8), bits=2, count=5)
    tensor([1, 2, 3, 0, 1])
    """
    _check.whole("unpack", "bits", bits, 1, 32)
    _check.whole("unpack", "count", count, 0)
    n_bytes = packed_bytes(count, bits=bits)
    if len(packed) != n_bytes:
        rule = f"must be the {n_bytes} bytes of {count} codes of {bits} bits"
        _check.fail("unpack", "packed", rule, f"{len(packed)} bytes")
    each = (packed.long()[:, None] >> torch.arange(8, device=packed.device)) & 1
    each = each.flatten()[: count * bits].reshape(count, bits)
    return (each << torch.arange(bits, device=packed.device)).sum(dim=1)


def packed_bytes(count: int, *, bits: int) -> int:
    """Bytes that so many codes take.

    >>> packed_bytes(5, bits=3)
    2
    """
    return -(-count * bits // 8)
