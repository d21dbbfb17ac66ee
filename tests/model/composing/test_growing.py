"""Growing: by a form, in stretches, the weak replaced on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from model.composing.candidate import Candidate
from model.composing.form import sections
from model.composing.growing import Growing, stretches
from model.composing.sampler import Sampler, Watch
from model.composing.settings import Settings
from model.language.header import Header
from model.language.tokenizer import decode
from model.language.vocabulary import VOCABULARY
from model.network.transformer import Transformer
from model.notes import Piece
from tests.model.making import SHORT_SIGHTED, lively

HEADER = Header(style="bach", groups=("piano",), tempo_bpm=120.0, performed=False, beats_per_bar=4.0)
ASKED = Settings(32.0, ("piano", "violin"), HEADER, candidates=4, seed=5, closes=True)


@pytest.fixture(name="sampler", scope="module")
def _sampler() -> Sampler:
    model: Transformer = lively(SHORT_SIGHTED)
    return Sampler(model, threads=1)


def level(candidates: Sequence[Candidate], start_s: float) -> list[float]:
    del start_s
    return [0.0] * len(candidates)


def grown(sampler: Sampler, form: str = "A B A A'", **changed: object) -> list[Candidate]:
    asked = replace(ASKED, **changed)  # type: ignore[arg-type]
    plan = stretches(sections(form, asked.length_s))
    return Growing(sampler, asked, plan, level).grow(Watch())


def test_long_sections_are_grown_in_stretches_of_half_a_minute() -> None:
    plan = stretches(sections("A B", 240.0))
    assert [(s.start_s, s.end_s, s.opens) for s in plan] == [(30.0 * n, 30.0 * (n + 1), n in (0, 4)) for n in range(8)]


def test_what_is_waited_for_begins_with_short_stretches() -> None:
    plan = stretches(sections("free", 120.0, 30.0), 30.0, at_once=True)
    assert [(s.start_s, s.end_s) for s in plan][:2] == [(30.0, 38.0), (38.0, 54.0)]
    assert plan[-1].end_s == 120.0
    assert all(a.end_s == b.start_s for a, b in pairwise(plan))


def test_sections_begin_on_bar_lines_and_the_theme_comes_back_with_its_letter(sampler: Sampler) -> None:
    for candidate in grown(sampler):
        letters, ticks = zip(*candidate.marks, strict=True)
        assert letters == ("A", "B", "A", "A'")
        # Bars of 2 s; where nothing is brought back a wait may pass the line.
        assert (ticks[2] % 200, ticks[3] % 200) == (0, 0)
        piece = decode(candidate.head + candidate.tokens)
        assert piece.duration_s == 32.0
        themes = [bar(piece, tick) for tick in range(0, 800, 200)]
        assert bar(piece, ticks[2]) in themes
        assert bar(piece, ticks[3]) in themes


def bar(piece: Piece, tick: int) -> list[tuple[int, int, str]]:
    """Return what is struck in the 1.9 s from a bar line on."""
    inside = [n for n in piece.notes if tick / 100 <= n.onset_s + 0.001 < tick / 100 + 1.9]
    return [(round(n.onset_s * 100) - tick, n.pitch, n.instrument) for n in inside]


def test_the_same_seed_is_the_same_music(sampler: Sampler) -> None:
    assert [c.tokens for c in grown(sampler)] == [c.tokens for c in grown(sampler)]


def test_a_weak_candidate_gives_its_place_to_a_good_one_and_some_choice_is_left(sampler: Sampler) -> None:
    asked = replace(ASKED, length_s=64.0)

    def hear(candidates: Sequence[Candidate], start_s: float) -> list[float]:
        del start_s
        return [9.0 if c.lineage == 2 else 0.0 if c.lineage == 0 else 5.0 for c in candidates]

    found = Growing(sampler, asked, stretches(sections("A B", 64.0)), hear).grow(Watch())
    lineages = [c.lineage for c in found]
    assert lineages.count(2) == 2
    assert 0 not in lineages
    first, second = (c for c in found if c.lineage == 2)
    shared = next(n for n, (a, b) in enumerate(zip(first.tokens, second.tokens, strict=False)) if a != b)
    # They part where the stretch ended.
    assert 3000 <= VOCABULARY.wait_ticks[first.tokens[:shared]].sum() <= 3400
    assert sorted(c.number for c in found) == [0, 1, 2, 3]


def test_settled_music_is_told_and_everyone_goes_on_from_it(sampler: Sampler) -> None:
    asked = replace(ASKED, length_s=64.0)
    told: list[tuple[list[int], float]] = []
    plan = stretches(sections("free", 64.0), at_once=True)
    found = Growing(sampler, asked, plan, level, lambda c, until_s: told.append((list(c.tokens), until_s))).grow(
        Watch()
    )
    assert len(told) == len(plan) - 1
    # As far as the wait that passes the line.
    assert all(
        stretch.end_s <= until_s < stretch.end_s + 1.3 for (_, until_s), stretch in zip(told, plan, strict=False)
    )
    for tokens, _ in told:
        assert all(candidate.tokens[: len(tokens)] == tokens for candidate in found)
    assert len({tuple(c.tokens) for c in found}) == len(found)


def test_asked_to_finish_every_piece_closes_soon_and_properly(sampler: Sampler) -> None:
    asked = replace(ASKED, length_s=600.0)
    told: list[float] = []
    watch = Watch(lambda _, seconds: told.append(seconds), finish=lambda: bool(told) and told[-1] > 4 * 12)
    found = Growing(sampler, asked, stretches(sections("song", 600.0)), level).grow(watch)
    for candidate in found:
        piece = decode(candidate.head + candidate.tokens)
        assert candidate.grammar.ended
        assert 12 < piece.duration_s < 40
        last = max(n.onset_s for n in piece.notes)
        chord = [n for n in piece.notes if n.onset_s == last]
        assert {n.offset_s for n in chord} == {piece.duration_s}
        assert piece.duration_s - last > 1


def test_styles_are_blended_and_change_over_time(sampler: Sampler) -> None:
    from model.composing.blend import style_of

    plain = grown(sampler, "free", length_s=10.0, candidates=1)[0].tokens
    headers = (("bach", HEADER), ("folk", replace(HEADER, style="folk")))
    whole = style_of({"bach": 1.0})
    assert grown(sampler, "free", length_s=10.0, candidates=1, style=whole, headers=headers)[0].tokens == plain
    half = style_of({"bach": 0.5, "folk": 0.5})
    assert grown(sampler, "free", length_s=10.0, candidates=1, style=half, headers=headers)[0].tokens != plain
    late = style_of({"from": "bach", "to": "folk", "over": 1})
    changed = grown(sampler, "free", length_s=10.0, candidates=1, style=late, headers=headers, changes_s=5.0)[0].tokens
    parts = next(n for n, (a, b) in enumerate(zip(changed, plain, strict=False)) if a != b)
    assert VOCABULARY.wait_ticks[plain[:parts]].sum() >= 490
