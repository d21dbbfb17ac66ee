"""From the parts of a setlist to its plan: defaults, names, seeds."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from conductor.chat.poll import Asking
from conductor.controllers.shelf import find_map
from conductor.setlist.audience import chat_of, poll_of
from conductor.setlist.banks import bank_of
from conductor.setlist.look import theme_of
from conductor.setlist.obsparts import obs_of
from conductor.setlist.oscpart import osc_of
from conductor.setlist.outputs import destinations_of
from conductor.setlist.parts import ControlsPart, MidiPart, PromptPart, SetlistPart, SoundPart
from conductor.setlist.plan import Controls, Cue, Endless, Setlist
from conductor.setlist.players import folder_of, variants_of
from conductor.setlist.radioparts import radio_of
from conductor.setlist.values import AUTO, MAX_SEED
from conductor.setlist.watching import watching_of
from streaming.midi.out import CHANNELS, MidiRoute
from streaming.soundfonts.sf2 import SYNTH


def _slug(text: str) -> str:
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-")


def _controls(part: ControlsPart, defaults: ControlsPart) -> Controls:
    """Return what a part says, or the defaults; `key: null` takes a default back."""
    said = {
        name: getattr(part if name in part.model_fields_set else defaults, name) for name in ControlsPart.model_fields
    }
    nothing = Controls()
    return Controls(
        key=said["key"],
        density=said["density"],
        energy=said["energy"],
        tempo_bpm=said["tempo"],
        form=said["form"] or nothing.form,
        silence_s=said["silence"] or nothing.silence_s,
    )


def build(parts: SetlistPart, path: Path) -> Setlist:
    """Return the plan of a setlist whose parts are right each by itself.

    Args:
        parts: as written.
        path: of the file; other files are named from its folder.
    """
    taken = {cue.id for cue in parts.cues if cue.id}
    cues: list[Cue] = []
    polls: list[Asking] = []
    for index, part in enumerate(parts.cues, start=1):
        style = part.style if "style" in part.model_fields_set else parts.defaults.style
        name = part.name or (str(style) if style else "Untitled").replace("_", " ").title()
        cue_id = part.id or _slug(name) or f"cue-{index}"
        while not part.id and cue_id in taken:
            cue_id = f"{cue_id}-{index}"
        taken.add(cue_id)
        # No seed given: one of its own that is the same at every start.
        seed = zlib.crc32(f"{parts.show.title}/{cue_id}".encode()) % MAX_SEED if part.seed is None else part.seed
        if part.poll:
            polls.append(Asking(cue_id, tuple(part.poll.styles), part.poll.seconds))
        prompt = part.prompt or PromptPart.model_construct()
        follow = part.follow or parts.defaults.follow
        if index == 1 and follow.kind == "morph":
            follow = AUTO
        cues.append(
            Cue(
                id=cue_id,
                number=part.number or str(index),
                name=name,
                style=style,
                instruments=parts.defaults.instruments if part.instruments is None else part.instruments,
                controls=_controls(part, parts.defaults),
                opening=str((path.parent / prompt.midi).resolve()) if prompt.midi else prompt.opening,
                opening_notes=prompt.notes,
                opening_s=prompt.seconds,
                opening_tokens=prompt.tokens,
                seed=seed,
                duration_s=part.duration or parts.defaults.duration,
                candidates=part.candidates or parts.defaults.candidates,
                follow=follow,
                scene=part.obs.scene if part.obs else None,
                bank=_bank(part.sound, parts, path),
                variants=variants_of(parts.sound.variants, part.sound.variants if part.sound else None),
                expression=parts.defaults.expression if part.expression is None else part.expression,
                notes=part.notes,
            )
        )
    endless = None
    if wish := parts.endless:
        endless = Endless(
            styles=tuple(wish.styles.items()),
            instruments=parts.defaults.instruments if wish.instruments is None else wish.instruments,
            duration_s=wish.duration or parts.defaults.duration,
            candidates=wish.candidates or parts.defaults.candidates,
            controls=_controls(wish, parts.defaults),
            seed=wish.seed,
            radio=radio_of(wish, parts.show.title),
            bank=_bank(wish.sound, parts, path),
            variants=variants_of(parts.sound.variants, wish.sound.variants if wish.sound else None),
            expression=parts.defaults.expression if wish.expression is None else wish.expression,
            poll=poll_of(wish.poll),
        )
    loudness = (parts.show.loudness.lufs, parts.show.loudness.dbtp)
    watching = watching_of(parts.webrtc, path.parent)
    stream = destinations_of(parts.stream, path.parent)
    title, ahead, midi = parts.show.title, parts.show.ahead, _midi(parts.midi)
    patches, theme = folder_of(parts.sound.patches, path.parent), theme_of(parts.show.theme, path.parent)
    obs, controllers = obs_of(parts.obs), tuple(find_map(name, path.parent) for name in parts.controllers)
    return Setlist(
        title, tuple(cues), endless, ahead, path, midi, loudness, watching, stream, patches, obs, theme, controllers,
        osc_of(parts.osc), chat=chat_of(parts.chat, path.parent), polls=tuple(polls),
    )  # fmt: skip


def _bank(own: SoundPart | None, parts: SetlistPart, path: Path) -> str:
    return bank_of((own and own.bank) or parts.sound.bank or SYNTH, path.parent)


def _midi(wish: MidiPart | None) -> MidiRoute | None:
    if wish is None:
        return None
    return MidiRoute(wish.port, wish.channels or CHANNELS, wish.clock, wish.latency, wish.programs)
