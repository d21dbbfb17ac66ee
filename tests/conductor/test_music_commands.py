"""`conductor compose`, `encode` and `decode` as a user types them."""

from __future__ import annotations

import io
import os
import re
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import soundfile

from conductor.cli import main, make_parser
from conductor.commands.composing import prompt_of
from model.composing.prompt import Prompt
from model.midi import read_midi, write_midi
from model.notes import Piece
from model.openings.shelf import shipped
from tests.model.making import tune

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def midi(tmp_path: Path) -> Path:
    write_midi(tune(10.0), tmp_path / "tune.mid")
    return tmp_path / "tune.mid"


@pytest.fixture
def composing(tiny_checkpoint: Path) -> list[str]:
    return ["compose", "--checkpoint", str(tiny_checkpoint), "--threads", "1", "--seconds", "6", "--candidates", "2"]


def refusal(printed: Printed, *words: object) -> str:
    """Run a command that must fail; return the one line it says."""
    assert main([str(word) for word in words]) == 2
    out, err = printed.readouterr()
    assert out == ""
    assert err.startswith("conductor: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert "unexpected" not in err
    return err.removeprefix("conductor: ").strip()


def heard(piece: Piece) -> list[tuple[int, int, str]]:
    return sorted((round(n.onset_s * 100), n.pitch, n.instrument) for n in piece.notes)


class TestEncodeAndDecode:
    def test_a_midi_file_comes_back_from_its_tokens(self, midi: Path, printed_tokens: str, tmp_path: Path) -> None:
        (tmp_path / "tune.txt").write_text(printed_tokens)
        assert main(["decode", str(tmp_path / "tune.txt"), str(tmp_path / "back.mid")]) == 0
        assert heard(read_midi(tmp_path / "back.mid").piece) == heard(read_midi(midi).piece)

    def test_tokens_are_musenets_words(self, printed_tokens: str) -> None:
        assert re.match(r"bach piano_strings start tempo120 piano:v72:\w+ ", printed_tokens)
        assert printed_tokens.endswith(" end\n")

    def test_tokens_come_from_standard_input_too(
        self, printed_tokens: str, midi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(printed_tokens))
        assert main(["decode", "-", str(tmp_path / "back.mid")]) == 0
        assert heard(read_midi(tmp_path / "back.mid").piece) == heard(read_midi(midi).piece)

    @pytest.fixture
    def printed_tokens(self, midi: Path, capsys: Printed) -> str:
        assert main(["encode", str(midi), "--style", "bach"]) == 0
        return capsys.readouterr().out

    def test_what_cannot_be_read_is_refused_in_a_line(self, midi: Path, tmp_path: Path, capsys: Printed) -> None:
        (tmp_path / "corrupt.mid").write_bytes(b"MThd\x00\x00 nothing of the kind")
        (tmp_path / "empty.mid").write_bytes(b"")
        assert "none.mid" in refusal(capsys, "encode", tmp_path / "none.mid")
        assert "corrupt.mid" in refusal(capsys, "encode", tmp_path / "corrupt.mid")
        assert "empty.mid" in refusal(capsys, "encode", tmp_path / "empty.mid")
        assert str(tmp_path) in refusal(capsys, "encode", tmp_path)
        assert "did you mean chopin?" in refusal(capsys, "encode", midi, "--style", "chopan")

    @pytest.mark.parametrize(
        ("content", "line"),
        [
            (b"start piano:v80:C4\n wait:999", "line 2, column 2: unknown token 'wait:999'"),
            (b"start wait:10 end", "no notes in it"),
            (b"", "no notes in it"),
            (b"MThd\xff\xfe", "not a text file"),
        ],
    )
    def test_text_that_is_no_music_is_refused_with_its_place(
        self, tmp_path: Path, capsys: Printed, content: bytes, line: str
    ) -> None:
        (tmp_path / "tune.txt").write_bytes(content)
        said = refusal(capsys, "decode", tmp_path / "tune.txt", tmp_path / "out.mid")
        assert said.startswith(f"{tmp_path / 'tune.txt'}: {line}")
        assert not (tmp_path / "out.mid").exists()

    def test_places_that_cannot_be_written_are_refused_in_a_line(self, tmp_path: Path, capsys: Printed) -> None:
        (tmp_path / "tune.txt").write_text("start piano:v80:C4 wait:10")
        assert "there is no folder" in refusal(capsys, "decode", tmp_path / "tune.txt", tmp_path / "no" / "out.mid")
        assert "cannot write .wav" in refusal(capsys, "decode", tmp_path / "tune.txt", tmp_path / "out.wav")
        assert "none.txt" in refusal(capsys, "decode", tmp_path / "none.txt", tmp_path / "out.mid")


class TestCompose:
    def test_writes_a_midi_file_and_says_how_the_candidates_did(
        self, composing: list[str], tmp_path: Path, capsys: Printed
    ) -> None:
        out = tmp_path / "piece.mid"
        assert main([*composing, "--style", "bach", "--instruments", "piano, strings", "-o", str(out)]) == 0
        said = capsys.readouterr().out
        assert said.startswith(f"{out}: ")
        assert "chosen of 2" in said
        assert len(re.findall(r"^[* ] \d: score [-+]", said, re.MULTILINE)) == 2
        assert said.count("\n* ") == 1
        piece = read_midi(out).piece
        assert set(piece.instruments) <= {"piano", "violin", "cello"}
        assert f"{len(piece.notes)} notes" in said

    def test_the_same_seed_is_the_same_file_another_is_not(self, composing: list[str], tmp_path: Path) -> None:
        for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
            assert main([*composing, "--seed", seed, "-o", str(tmp_path / f"{name}.mid")]) == 0
        a, b, c = ((tmp_path / f"{name}.mid").read_bytes() for name in "abc")
        assert a == b
        assert a != c

    def test_goes_on_from_an_opening(self, composing: list[str], midi: Path, tmp_path: Path) -> None:
        out = tmp_path / "piece.mid"
        assert main([*composing, "--opening", str(midi), "--opening-notes", "6", "-o", str(out)]) == 0
        opening = heard(Piece(tune(10.0).notes[:6]))
        assert set(opening) <= set(heard(read_midi(out).piece))

    def test_writes_sound(self, composing: list[str], tmp_path: Path, capsys: Printed) -> None:
        out = tmp_path / "piece.wav"
        assert main([*composing, "-o", str(out)]) == 0
        said = capsys.readouterr().out
        assert re.search(r"-\d+\.\d LUFS, -\d+\.\d dBTP", said)
        sound, rate = soundfile.read(out)
        assert len(sound) / rate > 4.0
        assert abs(sound).max() > 0.01

    def test_writes_a_picture(self, composing: list[str], tmp_path: Path) -> None:
        out = tmp_path / "piece.png"
        assert main([*composing, "-o", str(out)]) == 0
        assert out.read_bytes().startswith(b"\x89PNG")

    @pytest.mark.parametrize(
        ("words", "line"),
        [
            (["--style", "chopan"], "did you mean chopin?"),
            (["--style", "jazz"], "style 'jazz' is not known to the checkpoint; it knows bach, folk"),
            (["--instruments", "pianno"], "did you mean piano?"),
            (["--seconds", "0"], "a length of 0 s; it can be 5 s to 30 min"),
            (["--candidates", "0"], "0 candidates"),
            (["--seed", "-1"], "a seed of -1"),
            (["--tempo", "7"], "a tempo of 7 bpm"),
            (["--temperature", "9"], "a temperature of 9"),
            (["--top-p", "0"], "top-p of 0"),
            (["--opening", "none.mid"], "none.mid: no such file"),
            (["--opening", "luluby"], "opening 'luluby' is unknown; did you mean lullaby?"),
            (["--opening", "gymnopedie", "--instruments", "organ"], "gymnopedie: it plays piano, none of the"),
            (["--opening-tokens", "start piano:v80:H4"], "opening tokens: line 1, column 7: unknown token"),
            (["--opening-tokens", "none.txt"], "none.txt: No such file or directory; give tokens or"),
            (["--opening-notes", "4"], "how much of an opening is said, but no opening"),
            (["--at", "4"], "going on from a piece needs both"),
            (["--at", "soon"], "'soon' is no time; write 90s"),
            (["--continue-from", "none.mid", "--at", "4"], "none.mid: no such file"),
            (["--key", "H moll"], "key 'H moll' is unknown"),
            (["--form", "sonata"], "form 'sonata' is unknown"),
            (["--form", "song"], "form 'song' has 4 sections, for which 6 s is too short"),
            (["--density", "0s:low,soon:high"], "'soon' is no time"),
            (["--energy", "0s:low,2s:loud"], "energy 'loud': write low, mid, high or a number"),
            (["--silence", "99"], "a silence of 99 s"),
            (["--style", "bach:0.5,jaz"], "style 'jaz' is not known to the checkpoint; did you mean jazz?"),
            (["--style", "bach:much,folk"], "style 'bach:much,folk': 'much' is no share"),
            (["--style", "bach>folk"], "style 'bach>folk': a change has two styles and a length"),
            (["--style", "bach>folk@0s"], "a change of style over 0 s; it can take 1 s to 30 min"),
            (["--checkpoint", "none.safetensors"], "none.safetensors: no such checkpoint"),
            (["--checkpoint", __file__], "not a checkpoint of this program"),
        ],
    )
    def test_what_cannot_be_composed_is_refused_in_a_line(
        self, composing: list[str], tmp_path: Path, capsys: Printed, words: list[str], line: str
    ) -> None:
        out = tmp_path / "piece.mid"
        assert line in refusal(capsys, *composing, "-o", out, *words)
        assert not out.exists()

    def test_a_corrupt_opening_is_refused_in_a_line(
        self, composing: list[str], tmp_path: Path, capsys: Printed
    ) -> None:
        (tmp_path / "corrupt.mid").write_bytes(b"MThd")
        out = tmp_path / "piece.mid"
        assert "corrupt.mid" in refusal(capsys, *composing, "--opening", tmp_path / "corrupt.mid", "-o", out)

    def test_a_place_that_cannot_be_written_is_refused_before_composing(
        self, composing: list[str], tmp_path: Path, capsys: Printed
    ) -> None:
        (tmp_path / "file").touch()
        assert "there is no folder" in refusal(capsys, *composing, "-o", tmp_path / "file" / "piece.mid")
        (tmp_path / "piece.mid").mkdir()
        assert "cannot write there" in refusal(capsys, *composing, "-o", tmp_path / "piece.mid")
        assert "cannot write .mp3; use .mid, .wav" in refusal(capsys, *composing, "-o", tmp_path / "piece.mp3")
        assert "a name without ending" in refusal(capsys, *composing, "-o", tmp_path / "piece")


class TestOpenings:
    def test_all_are_listed_with_what_they_are(self, capsys: Printed) -> None:
        assert main(["openings"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == len(shipped())
        assert any(re.match(r"gymnopedie +classical +piano +Erik Satie: Gymn", line) for line in lines)
        assert main(["openings", "--style", "folk"]) == 0
        assert {line.split()[1] for line in capsys.readouterr().out.splitlines()} == {"folk"}

    def test_one_says_where_it_comes_from(self, capsys: Printed) -> None:
        assert main(["openings", "clair-de-lune"]) == 0
        said = capsys.readouterr().out
        assert "Claude Debussy" in said
        assert "CC BY 4.0, cut from bytedance/GiantMIDI-Piano/" in said

    def test_one_is_written(self, tmp_path: Path) -> None:
        assert main(["openings", "soldiers-joy", "-o", str(tmp_path / "joy.mid")]) == 0
        assert heard(read_midi(tmp_path / "joy.mid").piece) == heard(read_midi(shipped()["soldiers-joy"].path).piece)
        assert main(["openings", "soldiers-joy", "-o", str(tmp_path / "joy.png")]) == 0
        assert (tmp_path / "joy.png").read_bytes().startswith(b"\x89PNG")

    def test_what_is_not_there_is_refused_in_a_line(self, tmp_path: Path, capsys: Printed) -> None:
        assert "did you mean greensleeves" in refusal(capsys, "openings", "greensleves")
        assert "no opening in the style 'rock'; there are openings in bach," in refusal(
            capsys, "openings", "--style", "rock"
        )
        assert "which opening?" in refusal(capsys, "openings", "-o", tmp_path / "x.mid")
        assert "cannot write .mp3" in refusal(capsys, "openings", "air", "-o", tmp_path / "x.mp3")


class TestWhatComposeIsAsked:
    """Options say the same as a setlist's values."""

    def asked(self, *words: str) -> dict[str, Any]:
        args = make_parser("compose").parse_args(["compose", "-o", "piece.mid", *words])
        return prompt_of(args).as_dict()

    def test_nothing_said_leaves_all_to_the_model(self) -> None:
        assert self.asked() == Prompt.of({"seed": 1}).as_dict()

    def test_all_of_it(self, midi: Path) -> None:
        words = [
            "--style", "chopin>jazz:2,folk:1@60s", "--key", "d minor", "--density", "0s:low,60s:12",
            "--energy", "high", "--form", "A B A", "--silence", "4", "--tempo", "96", "--minutes", "2",
            "--continue-from", str(midi), "--at", "0m5s",
        ]  # fmt: skip
        said = self.asked(*words)
        assert said["style"] == {"from": "chopin", "to": {"jazz": 0.666667, "folk": 0.333333}, "over": 60.0}
        assert (said["key"], said["density"], said["energy"]) == ("D_minor", {"0s": 2.5, "60s": 12.0}, 100.0)
        assert (said["form"], said["silence_s"], said["tempo_bpm"], said["duration_s"]) == ("A B A", 4.0, 96.0, 120.0)
        assert (said["continue_from"], said["at_s"]) == (str(midi), 5.0)

    def test_an_opening_and_how_much_of_it(self) -> None:
        said = self.asked("--opening", "air", "--opening-seconds", "8")
        assert (said["opening"], said["opening_s"], said["opening_notes"]) == ("air", 8.0, None)

    def test_tokens_come_from_the_line_or_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "tune.txt").write_text("start piano:v80:C4")
        for value in ("start piano:v80:C4", str(tmp_path / "tune.txt")):
            assert self.asked("--opening-tokens", value)["opening_tokens"] == "start piano:v80:C4"


def test_ctrl_c_ends_the_piece_where_it_is_and_writes_it(tmp_path: Path, tiny_checkpoint: Path) -> None:
    out = tmp_path / "cut.mid"
    arguments = [
        "compose",
        "--minutes",
        "30",
        "--candidates",
        "2",
        "--checkpoint",
        str(tiny_checkpoint),
        "-o",
        str(out),
    ]
    threading.Timer(4.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    before = signal.getsignal(signal.SIGINT)
    assert main([*arguments, "--form", "free", "--threads", "1"]) == 0
    assert signal.getsignal(signal.SIGINT) is before
    piece = read_midi(out).piece
    assert 1 < piece.duration_s < 1700
    last_s = max(note.onset_s for note in piece.notes)
    chord = [note.offset_s for note in piece.notes if note.onset_s > last_s - 0.01]
    assert max(chord) - last_s > 1, "it closes on a chord that rings"
