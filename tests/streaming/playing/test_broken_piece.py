"""A piece that breaks while it plays, or as it begins: the programme goes on without it, and says so."""

from __future__ import annotations

import pytest

from streaming.playing.deck import Troubled
from streaming.playing.playout import BED, Begun, Over, Playout
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE
from tests.streaming.playing.test_playout import level_db, over, run, tune


class Broken:
    """Notes that cannot be had."""

    def take(self, _until: int) -> list[object]:
        raise ZeroDivisionError("no such note")


def test_a_piece_that_breaks_is_left_for_the_bed_without_a_missing_block() -> None:
    playout = Playout(bed=True)
    playout.load(1, tune(30.0), 30.0)
    playout.go(1)
    run(playout, 2.0)
    live = playout.decks.live
    assert live is not None
    live.timeline = Broken()  # type: ignore[assignment]
    before = playout.sample
    sound, news = run(playout, 4.0)
    assert playout.sample - before == len(sound), "its clock and the programme's are one"
    assert over(news, 1) >= before
    assert any(isinstance(n, Troubled) and "no such note" in n.text for n in news)
    assert any(isinstance(n, Begun) and n.number == BED for n in news)
    assert level_db(sound[-SAMPLE_RATE:]) > -50.0


def test_a_piece_that_breaks_as_it_begins_leaves_what_plays_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    playout = Playout(bed=True)
    for number in (1, 2):
        playout.load(number, tune(5.0), 5.0)
    real = playout.decks.put

    def put(deck: object, piece: object) -> None:
        if getattr(deck, "number", 0) == 1:
            raise ZeroDivisionError("no such voice")
        real(deck, piece)  # type: ignore[arg-type]

    monkeypatch.setattr(playout.decks, "put", put)
    playout.follow([2], 0.1)
    playout.go(1)
    _, news = run(playout, 1.0)
    assert any(isinstance(n, Begun) and n.number == 2 for n in news)
    assert not any(isinstance(n, Over) and n.number == 1 for n in news)


def test_what_is_wrong_without_any_piece_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    playout = Playout(bed=True)
    run(playout, BLOCK_SAMPLES * 4 / SAMPLE_RATE)

    def process(_strikes: object) -> None:
        raise ZeroDivisionError("no orchestra")

    monkeypatch.setattr(playout.orchestra, "process", process)
    with pytest.raises(ZeroDivisionError, match="no orchestra"):
        playout.step()
