"""Linear and convolution layers whose weight is codebooks and codes: many weights, few values.

The codebooks are the parameters. Training moves a shared value by the sum of what all its weights
ask for, and the codes stay. Every use looks the weight up and runs the float kernel: that saves
memory, not arithmetic.
"""

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor, nn
from torch.nn import functional

from efficientdl import _check
from efficientdl.models.layers.conv_form import ConvForm
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.stored_weight import bits_of, dense_kernel_cost
from efficientdl.report import Cost
from efficientdl.tensors.codebooks import from_codebooks
from efficientdl.tensors.coded_weight import CodedWeight, code_weight
from efficientdl.tensors.storage import Storage, storage_bits


class Shared(nn.Module):
    """What layers with codebooks share: codes, codebooks, and a mask.

    Args:
        layer: The layer to stand for; a masked one hands its mask on, if it drops anything.
        codebooks: The values there are, or the vectors; `efficientdl.tensors.codebooks` has the
            form.
        codes: Which of them each piece of the weight is, at most 256 of them.

    Attributes:
        coded: Whether codes and indices are stored as Huffman streams.
    """

    codes: Integer[Tensor, "groups books"]
    mask: Bool[Tensor, "..."] | None

    def __init__(
        self,
        layer: nn.Linear | nn.Conv2d,
        codebooks: Float[Tensor, "books size length"],
        codes: Integer[Tensor, "groups books"],
    ) -> None:
        super().__init__()
        _demand_fit(type(self).__name__, layer.weight, codebooks, codes)
        self.shape, self.coded = tuple(layer.weight.shape), False
        flag = layer.weight.requires_grad
        self.codebooks = nn.Parameter(codebooks.detach().clone(), requires_grad=flag)
        self.register_buffer("codes", codes.to(torch.uint8))
        mask = layer.mask if isinstance(layer, MaskedLinear | MaskedConv2d) else None
        self.register_buffer("mask", None if mask is None or bool(mask.all()) else mask.clone())
        self.bias = layer.bias
        self.train(layer.training)

    @property
    def weight(self) -> Float[Tensor, "..."]:
        """The weight that the codes stand for; what the mask drops is exactly zero."""
        weight = from_codebooks(self.codebooks, self.codes, self.shape)
        return weight if self.mask is None else weight * self.mask

    @property
    def bits(self) -> int:
        """Bits of one code, before any Huffman coding."""
        return (self.codebooks.shape[1] - 1).bit_length()

    @property
    def code_each_weight(self) -> bool:
        """Whether a code is one weight's, so that what the mask drops needs none."""
        return self.codebooks.shape[2] == 1

    def held(self) -> list[Tensor]:
        """What the weight is made of: all of the layer but its bias."""
        return [v for v in (self.codebooks, self.codes, self.mask) if v is not None]

    def coded_weight(self) -> CodedWeight:
        """Codes and indices as Huffman streams, as a file holds them."""
        kept = None if self.mask is None else self.mask.flatten()
        codes = self.codes.flatten()
        if kept is not None and self.code_each_weight:
            codes = codes[kept]
        return code_weight(codes, kept)

    def storage(self) -> Storage:
        """Codes in the smallest form, index bits included, and the codebooks.

        Where a code is a vector's, a mask is a bitmap beside the codes. A layer that is `coded`
        counts its Huffman streams and their tables.
        """
        books = bits_of(self.codebooks)
        if self.coded:
            streams = self.coded_weight()
            index = 0 if streams.gaps is None else streams.gaps.bits
            return Storage("huffman", streams.codes.bits + index + books, index)
        mask = self.mask
        if self.code_each_weight:
            every = torch.ones(self.shape, dtype=torch.bool)
            values = storage_bits(every if mask is None else mask, value_bits=max(self.bits, 1))
            return values._replace(bits=values.bits + books)
        index = 0 if mask is None else mask.numel()
        form = "bitmap" if index else "dense"
        return Storage(form, self.codes.numel() * self.bits + index + books, index)

    def stored_cost(self, y_shape: tuple[int, ...]) -> Cost:
        """Cost of giving an output of this shape."""
        return dense_kernel_cost(
            y_shape,
            weight_shape=self.shape,
            weight_bits=self.storage().bits,
            bias_bits=bits_of(self.bias),
        )

    def extra_repr(self) -> str:
        books, size, length = self.codebooks.shape
        shape = "x".join(map(str, self.shape))
        return f"{shape}, codebooks={books}, size={size}, length={length}"


class SharedLinear(Shared):
    """A linear layer whose weight is codebooks and codes.

    Args:
        layer: The layer to stand for; a `MaskedLinear` hands its mask on.
        codebooks: The values there are, or the vectors.
        codes: Which of them each piece of the weight is.

    >>> books, codes = torch.tensor([[[-1.0], [2.0]]]), torch.tensor([[0], [1], [1]])
    >>> SharedLinear(nn.Linear(3, 1, bias=False), books, codes).weight
    tensor([[-1.,  2.,  2.]], grad_fn=...)
    """

    def __init__(
        self,
        layer: nn.Linear,
        codebooks: Float[Tensor, "books size length"],
        codes: Integer[Tensor, "groups books"],
    ) -> None:
        super().__init__(layer, codebooks, codes)
        self.in_features, self.out_features = layer.in_features, layer.out_features

    def forward(self, input: Float[Tensor, "*batch c_in"]) -> Float[Tensor, "*batch c_out"]:
        return functional.linear(input, self.weight, self.bias)

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """Dense MACs in float; the weight's bits are those of codes, indices and codebooks."""
        return self.stored_cost((*x_shape[:-1], self.out_features))


class SharedConv2d(ConvForm, Shared):
    """A convolution whose weight is codebooks and codes.

    Args:
        layer: The layer to stand for; a `MaskedConv2d` hands its mask on.
        codebooks: The values there are, or the vectors.
        codes: Which of them each piece of the weight is.
    """

    def __init__(
        self,
        layer: nn.Conv2d,
        codebooks: Float[Tensor, "books size length"],
        codes: Integer[Tensor, "groups books"],
    ) -> None:
        super().__init__(layer, codebooks, codes)
        self.take_form(layer)

    def forward(self, input: Float[Tensor, "*n c_in h w"]) -> Float[Tensor, "*n c_out p q"]:
        return self.convolve(input, self.weight, self.bias)

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """Dense MACs in float; the weight's bits are those of codes, indices and codebooks."""
        return self.stored_cost(self.y_shape(x_shape, self.shape))


def shared(
    layer: nn.Linear | nn.Conv2d,
    codebooks: Float[Tensor, "books size length"],
    codes: Integer[Tensor, "groups books"],
) -> SharedLinear | SharedConv2d:
    """The layer with codebooks that stands for a linear layer or a convolution."""
    if isinstance(layer, nn.Conv2d):
        return SharedConv2d(layer, codebooks, codes)
    return SharedLinear(layer, codebooks, codes)


def _demand_fit(caller: str, weight: Tensor, codebooks: Tensor, codes: Tensor) -> None:
    books, size, length = codebooks.shape
    _check.whole(caller, "size of a codebook", size, 1, 256)
    pieces = (*codes.shape, length)
    if codes.shape[1] != books or codes.numel() * length != weight.numel():
        rule = f"must be groups x {books} codebooks, {length} of {weight.numel()} weights each"
        _check.fail(caller, "codes", rule, pieces)
    if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < size:
        _check.fail(caller, "codes", f"must be in [0, {size - 1}]", int(codes.max()))
