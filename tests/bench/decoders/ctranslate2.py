"""The peer: CTranslate2, a Llama of our shape in int8."""

from __future__ import annotations

import importlib
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from model.network.transformer import ROPE_BASE
from tests.bench.decoders import llama
from tests.bench.decoders.case import VOCABULARY_SIZE, Case, threads

# What is beside the weights is computed in float32: it has int8 with bfloat16 on GPUs alone.
# Keys and values are shared among heads, or written out for each head, which computes the same:
# shared ones it copies for every head at every step. The last variant also reads the prompt anew
# for each candidate and turn, instead of keeping it as the static prompt.
VARIANTS = ("int8 shared", "int8 each head", "int8 each prompt")


def make(case: Case, variant: str) -> CTranslate2:
    """Return the decoder of a case in one of its variants."""
    return CTranslate2(case, variant)


def convert(case: Case, folder: Path, *, shared: bool) -> None:
    """Write the Llama of a case as a CTranslate2 model, float32; it is quantised as it is read.

    Args:
        case: whose shape.
        folder: where to.
        shared: whether heads share keys and values as they do in the shape.
    """
    specs: Any = importlib.import_module("ctranslate2.specs")

    config, weights = case.config, {name: w.numpy() for name, w in llama.weights(case.config).items()}
    spec: Any = specs.TransformerDecoderModelSpec.from_config(
        config.layers,
        config.heads,
        activation=specs.common_spec.Activation.SWISH,
        ffn_glu=True,
        rms_norm=True,
        rotary_dim=0,
        rotary_interleave=False,
        rotary_base=ROPE_BASE,
        num_heads_kv=config.kv_heads if shared and config.kv_heads < config.heads else None,
    )
    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = decoder.projection.weight = weights["model.embed_tokens.weight"]
    decoder.layer_norm.gamma = weights["model.norm.weight"]
    for n, layer in enumerate(decoder.layer):
        own = {name.removeprefix(f"model.layers.{n}.").removesuffix(".weight"): w for name, w in weights.items()}
        query, *others = (own[f"self_attn.{part}_proj"] for part in "qkv")
        if not shared:
            heads = [w.reshape(config.kv_heads, config.head_size, config.width) for w in others]
            others = [w.repeat(config.heads // config.kv_heads, axis=0).reshape(query.shape) for w in heads]
        layer.self_attention.layer_norm.gamma = own["input_layernorm"]
        layer.self_attention.linear[0].weight = np.concatenate([query, *others])
        layer.self_attention.linear[1].weight = own["self_attn.o_proj"]
        layer.ffn.layer_norm.gamma = own["post_attention_layernorm"]
        layer.ffn.linear_0.weight = own["mlp.gate_proj"]
        layer.ffn.linear_0_noact.weight = own["mlp.up_proj"]
        layer.ffn.linear_1.weight = own["mlp.down_proj"]
    spec.config.layer_norm_epsilon = llama.EPSILON
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = "0"
    spec.register_vocabulary([str(token) for token in range(VOCABULARY_SIZE)])
    spec.validate()
    spec.optimize()
    spec.save(str(folder))


class CTranslate2:
    """`generate_batch`, greedy, on from a prompt that it keeps as its static prompt."""

    def __init__(self, case: Case, variant: str) -> None:
        ctranslate2: Any = importlib.import_module("ctranslate2")

        with tempfile.TemporaryDirectory(prefix="ctranslate2-") as folder:
            numbers, _, keys = variant.partition(" ")
            convert(case, Path(folder), shared=keys == "shared")
            self.generator = ctranslate2.Generator(
                folder, compute_type=numbers, inter_threads=1, intra_threads=threads()
            )
        self.case, self.keeps = case, keys != "each prompt"
        self.prompt = [str(token) for token in llama.prompt(case.context)]
        self.tokens: list[list[int]] = []
        if self.keeps:
            # The first call reads the prompt and keeps what came of it.
            self.go()

    def go(self) -> list[float]:
        """Go on from the prompt; return the seconds of each step."""
        stamps: dict[int, float] = {}

        def stamp(step: Any) -> bool:
            # Of all candidates the last one's time counts.
            stamps[step.step] = time.perf_counter()
            return False

        kept = len(self.prompt) - 1 if self.keeps else 0
        results = self.generator.generate_batch(
            [self.prompt[kept:]] * self.case.batch,
            static_prompt=self.prompt[:kept] or None,
            include_prompt_in_result=False,
            max_length=self.case.tokens + 1,
            min_length=self.case.tokens + 1,
            callback=stamp,
        )
        self.tokens = [result.sequences_ids[0] for result in results]
        ends = [stamps[step] for step in sorted(stamps)]
        return [after - before for before, after in pairwise(ends)]
