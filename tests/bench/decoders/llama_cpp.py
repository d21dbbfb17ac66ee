"""The peer: llama.cpp, a Llama of our shape, with its unified cache in which candidates share a prompt."""

from __future__ import annotations

import functools
import importlib
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.network.config import Config
from model.network.transformer import ROPE_BASE
from tests.bench.decoders import llama
from tests.bench.decoders.case import VOCABULARY_SIZE, Case, threads

# Numbers of the weights, how attention is computed, and whether weights are laid out anew for
# the processor's matrix unit (AMX), which on some machines crashes (ggml-org/llama.cpp#20824).
VARIANTS = ("bf16 flash", "bf16 plain", "q8_0 flash", "q8_0 plain", "q8_0 flash repacked")
# The prompt is read in pieces of so many tokens.
PIECE = 512
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def make(case: Case, variant: str) -> LlamaCpp:
    """Return the decoder of a case in one of its variants."""
    return LlamaCpp(case, variant)


def interleaved(weight: Tensor, heads: int) -> Tensor:
    """Return rows of queries or keys so that the two halves of a rotation lie side by side, as llama.cpp turns them."""
    rows, columns = weight.shape
    return weight.view(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns)


def convert(case: Case, numbers: str, path: Path) -> None:
    """Write the Llama of a case as GGUF.

    Args:
        case: whose shape.
        numbers: of the matrices, `bf16` or `q8_0`; norms stay float32.
        path: of the file.
    """
    gguf: Any = importlib.import_module("gguf")

    config = case.config
    kind = {"bf16": gguf.GGMLQuantizationType.BF16, "q8_0": gguf.GGMLQuantizationType.Q8_0}[numbers]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(2 * config.context)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.hidden)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_layer_norm_rms_eps(llama.EPSILON)
    writer.add_rope_dimension_count(config.head_size)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_vocab_size(VOCABULARY_SIZE)
    writer.add_tokenizer_model("no_vocab")
    for name, weight in llama.weights(config).items():
        table = _named(name, weight, config)
        if weight.dim() == 1:
            writer.add_tensor(table[0], table[1])
        else:
            writer.add_tensor(table[0], gguf.quantize(table[1], kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _named(name: str, weight: Tensor, config: Config) -> tuple[str, NDArray[np.float32]]:
    """Return a weight's name and rows as llama.cpp knows them."""
    if name == "model.embed_tokens.weight":
        return "token_embd.weight", weight.numpy()
    if name == "model.norm.weight":
        return "output_norm.weight", weight.numpy()
    layer, own = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
    if own.endswith("q_proj"):
        weight = interleaved(weight, config.heads)
    elif own.endswith("k_proj"):
        weight = interleaved(weight, config.kv_heads)
    return f"blk.{layer}.{NAMES[own]}.weight", weight.numpy()


@functools.lru_cache(maxsize=1)
def _model(shape: str, numbers: str, repacked: bool) -> Any:
    """Return a model that llama.cpp has read."""
    llama_cpp: Any = importlib.import_module("llama_cpp")

    llama_cpp.llama_backend_init()
    with tempfile.TemporaryDirectory(prefix="llama-cpp-") as folder:
        path = Path(folder) / "model.gguf"
        convert(Case(shape, 1, 1, 1), numbers, path)
        settings = llama_cpp.llama_model_default_params()
        settings.use_extra_bufts = repacked
        settings.n_gpu_layers = 0
        return llama_cpp.llama_model_load_from_file(str(path).encode(), settings)


class LlamaCpp:
    """`llama_decode`, greedy: the prompt is read once as sequence 0 and shared with the others."""

    def __init__(self, case: Case, variant: str) -> None:
        llama_cpp: Any = importlib.import_module("llama_cpp")

        numbers, attention, *repacked = variant.split()
        self.lib: Any = llama_cpp
        self.case = case
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = case.context + case.batch * (case.tokens + 2)
        settings.n_batch = settings.n_ubatch = PIECE
        settings.n_seq_max = case.batch
        settings.n_threads = settings.n_threads_batch = threads()
        settings.flash_attn_type = (
            llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
            if attention == "flash"
            else llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        settings.kv_unified = True
        settings.no_perf = True
        self.context = llama_cpp.llama_init_from_model(_model(case.shape, numbers, bool(repacked)), settings)
        self.memory = llama_cpp.llama_get_memory(self.context)
        self.batch = llama_cpp.llama_batch_init(PIECE, 0, case.batch)
        prompt = llama.prompt(case.context)
        for start in range(0, case.context, PIECE):
            piece = prompt[start : start + PIECE]
            self._read(piece, range(start, start + len(piece)), [0] * len(piece))
        self.first = int(np.argmax(self._logits(1, at=-1)))
        self.tokens = torch.zeros(case.batch, 0, dtype=torch.long)

    def __del__(self) -> None:
        self.lib.llama_batch_free(self.batch)
        self.lib.llama_free(self.context)

    def _read(self, tokens: list[int], positions: range | list[int], sequences: list[int] | range) -> None:
        batch = self.batch
        batch.n_tokens = len(tokens)
        last = len(tokens) - 1
        for n, (token, position, sequence) in enumerate(zip(tokens, positions, sequences, strict=True)):
            batch.token[n], batch.pos[n] = token, position
            batch.n_seq_id[n], batch.seq_id[n][0] = 1, sequence
            # Of a prompt the last logits are wanted, of a step all.
            batch.logits[n] = n == last or isinstance(sequences, range)
        if self.lib.llama_decode(self.context, batch) != 0:
            raise RuntimeError("llama.cpp could not decode")

    def _logits(self, rows: int, at: int | None = None) -> NDArray[np.float32]:
        pointer = (
            self.lib.llama_get_logits(self.context) if at is None else self.lib.llama_get_logits_ith(self.context, at)
        )
        return np.ctypeslib.as_array(pointer, shape=(rows, VOCABULARY_SIZE))

    def go(self) -> list[float]:
        """Go on from the prompt; return the seconds of each step."""
        case = self.case
        for sequence in range(case.batch):
            self.lib.llama_memory_seq_rm(self.memory, sequence, case.context if sequence == 0 else -1, -1)
        for sequence in range(1, case.batch):
            self.lib.llama_memory_seq_cp(self.memory, 0, sequence, 0, case.context)
        tokens = [self.first] * case.batch
        heard, seconds = [tokens], []
        for step in range(case.tokens):
            began = time.perf_counter()
            self._read(tokens, [case.context + step] * case.batch, range(case.batch))
            tokens = np.argmax(self._logits(case.batch), axis=-1).tolist()
            seconds.append(time.perf_counter() - began)
            heard.append(tokens)
        self.tokens = torch.tensor(heard).T
        return seconds
