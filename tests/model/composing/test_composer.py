"""The composer: a prompt in, the best of several candidates out, with where it comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.composing.composer import Composer, Take, critic_of
from model.composing.prompt import Prompt
from model.critic.network import Critic, CriticCard, digest, save_critic
from model.errors import CheckpointError, ComposingCancelledError, PromptError
from model.midi import write_midi
from model.network.checkpoint import Card, fingerprint, load, save
from model.notes import Note, Piece, TempoMark
from tests.model.making import lively, tune

ASKED = Prompt(style="bach", instruments=("piano", "drums"), duration_s=6.0, candidates=3, seed=4, title="Dawn")


@pytest.fixture(name="composer", scope="module")
def _composer(tiny_checkpoint: Path) -> Composer:
    return Composer(tiny_checkpoint)


@pytest.fixture(name="take", scope="module")
def _take(composer: Composer) -> Take:
    return composer.compose(ASKED)


def test_a_take_is_the_piece_that_was_asked_for(take: Take) -> None:
    piece = take.piece
    assert len(piece.notes) > 3
    assert 3.0 < piece.duration_s <= 6.0 + 0.1
    assert set(piece.instruments) <= {"piano", "drums"}
    assert (piece.title, piece.style) == ("Dawn", "bach")


def test_the_best_candidate_is_chosen(take: Take) -> None:
    assert len(take.judgements) == 3
    assert take.judgements[take.chosen].score == max(j.score for j in take.judgements)


def test_a_take_says_where_it_comes_from(take: Take, tiny_checkpoint: Path) -> None:
    story = take.provenance
    assert story["checkpoint"] == fingerprint(tiny_checkpoint)
    assert Prompt.of(story["prompt"]) == ASKED
    assert story["chosen"] == take.chosen
    assert [c["score"] for c in story["candidates"]] == [j.score for j in take.judgements]


def test_it_can_be_composed_again_from_its_story(take: Take, tiny_checkpoint: Path) -> None:
    again = Composer(tiny_checkpoint).compose(Prompt.of(take.provenance["prompt"]))
    assert again.piece == take.piece
    assert [j.score for j in again.judgements] == [j.score for j in take.judgements]


@pytest.fixture(name="judged", scope="module")
def _judged(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("judged") / "tiny.safetensors"
    path.write_bytes(tiny_checkpoint.read_bytes())
    generator, _ = load(path)
    critic = Critic(generator)
    torch.manual_seed(0)
    torch.nn.init.normal_(critic.out.weight)
    save_critic(critic_of(path), critic, CriticCard(fingerprint(path), digest(generator), trained=1))
    return path


class TestACritic:
    def test_beside_the_checkpoint_is_asked_of_every_candidate(self, judged: Path, take: Take) -> None:
        again = Composer(judged).compose(ASKED)
        liking = [j.critic for j in again.judgements]
        assert None not in liking
        assert len(set(liking)) == 3
        assert [j.critic for j in take.judgements] == [None] * 3
        assert [j.nats_per_token for j in again.judgements] == [j.nats_per_token for j in take.judgements]
        fewest = min(len(j.faults) for j in again.judgements)
        best = max(j.critic for j in again.judgements if j.critic is not None and len(j.faults) == fewest)
        assert again.judgements[again.chosen].critic == best

    def test_of_another_checkpoint_is_refused(self, judged: Path, tmp_path: Path) -> None:
        other = lively(seed=5)
        save(tmp_path / "other.safetensors", other, Card(other.config))
        with pytest.raises(CheckpointError, match="judges the music of checkpoint"):
            Composer(tmp_path / "other.safetensors", critic_of(judged))


def test_a_tempo_asked_for_is_the_pieces(composer: Composer) -> None:
    piece = composer.compose(replace(ASKED, tempo_bpm=91.0, candidates=1)).piece
    assert piece.tempi[0] == TempoMark(0.0, 90.0)


class TestAnOpening:
    def test_is_gone_on_from(self, composer: Composer, tmp_path: Path) -> None:
        theme = Piece(tuple(Note(n * 0.25, 60 + n, "piano", 0.25, 72) for n in range(12)), (TempoMark(0.0, 100.0),))
        write_midi(theme, tmp_path / "theme.mid")
        asked = replace(ASKED, opening=str(tmp_path / "theme.mid"), opening_notes=6, candidates=1)
        piece = composer.compose(asked).piece
        assert [(n.onset_s, n.pitch) for n in piece.notes if n.onset_s < 1.2] == [(k / 4, 60 + k) for k in range(5)]
        assert (1.25, 65) in {(n.onset_s, n.pitch) for n in piece.notes}
        assert piece.tempi[0].bpm == 100.0
        assert len(piece.notes) > 6

    def test_without_a_number_of_notes_is_half_of_the_piece_at_most(self, composer: Composer, tmp_path: Path) -> None:
        write_midi(tune(30.0), tmp_path / "tune.mid")
        asked = replace(ASKED, opening=str(tmp_path / "tune.mid"), candidates=1)
        piece = composer.compose(asked).piece
        theme = [n for n in tune(30.0).notes if n.onset_s < 3.0]
        assert {(n.onset_s, n.pitch) for n in theme} <= {(n.onset_s, n.pitch) for n in piece.notes}
        assert piece.duration_s <= 6.0 + 0.1

    def test_as_long_as_the_piece_is_refused(self, composer: Composer, tmp_path: Path) -> None:
        write_midi(tune(30.0), tmp_path / "tune.mid")
        asked = replace(ASKED, opening=str(tmp_path / "tune.mid"), opening_notes=100)
        with pytest.raises(
            PromptError, match=r"tune\.mid: its first 100 notes .* ask for fewer notes or a longer piece"
        ):
            composer.compose(asked)


def test_a_style_the_checkpoint_has_not_learned_is_refused(composer: Composer) -> None:
    with pytest.raises(PromptError, match="style 'jazz' is not known to the checkpoint; it knows bach, folk"):
        composer.compose(replace(ASKED, style="jazz"))


def test_composing_can_be_cancelled(composer: Composer) -> None:
    with pytest.raises(ComposingCancelledError):
        composer.compose(ASKED, cancelled=lambda: True)


def test_no_checkpoint_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        Composer(tmp_path / "none.safetensors")
