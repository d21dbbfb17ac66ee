"""A Llama of our shape with random weights, for runtimes that cannot run our own model.

Layers, width, heads, key-value heads, head size, feed-forward width and vocabulary are ours;
keys and values are shared as ours are and input and output share a table. What it lacks are our
windows, the places' embeddings and the normed queries and keys: it reads less per token
outside attention, and more in it.

Source: Touvron et al. (2023), LLaMA; names of weights as in Hugging Face's checkpoints.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from model.network.config import Config
from model.network.transformer import ROPE_BASE
from tests.bench.decoders.case import VOCABULARY_SIZE

EPSILON = 1e-6


@functools.lru_cache(maxsize=1)
def weights(config: Config, seed: int = 0) -> dict[str, Tensor]:
    """Return random weights by name, float32; every one of them matters to the logits."""
    random = torch.Generator().manual_seed(seed)

    def matrix(rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, generator=random) / math.sqrt(columns)

    inner, shared = config.heads * config.head_size, config.kv_heads * config.head_size
    named = {"model.embed_tokens.weight": matrix(VOCABULARY_SIZE, config.width)}
    for layer in range(config.layers):
        shapes = {
            "self_attn.q_proj": (inner, config.width),
            "self_attn.k_proj": (shared, config.width),
            "self_attn.v_proj": (shared, config.width),
            "self_attn.o_proj": (config.width, inner),
            "mlp.gate_proj": (config.hidden, config.width),
            "mlp.up_proj": (config.hidden, config.width),
            "mlp.down_proj": (config.width, config.hidden),
        }
        for name, shape in shapes.items():
            named[f"model.layers.{layer}.{name}.weight"] = matrix(*shape)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            named[f"model.layers.{layer}.{norm}.weight"] = torch.ones(config.width)
    return named | {"model.norm.weight": torch.ones(config.width)}


def prompt(tokens: int, seed: int = 0) -> list[int]:
    """Return a random prompt."""
    random = torch.Generator().manual_seed(seed)
    ids: list[int] = torch.randint(VOCABULARY_SIZE, (tokens,), generator=random).tolist()
    return ids


def settings(config: Config, context: int) -> dict[str, object]:
    """Return the shape in the words of Hugging Face's LlamaConfig.

    Args:
        config: our shape.
        context: positions there must be room for.
    """
    return {
        "vocab_size": VOCABULARY_SIZE,
        "hidden_size": config.width,
        "intermediate_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_size,
        "max_position_embeddings": context,
        "rms_norm_eps": EPSILON,
        "rope_parameters": {"rope_type": "default", "rope_theta": ROPE_BASE},
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": None,
    }
