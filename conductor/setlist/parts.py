"""The keys of a setlist, part by part."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from conductor.setlist.audience import ChatPart, CuePollPart, PollPart
from conductor.setlist.obsparts import CueObsPart, ObsPart
from conductor.setlist.oscpart import OscPart
from conductor.setlist.outputs import DestinationPart, Destinations
from conductor.setlist.part import Part
from conductor.setlist.radioparts import ArcPart, DaypartPart, IdentPart, RadioKeys, VarietyPart
from conductor.setlist.values import (
    AUTO,
    DEFAULT_DURATION_S,
    Candidates,
    Channels,
    Density,
    Duration,
    Energy,
    Expression,
    FollowValue,
    Instruments,
    Key,
    Latency,
    Seconds,
    Seed,
    Silence,
    StyleValue,
    Tempo,
    Text,
)
from conductor.setlist.watching import PasswordPart, TurnPart, WebrtcPart
from streaming.picture.themefile import DEFAULT


class LoudnessPart(Part):
    """`show.loudness`."""

    lufs: Annotated[float, Field(ge=-30, le=-8)] = -14.0
    dbtp: Annotated[float, Field(ge=-9, le=-0.5)] = -1.0


class ShowPart(Part):
    """`show`."""

    title: Annotated[str, Field(min_length=1, max_length=200)] = "Untitled show"
    loudness: LoudnessPart = LoudnessPart()
    ahead: Annotated[int, Field(ge=1, le=20)] = 2
    theme: Annotated[Text, Field(min_length=1, max_length=500)] = DEFAULT


class SoundPart(Part):
    """`sound` of a cue: which instruments play."""

    bank: Text | None = None
    variants: dict[str, Text] | None = None


class ShowSoundPart(SoundPart):
    """`sound`: which instruments play where a cue does not say otherwise."""

    patches: Text | None = None


class ControlsPart(Part):
    """How a piece should be: in `defaults`, in a cue, in `endless`."""

    key: Key = None
    density: Density = None
    energy: Energy = None
    tempo: Tempo | None = None
    form: Text | None = None
    silence: Silence | None = None


class DefaultsPart(ControlsPart):
    """`defaults`: for every cue that does not say otherwise."""

    style: StyleValue = None
    duration: Duration = DEFAULT_DURATION_S
    candidates: Candidates = 4
    follow: FollowValue = AUTO
    instruments: Instruments = ()
    expression: Expression = True


class PromptPart(Part):
    """`prompt`: music the piece begins with, one of a MIDI file, a shipped opening, and tokens."""

    midi: Text | None = None
    opening: Text | None = None
    tokens: str | None = None
    notes: Annotated[int, Field(ge=1, le=2000)] | None = None
    seconds: Seconds | None = None

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        said = [name for name in ("midi", "opening", "tokens") if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"give one of midi, opening and tokens, not {' and '.join(said) or 'none of them'}")
        return self


class CuePart(ControlsPart):
    """One of `cues`."""

    id: Text | None = None
    number: Text | None = None
    name: Text | None = None
    style: StyleValue = None
    instruments: Instruments | None = None
    prompt: PromptPart | None = None
    seed: Seed | None = None
    duration: Duration | None = None
    candidates: Candidates | None = None
    follow: FollowValue | None = None
    obs: CueObsPart | None = None
    sound: SoundPart | None = None
    expression: Expression | None = None
    notes: str = ""
    poll: CuePollPart | None = None


class EndlessPart(ControlsPart, RadioKeys):
    """`endless`."""

    styles: dict[str, Annotated[float, Field(gt=0, le=1000)]]
    instruments: Instruments | None = None
    duration: Duration | None = None
    candidates: Candidates | None = None
    sound: SoundPart | None = None
    expression: Expression | None = None
    seed: Seed | None = None
    poll: PollPart | None = None


class MidiPart(Part):
    """`midi`: a port that the show's notes are sent to."""

    port: Annotated[Text, Field(min_length=1)]
    channels: Channels | None = None
    clock: bool = False
    latency: Latency = 0.0
    programs: bool = False


class SetlistPart(Part):
    """The whole file."""

    version: Literal[1]
    show: ShowPart = ShowPart()
    sound: ShowSoundPart = ShowSoundPart()
    defaults: DefaultsPart = DefaultsPart()
    cues: list[CuePart] = Field(default=[])
    endless: EndlessPart | None = None
    midi: MidiPart | None = None
    obs: ObsPart = ObsPart()
    webrtc: WebrtcPart | None = None
    stream: Destinations = Field(default=[])
    osc: OscPart | None = None
    chat: ChatPart | None = None
    controllers: Annotated[list[Annotated[Text, Field(min_length=1)]], Field(max_length=16)] = Field(default=[])


# Which keys are known where, for "did you mean".
PARTS: dict[str, type[Part]] = {
    "": SetlistPart,
    "show": ShowPart,
    "loudness": LoudnessPart,
    "defaults": DefaultsPart,
    "cues": CuePart,
    "prompt": PromptPart,
    "obs": ObsPart,
    "sound": ShowSoundPart,
    "endless": EndlessPart,
    "variety": VarietyPart,
    "arc": ArcPart,
    "dayparts": DaypartPart,
    "ident": IdentPart,
    "midi": MidiPart,
    "osc": OscPart,
    "chat": ChatPart,
    "poll": PollPart,
    "token": PasswordPart,
    "webrtc": WebrtcPart,
    "stream": DestinationPart,
    "turn": TurnPart,
    "password": PasswordPart,
}
