"""What a checked setlist says: cues as planned, and what is drawn when they are over."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from conductor.chat.plan import ChatPlan, PollPlan
from conductor.chat.poll import Asking
from conductor.osc.plan import OscPlan
from conductor.radio.plan import Radio
from conductor.setlist.players import Variants
from conductor.setlist.values import AUTO, DEFAULT_DURATION_S, Follow
from model.composing.blend import Style, plain_style, style_of
from model.composing.course import Course, density_of, energy_of
from model.composing.prompt import Prompt
from streaming.midi.out import MidiRoute
from streaming.obs.wanted import NO_WISH, ObsPlan
from streaming.picture.themefile import DEFAULT
from streaming.programme.ice import ANYBODY, Watching
from streaming.publishing.destination import Destination
from streaming.soundfonts.sf2 import SYNTH


@dataclass(frozen=True, slots=True)
class Controls:
    """How a piece should be; None leaves it to the model.

    Attributes:
        key: such as `D_minor`.
        density: notes a second, over time.
        energy: mean velocity, over time.
        tempo_bpm: quarter notes a minute.
        form: order of its sections.
        silence_s: the longest silence.
    """

    key: str | None = None
    density: Course | None = None
    energy: Course | None = None
    tempo_bpm: float | None = None
    form: str = "auto"
    silence_s: float = 2.0

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        courses = {
            name: course and course.plain for name, course in (("density", self.density), ("energy", self.energy))
        }
        return {**{f.name: getattr(self, f.name) for f in fields(self)}, **courses}

    @classmethod
    def of(cls, values: dict[str, Any]) -> Controls:
        """Return the controls that `as_dict` told."""
        return cls(**{**values, "density": density_of(values["density"]), "energy": energy_of(values["energy"])})


@dataclass(frozen=True, slots=True)
class Cue:
    """One piece of the show, as planned.

    Attributes:
        id: unique in the show.
        number: as the operator calls it.
        name: for the audience.
        style: one of the vocabulary, a blend, a change; None leaves it to the model.
        instruments: names of single instruments; empty leaves it to the model.
        controls: how the piece should be.
        opening: MIDI file, or name of a shipped opening, that the piece begins with.
        opening_notes: how many of its notes; None: all that fit.
        opening_s: how many of its seconds.
        opening_tokens: text of tokens the piece begins with.
        seed: 0 to 2**31 - 1.
        duration_s: length wanted.
        candidates: how many takes the composer chooses from.
        follow: how it starts.
        scene: OBS scene to show while it plays.
        bank: path of the SoundFont that plays it, or `synth`.
        variants: of instruments, before what the style says.
        expression: whether it is played as people would, or exactly as written.
        notes: for the operator.
        drawn: whether the endless part drew it, in place of a person.
        ident: what the station says of itself on a card, while it plays; empty: nothing.
    """

    id: str
    number: str
    name: str
    style: Style | None = None
    instruments: tuple[str, ...] = ()
    controls: Controls = Controls()
    opening: str | None = None
    opening_notes: int | None = None
    opening_s: float | None = None
    opening_tokens: str | None = None
    seed: int = 0
    duration_s: float = DEFAULT_DURATION_S
    candidates: int = 4
    follow: Follow = AUTO
    scene: str | None = None
    bank: str = SYNTH
    variants: Variants = ()
    expression: bool = True
    notes: str = ""
    drawn: bool = False
    ident: str = ""

    def prompt(self, seed: int) -> Prompt:
        """Return what the composer is asked for."""
        return Prompt(
            style=self.style,
            instruments=self.instruments,
            duration_s=self.duration_s,
            candidates=self.candidates,
            seed=seed,
            opening=self.opening,
            opening_notes=self.opening_notes,
            opening_s=self.opening_s,
            opening_tokens=self.opening_tokens,
            title=self.name,
            **{f.name: getattr(self.controls, f.name) for f in fields(self.controls)},
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, but for how it starts."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "follow"}
        return {**plain, "style": plain_style(self.style), "controls": self.controls.as_dict()}

    @classmethod
    def of(cls, values: dict[str, Any]) -> Cue:
        """Return the cue that `as_dict` told."""
        return cls(
            **{
                **values,
                "style": style_of(values["style"]),
                "instruments": tuple(values["instruments"]),
                "variants": tuple((name, variant) for name, variant in values.get("variants", ())),
                "controls": Controls.of(values["controls"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Endless:
    """What is drawn when the list is over.

    Attributes:
        styles: (style, weight) pairs; weights above 0.
        instruments: as in `Cue`.
        duration_s: length of each piece.
        candidates: takes a piece is chosen from.
        controls: as in `Cue`.
        seed: of the drawing; None: another order at every start.
        poll: when the audience is asked for a style; None: never by itself.
        bank, variants, expression: as in `Cue`.
        radio: how they are drawn.
    """

    styles: tuple[tuple[str, float], ...]
    instruments: tuple[str, ...] = ()
    duration_s: float = DEFAULT_DURATION_S
    candidates: int = 4
    controls: Controls = Controls()
    seed: int | None = None
    poll: PollPlan | None = None
    bank: str = SYNTH
    variants: Variants = ()
    expression: bool = True
    radio: Radio = field(default=Radio())


@dataclass(frozen=True, slots=True)
class Setlist:
    """A checked setlist.

    Attributes:
        ahead: how many pieces are composed before their moment.
        template: what a cue is that says nothing.
        midi: where notes go, too.
        loudness: of the programme in LUFS, and its ceiling in dBTP.
        watching: who may watch by WebRTC, and how they are reached.
        stream: where the programme is published.
        obs: what OBS is to do besides.
        patches: folder of patches of the show's own; None: those of the program.
        theme: of the picture: one that comes with the program, or the path of its file.
        controllers: maps of the MIDI controllers it is led by.
        osc: where show controllers that speak OSC are heard; None: nowhere.
        chat: where the audience is read; None: nowhere.
        polls: cues whose style the audience chooses.
        text: of the file that it was read from.
    """

    title: str
    cues: tuple[Cue, ...]
    endless: Endless | None = None
    ahead: int = 2
    path: Path = Path("setlist.yaml")
    template: Cue = field(default=Cue("", "", ""), kw_only=True)
    midi: MidiRoute | None = None
    loudness: tuple[float, float] = (-14.0, -1.0)
    watching: Watching = ANYBODY
    stream: tuple[Destination, ...] = ()
    patches: Path | None = None
    obs: ObsPlan = NO_WISH
    theme: str = DEFAULT
    controllers: tuple[Path, ...] = ()
    osc: OscPlan | None = None
    chat: ChatPlan | None = None
    polls: tuple[Asking, ...] = ()
    text: bytes = field(default=b"", repr=False, compare=False)

    @property
    def banks(self) -> list[str]:
        """The SoundFonts it asks for, the first one first."""
        asked = [cue.bank for cue in self.cues] + ([self.endless.bank] if self.endless else [])
        return [bank for bank in dict.fromkeys(asked) if bank != SYNTH]
