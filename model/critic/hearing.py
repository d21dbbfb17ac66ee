"""The critic's network in the compiled decoder: several rows at once, each on a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from kernels.native.engine import Decoder, Precision, Session
from model.critic.network import Critic
from model.critic.spans import MOST_TOKENS, Row
from model.network.decoding import native_decoder, stream


def judge_of(critic: Critic, precision: Precision) -> Callable[[Sequence[Row]], list[float]]:
    """Return what gives a logit for each row: the critic's weights as they are now, compiled where that can be."""
    shared = list(critic.generator.blocks)[: critic.first]
    decoder = native_decoder(
        critic.generator, precision, blocks=[*shared, *critic.blocks], norm=critic.pool.norm.weight
    )
    return critic.logits if decoder is None else _Hearing(critic, decoder).logits


class _Hearing:
    """Judges rows as `Critic.logits` does, in a part of the time."""

    def __init__(self, critic: Critic, decoder: Decoder) -> None:
        self.critic, self.decoder = critic, decoder
        self._pool = ThreadPoolExecutor(torch.get_num_threads())
        self._here = threading.local()

    def logits(self, rows: Sequence[Row]) -> list[float]:
        return list(self._pool.map(self._logit, rows))

    @torch.inference_mode()
    def _logit(self, row: Row) -> float:
        heard = torch.from_numpy(stream(self._session(len(row.tokens)), row.tokens, row.context))
        pooled = self.critic.pool.pooled(heard[None], torch.from_numpy(row.scored)[None])
        return float(self.critic.judged(pooled))

    def _session(self, tokens: int) -> Session:
        """Return this thread's own."""
        found: Session | None = getattr(self._here, "session", None)
        if found is None or found.capacity < tokens:
            found = self._here.session = self.decoder.session(1, max(tokens, MOST_TOKENS))
        return found
