"""Multi-head attention with masks: it uses only the projection weights that are kept."""

from torch import Tensor, nn
from torch.nn import functional

from efficientdl.models.layers.parameter_masks import (
    Masks,
    masked,
    stored_bits,
    take_over,
    zero_dropped,
)
from efficientdl.report import Cost


class MaskedMultiheadAttention(nn.MultiheadAttention):
    """Multi-head attention that uses only the weights that its masks keep.

    It takes over the parameters of the layer that it is made from, which stays as it was: torch's
    `in_proj_weight` (queries, keys and values stacked) or the three apart, and `out_proj.weight`.
    Masks take part in every pass, and so in the gradients.

    Args:
        layer: The layer to take over.
        masks: True for each weight that stays, by the name of the weight; others stay whole.

    >>> import torch
    >>> attention = nn.MultiheadAttention(4, 2)
    >>> masks = {"out_proj.weight": torch.zeros(4, 4, dtype=torch.bool)}
    >>> tokens = torch.ones(3, 1, 4)
    >>> y, _ = MaskedMultiheadAttention(attention, masks)(tokens, tokens, tokens)
    >>> bool((y == attention.out_proj.bias).all())
    True
    """

    def __init__(self, layer: nn.MultiheadAttention, masks: Masks) -> None:
        super().__init__(
            layer.embed_dim,
            layer.num_heads,
            layer.dropout,
            layer.in_proj_bias is not None,
            layer.bias_k is not None,
            layer.add_zero_attn,
            layer.kdim,
            layer.vdim,
            layer.batch_first,
            device="meta",  # nothing is allocated, nothing drawn
        )
        take_over(self, layer, masks)

    def forward(
        self,
        query: Tensor,  # nested ones have no shape that could be checked
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend; arguments and outputs are those of `torch.nn.MultiheadAttention`."""
        if query.is_nested:  # how torch's encoder hands on a padded batch, in evaluation mode alone
            return super().forward(query, key, value, need_weights=need_weights)
        turned = self.batch_first and query.dim() == 3  # without a batch there is no axis to turn
        if turned:
            query, key, value = (t.transpose(0, 1) for t in (query, key, value))
        y, weights = functional.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            masked(self, "in_proj_weight"),
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            masked(self, "out_proj.weight"),  # pyright: ignore[reportArgumentType]
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=masked(self, "q_proj_weight"),
            k_proj_weight=masked(self, "k_proj_weight"),
            v_proj_weight=masked(self, "v_proj_weight"),
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (y.transpose(0, 1) if turned else y), weights

    def train(self, mode: bool = True) -> "MaskedMultiheadAttention":
        """Change the mode; in evaluation mode dropped weights are stored as zeros.

        In evaluation torch's Transformer layers read these weights themselves, without the masks.
        """
        if not mode:
            zero_dropped(self)
        return super().train(mode)

    def cost(self, x_shape: tuple[int, ...]) -> Cost:  # noqa: ARG002
        """Weights stored without their zeros; the MACs are dense and left to the counter."""
        return Cost(weight_bits=stored_bits(self))
