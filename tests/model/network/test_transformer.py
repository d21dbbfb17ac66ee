"""The transformer: composing token by token says what reading all at once says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from model.instruments import INSTRUMENTS
from model.language.context import CHORD, COUNTDOWN_S, PARTS
from model.language.sounding import SOUNDING
from model.language.vocabulary import VOCABULARY
from model.network.cache import Cache
from model.network.config import PRESETS, Config
from model.network.transformer import Places, Transformer, time_features
from tests.model.making import SHORT_SIGHTED, lively

# A window of 8 in the first layer, the whole context in the second.
NARROW = Config(layers=2, width=64, heads=4, kv_heads=2, context=128, window=8, full_every=2, hidden=96)
# Every layer sees 8 tokens: two layers reach 14 tokens back.
BLIND = Config(layers=2, width=64, heads=2, kv_heads=1, context=128, window=8, full_every=99, hidden=96)
# The last 8 tokens and every 8th before.
STRIDED = replace(NARROW, sparse="strided")
# Summaries of two columns: the heads read different ones.
FIXED = replace(NARROW, sparse="fixed", window=32)
ALTERNATE = replace(NARROW, sparse="alternate", layers=5, full_every=3)
SHAPES = {
    "narrow": NARROW,
    "blind": BLIND,
    "tiny": SHORT_SIGHTED,
    "strided": STRIDED,
    "fixed": FIXED,
    "alternate": ALTERNATE,
}


def some(rows: int, tokens: int, seed: int = 0) -> tuple[Tensor, Places]:
    torch.manual_seed(seed)
    ids = torch.randint(len(VOCABULARY), (rows, tokens))
    ticks = torch.randint(0, 40, (rows, tokens)).cumsum(1)
    places = Places(
        ticks,
        ticks / 50,
        torch.randint(CHORD, (rows, tokens)),
        torch.randint(PARTS, (rows, tokens)),
        torch.randint(COUNTDOWN_S, (rows, tokens)),
        torch.randint(2, (rows, tokens)),
        torch.rand((rows, tokens, SOUNDING)),
    )
    return ids, places


def cut(places: Places, where: slice) -> Places:
    return Places._make(field[:, where] for field in places)


@pytest.fixture(name="model", scope="module", params=SHAPES)
def _model(request: pytest.FixtureRequest) -> Transformer:
    return lively(SHAPES[request.param])


@torch.no_grad()
@pytest.mark.parametrize("chunks", [[1] * 30, [20] + [1] * 10, [3, 9, 1, 16, 1], [30], [50] + [1] * 20], ids=str)
def test_reading_in_steps_is_reading_at_once(model: Transformer, chunks: list[int]) -> None:
    ids, places = some(2, sum(chunks))
    whole = model(ids, places)
    cache = Cache(model.config, 2, sum(chunks))
    table, done = model.table(), 0
    for chunk in chunks:
        here = slice(done, done + chunk)
        logits = model.step(ids[:, here], cut(places, here), cache, table)
        done += chunk
        torch.testing.assert_close(logits, whole[:, done - 1], atol=1e-4, rtol=1e-4)
    assert cache.length == sum(chunks)
    # Not vacuous: the blocks have their say.
    assert (whole - whole[:, :1]).abs().max() > 0.1


@torch.no_grad()
def test_the_future_never_changes_the_past(model: Transformer) -> None:
    ids, places = some(1, 40)
    other, elsewhere = some(1, 40, seed=1)
    before = model(ids, places)
    mixed_ids = torch.cat([ids[:, :25], other[:, 25:]], 1)
    mixed = Places._make(torch.cat([a[:, :25], b[:, 25:]], 1) for a, b in zip(places, elsewhere, strict=True))
    after = model(mixed_ids, mixed)
    torch.testing.assert_close(after[:, :25], before[:, :25], atol=1e-5, rtol=1e-5)
    assert (after[:, 25:] - before[:, 25:]).abs().amax(dim=2).min() > 1e-3


@torch.no_grad()
def test_the_past_is_heard_as_far_as_the_windows_reach() -> None:
    ids, places = some(1, 40)
    changed = ids.clone()
    changed[0, 10] = (changed[0, 10] + 1) % len(VOCABULARY)
    for config, last in ((NARROW, 39), (BLIND, 24)):
        model = lively(config)
        differs = (model(ids, places) - model(changed, places)).abs().amax(dim=2)[0] > 1e-6
        assert torch.nonzero(differs).flatten().tolist() == list(range(10, last + 1))


@torch.no_grad()
@pytest.mark.parametrize(("sparse", "heard"), [("strided", {10, 18, 26, 34}), ("fixed", set())])
def test_a_sparse_layer_hears_the_past_here_and_there(sparse: str, heard: set[int]) -> None:
    model = lively(replace(NARROW, layers=1, full_every=99, sparse=sparse))
    ids, places = some(1, 40)
    before = model(ids, places)
    # Place 10 is in the middle of its block; place 15 ends it.
    for changed, expected in ((10, heard), (15, set(range(15, 40)) if sparse == "fixed" else {15, 23, 31, 39})):
        other = ids.clone()
        other[0, changed] = (other[0, changed] + 1) % len(VOCABULARY)
        differs = (model(other, places) - before).abs().amax(dim=2)[0] > 1e-6
        near = set(range(changed, 16 if sparse == "fixed" else changed + 8))
        assert set(torch.nonzero(differs).flatten().tolist()) == near | expected


@torch.no_grad()
@pytest.mark.parametrize("field", Places._fields)
def test_every_word_about_the_place_is_heard(field: str) -> None:
    model = lively()
    ids, places = some(1, 8)
    said: Tensor = getattr(places, field)
    other = (said + 1) % 2 if field == "given" else torch.where(said > 0, said - 1, 1)
    assert (model(ids, places._replace(**{field: other})) - model(ids, places)).abs().max() > 1e-3


@torch.no_grad()
def test_rows_of_a_batch_do_not_hear_each_other(model: Transformer) -> None:
    ids, places = some(3, 20)
    alone = model(ids[1:2], Places._make(f[1:2] for f in places))
    torch.testing.assert_close(model(ids, places)[1:2], alone, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_rows_that_are_kept_go_on_as_if_the_others_had_never_been() -> None:
    model = lively(NARROW)
    ids, places = some(3, 21)
    table = model.table()
    cache = Cache(NARROW, 3, 21)
    model.step(ids[:, :20], cut(places, slice(0, 20)), cache, table)
    rows = torch.tensor([2, 0])
    cache.keep_rows(rows)
    rest = Places._make(f[rows][:, 20:] for f in places)
    logits = model.step(ids[rows][:, 20:], rest, cache, table)
    torch.testing.assert_close(logits, model(ids, places)[rows, -1], atol=1e-4, rtol=1e-4)


def test_time_has_no_end_and_repeats_with_its_periods() -> None:
    ticks, beats = torch.tensor([[0, 7, 60_000]]), torch.tensor([[0.0, 1.5, 400.0]])
    features = time_features(ticks, beats)
    assert features.abs().max() <= 1.0
    later = time_features(ticks + 2**14, beats + 48)
    torch.testing.assert_close(later, features, atol=1e-3, rtol=0)


def test_the_loss_is_the_mean_surprise_of_what_counts() -> None:
    model = lively()
    ids, places = some(2, 12)
    targets, weights = ids.roll(-1, 1), torch.zeros(2, 12)
    weights[0, 3], weights[1, 7] = 1.0, 1.0
    with torch.no_grad():
        own = model(ids, places).log_softmax(-1)
        expected = -(own[0, 3, targets[0, 3]] + own[1, 7, targets[1, 7]]) / 2
        torch.testing.assert_close(model.loss(ids, places, targets, weights), expected)
        assert model.loss(ids, places, targets, torch.zeros(2, 12)) == 0.0


def test_every_weight_learns() -> None:
    model = lively().train()
    ids, places = some(2, 40)
    model.loss(ids, places, ids.roll(-1, 1), torch.ones(2, 40)).backward()  # type: ignore[no-untyped-call]
    still = [n for n, w in model.named_parameters() if w.grad is None or not bool(w.grad.abs().sum() > 0)]
    assert still == []


def test_a_fresh_model_is_equally_surprised_by_everything() -> None:
    torch.manual_seed(0)
    model = Transformer(PRESETS["tiny"])
    ids, places = some(2, 40)
    with torch.no_grad():
        loss = model.loss(ids, places, ids.roll(-1, 1), torch.ones(2, 40))
    assert abs(float(loss) - float(torch.tensor(float(len(VOCABULARY))).log())) < 0.1


def test_notes_of_one_pitch_share_what_they_consist_of() -> None:
    table = lively().table
    with torch.no_grad():
        before = table()
        table.pitch[60] += 1.0
        moved = (table() - before).abs().sum(1) > 0
    said = {VOCABULARY.texts[n].split(":")[2] for n in torch.nonzero(moved).flatten().tolist()}
    assert said == {"C4"}
    assert int(moved.sum()) == sum(len(i.levels) + i.sustains for i in INSTRUMENTS if i.low <= 60 <= i.high)


def test_large_looks_back_by_turns() -> None:
    kinds = [PRESETS["large"].layer_pattern(layer).kind for layer in range(12)]
    # Full layers do not disturb the turns.
    assert kinds[:4] == ["strided", "fixed", "strided", "causal"]
    assert kinds[4:8] == ["fixed", "strided", "fixed", "causal"]
    assert kinds[8:] == kinds[:4]
    assert {PRESETS["large"].layer_window(layer) for layer in range(36)} == {0}
    for name in ("tiny", "small", "base", "musenet"):
        assert {PRESETS[name].layer_pattern(layer).kind for layer in range(PRESETS[name].layers)} <= {
            "causal",
            "window",
        }


def test_a_shape_of_before_there_were_patterns_is_one_with_windows() -> None:
    fields = NARROW.as_dict()
    assert "sparse" not in fields
    assert Config(**fields) == NARROW
    assert Config(**STRIDED.as_dict()) == STRIDED != NARROW
    with pytest.raises(ValueError, match=r"^sparse: 'dense'"):
        replace(NARROW, sparse="dense")


@pytest.mark.parametrize(("name", "layers"), [("small", [256, 256, 0, 256, 256, 0]), ("musenet", [0] * 72)])
def test_presets_look_back_as_said(name: str, layers: list[int]) -> None:
    config = PRESETS[name]
    assert [config.layer_window(n) for n in range(config.layers)] == layers
    assert config.head_size * config.heads == config.width
