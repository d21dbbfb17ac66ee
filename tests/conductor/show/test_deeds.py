"""What the rules ask for is carried out, but for the beginning of a piece while the show fades to its end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from conductor import cues as c
from conductor import wire
from conductor.show.deeds import Deeds
from conductor.show.lifetime import Lifetime


@pytest.mark.parametrize("ending", [False, True])
async def test_nothing_begins_once_the_show_is_ending(ending: bool) -> None:
    sent: list[wire.Message] = []
    crew: Any = SimpleNamespace(send=lambda _, message: sent.append(message))
    nobody: Any = None
    lifetime = Lifetime()
    deeds = Deeds(crew, nobody, nobody, nobody, lifetime, nobody, nobody, fast=False)
    if ending:
        lifetime.ending.set()
    for action in (c.Play(3, 0.8), c.QueueUp((4,), 1.0), c.FadeNow(2.0)):
        deeds.do(action)
    begin: list[wire.Message] = [wire.Go(3, 0.8, 0.0), wire.Follow([4], 1.0, [])]
    assert sent == [*([] if ending else begin), wire.Fade(2.0)]
