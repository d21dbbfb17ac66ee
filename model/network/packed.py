"""Linear layers whose weights lie as the processor's library reads them.

A plain layer has its weights laid out anew at every call, which for a few rows
takes several times as long as the multiplication. Where there is no compiled
decoder, torch composes with these.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from model.network.transformer import Transformer

# Rows for which the layout is chosen.
ROWS = 8


class PackedLinear(nn.Module):
    """x w^T in bfloat16, w [outputs, inputs] laid out once.

    Source: oneDNN by way of torch's own operators, as its compiler uses them.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach().to(torch.bfloat16), ROWS)

    def forward(self, x: Tensor) -> Tensor:
        """Return the product, shape [..., outputs]."""
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.packed, None, "none", [], "")
        return y


def can_pack(model: Transformer) -> bool:
    """Return whether a model's numbers and this processor are those that the library takes."""
    return next(model.parameters()).dtype == torch.bfloat16 and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def packed(model: Transformer) -> Transformer:
    """Return a copy of a model whose blocks multiply with packed weights; it cannot be trained."""
    out = copy.deepcopy(model)
    for block in out.blocks:
        for part in list(block.modules()):
            for name, child in list(part.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(part, name, PackedLinear(child.weight))
    return out
