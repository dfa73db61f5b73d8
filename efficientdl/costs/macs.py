"""How many multiply-accumulates one operation of torch does: a table, one small rule each.

A rule sees shapes only, so it holds on the meta device too. The sums of products that networks are
made of have their line here; what has none (additions, activations, norms, pooling) does no MAC by
the convention of the papers that the survey compares.
"""

from collections.abc import Callable, Sequence
from math import prod

from torch import Tensor

from efficientdl.costs.trace import Op

Shape = Sequence[int]
Rule = Callable[..., int]


def mm(_out: Shape, a: Shape, b: Shape) -> int:
    """(m k) times (k n) gives (m n): k MACs for each of m n outputs."""
    (m, k), (_, n) = a, b
    return m * k * n


def addmm(out: Shape, _bias: Shape, a: Shape, b: Shape) -> int:
    """A linear layer: the bias is where the sums start, and costs no MAC."""
    return mm(out, a, b)


def bmm(_out: Shape, a: Shape, b: Shape) -> int:
    """(b m k) times (b k n): one matrix product for each of the batch."""
    (batch, m, k), (_, _, n) = a, b
    return batch * m * k * n


def baddbmm(out: Shape, _bias: Shape, a: Shape, b: Shape) -> int:
    """The same with a bias, or with the products added up over the batch."""
    return bmm(out, a, b)


def mv(_out: Shape, a: Shape, _b: Shape) -> int:
    """(m k) times (k): one MAC for each entry of the matrix; (k) times (k) gives k."""
    return prod(a)


def addmv(out: Shape, _bias: Shape, a: Shape, b: Shape) -> int:
    """The same with a bias."""
    return mv(out, a, b)


def convolution(
    out: Shape,
    x: Shape,
    weight: Shape,
    _bias: object,
    _stride: object,
    _padding: object,
    _dilation: object,
    transposed: bool,
    *_more: object,
) -> int:
    """Images (n c_in h w), filters (c_out, c_in / groups, r, s), outputs (n c_out p q).

    Each of the n p q output positions uses every weight once, whatever the groups; the zeros of
    the padding count. A transposed convolution spreads each input instead: every position of the
    *input* uses every weight once.
    """
    n, _, *positions = x if transposed else out
    return n * prod(positions) * prod(weight)


def attention(_out: object, q: Shape, k: Shape, v: Shape, *_more: object) -> int:
    """Queries (b h t d), keys (b . s d), values (b . s e): scores, then their mix of values.

    Heads that share keys and values still do their own products, and what a causal mask hides is
    computed as well.
    """
    batch, heads, t, d = q
    s, e = k[-2], v[-1]
    return batch * heads * t * s * (d + e)


def lstm_layer(_out: object, x: Shape, w_in: Shape, w_hidden: Shape, *_more: object) -> int:
    """Inputs (t b i): each step of each sequence uses both weight matrices once."""
    t, batch, _ = x
    return t * batch * (prod(w_in) + prod(w_hidden))


RULES: dict[str, Rule] = {
    "aten.mm": mm,
    "aten._int_mm": mm,
    "aten._scaled_mm": mm,
    "aten.addmm": addmm,
    "aten.bmm": bmm,
    "aten.baddbmm": baddbmm,
    "aten.addbmm": baddbmm,
    "aten.mv": mv,
    "aten.addmv": addmv,
    "aten.dot": mv,
    "aten.vdot": mv,
    "aten.convolution": convolution,
    "aten._convolution": convolution,
    "aten._scaled_dot_product_flash_attention_for_cpu": attention,
    "aten._scaled_dot_product_flash_attention": attention,
    "aten._scaled_dot_product_efficient_attention": attention,
    "aten._scaled_dot_product_cudnn_attention": attention,
    "aten.mkldnn_rnn_layer": lstm_layer,
}


def _shape(value: object) -> object:
    return tuple(value.shape) if isinstance(value, Tensor) else value


def macs(op: Op) -> int:
    """Multiply-accumulates of one executed operation, 0 where it sums no products."""
    rule = RULES.get(op.name.removesuffix("_"))
    return 0 if rule is None else rule(_shape(op.out), *map(_shape, op.args))
