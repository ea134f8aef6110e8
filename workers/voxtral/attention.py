"""Attention of grouped heads: several query heads share the keys and values of one head, which are never repeated.

Shapes: queries (rows, query heads, tokens, depth); keys and values (rows, heads, tokens, depth).
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def causal(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Return the attention of the last tokens of a sequence over all of its tokens up to each of them.

    Args:
        query: the queries of the last tokens, as many as there are, or fewer than there are keys.
        keys: the keys of the whole sequence.
        values: the values of the whole sequence.
    """
    count, total = query.shape[2], keys.shape[2]
    grouped = query.shape[1] != keys.shape[1]
    if count == total:
        return F.scaled_dot_product_attention(query, keys, values, is_causal=True, enable_gqa=grouped)
    visible = torch.ones(count, total, dtype=torch.bool, device=query.device).tril(total - count)
    return F.scaled_dot_product_attention(query, keys, values, attn_mask=visible, enable_gqa=grouped)


def fold(query: Tensor, heads: int) -> Tensor:
    """Return queries with those of each head's group side by side, shape (rows, heads, group x tokens, depth)."""
    rows, _, _, depth = query.shape
    return query.reshape(rows, heads, -1, depth)


def partial(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the attention over some of the keys, and the logarithm of the sum of its weights, for `merged`.

    Args:
        query: folded queries, shape (rows, heads, queries, depth).
        keys: the keys.
        values: the values.
        mask: added to the scores, in float32, shape (rows, 1, queries, keys); None lets every query see every key.

    Returns:
        The attention, shape of `query`, and its weights' logarithm in float32, shape (rows, heads, queries).
    """
    if query.device.type == "cpu":
        # PyTorch's public function computes this logarithm and drops it. Products of its own are 4 to 9 times slower
        # than this kernel in bfloat16 on a CPU with AMX.
        output, weight = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            query.contiguous(), keys, values, attn_mask=mask
        )
        return output, weight
    scores = (query @ keys.transpose(2, 3)).float() * query.shape[-1] ** -0.5
    if mask is not None:
        scores += mask
    weight = scores.logsumexp(-1)
    return (scores - weight.unsqueeze(-1)).exp().to(values.dtype) @ values, weight


def merged(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> Tensor:
    """Return the attention over two sets of keys from that over each, as `partial` returns it.

    The identity is that of FlashAttention's split keys (Dao et al., 2023, https://arxiv.org/abs/2307.08691).
    """
    share = torch.sigmoid(one[1] - other[1]).unsqueeze(-1)
    return torch.lerp(other[0].float(), one[0].float(), share).to(one[0].dtype)
