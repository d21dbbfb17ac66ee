"""The peer: Hugging Face transformers' `generate`, a Llama of our shape."""

from __future__ import annotations

import copy
import time
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from tests.bench.decoders import llama
from tests.bench.decoders.case import Case

# Numbers it computes in, and whether its cache grows or is made once.
VARIANTS = ("bf16 dynamic", "bf16 static", "fp32 dynamic", "fp32 static")


def make(case: Case, variant: str) -> HF:
    """Return the decoder of a case in one of its variants."""
    return HF(case, variant)


class HF:
    """`generate`, greedy, on from a prompt's cache that was read once and is repeated for each candidate."""

    def __init__(self, case: Case, variant: str) -> None:
        from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, StaticCache

        numbers, kind = variant.split()
        config = LlamaConfig(**llama.settings(case.config, case.capacity + 1))
        self.model: Any = LlamaForCausalLM(config)
        self.model.load_state_dict(llama.weights(case.config), strict=False)
        self.model.eval().to(torch.bfloat16 if numbers == "bf16" else torch.float32)
        self.model.generation_config.pad_token_id = 0
        self.case = case
        self.prompt = torch.tensor([llama.prompt(case.context)])
        static = kind == "static"
        self.cache: Any = (
            StaticCache(config=config, max_cache_len=case.capacity + 1) if static else DynamicCache(config=config)
        )
        with torch.inference_mode():
            # `generate` reads the last token of the prompt itself.
            self.model(self.prompt[:, :-1], past_key_values=self.cache, use_cache=True, logits_to_keep=1)
            if static:
                for layer in self.cache.layers:
                    layer.keys = layer.keys.repeat_interleave(case.batch, dim=0)
                    layer.values = layer.values.repeat_interleave(case.batch, dim=0)
                    layer.max_batch_size = case.batch
            else:
                self.cache.batch_repeat_interleave(case.batch)
        self.tokens: Tensor | None = None

    def go(self) -> list[float]:
        """Go on from the prompt; return the seconds of each step."""
        stamps: list[float] = []

        def stamp(tokens_BT: Tensor, _: Tensor, **__: Any) -> Tensor:
            stamps.append(time.perf_counter())
            return torch.zeros(len(tokens_BT), dtype=torch.bool)

        with torch.inference_mode():
            out: Tensor = self.model.generate(
                self.prompt.expand(self.case.batch, -1),
                attention_mask=torch.ones(self.case.batch, self.case.context, dtype=torch.long),
                past_key_values=copy.deepcopy(self.cache),
                max_new_tokens=self.case.tokens + 1,
                do_sample=False,
                stopping_criteria=[stamp],
            )
        self.tokens = out[:, self.case.context :]
        return [after - before for before, after in pairwise(stamps)]
