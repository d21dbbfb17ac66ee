"""libfluidsynth, as far as the orchestra needs it: a SoundFont, and players of one note each.

The library is a system package (`libfluidsynth3` in Debian and Ubuntu) and is called directly, loaded at the first
use. What takes long lets go of the interpreter's lock; what is done for every note in every block keeps it, lest
each of those calls wait for another thread to give it back. A synthesizer of its own for every note costs little and
makes what one for all does not: notes begin on the sample, not every 64 samples; each is heard where we want it;
and what a note sounds like does not depend on those before it.

Source: FluidSynth API reference, https://www.fluidsynth.org/api/
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import math
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streaming.errors import SoundFontError, SynthError
from streaming.timeline import BLOCK_SAMPLES, SAMPLE_RATE

# What happens to a note while it sounds takes effect where the next of these begins, from its start on.
CHUNK_SAMPLES = 64
INSTALL = "apt-get install libfluidsynth3"
_VOICES = 16
_GEN_DELAY, _GEN_RELEASE, _GEN_ATTENUATION, _GEN_CLASS = 33, 38, 48, 57
# Attenuation in centibels, pan in tenths of a percent, fine tuning in cents.
_TURNED = (_GEN_ATTENUATION, 17, 52)
_NO_DELAY = -32768.0
_MELODIC = 0
# What a player calls its note.
_NOTE = 1
_ERROR_LEVELS = (0, 1, 2, 3, 4)
# What its names stand for in the signatures below.
_TYPES: dict[str, Any] = {
    "p": ctypes.c_void_p, "i": ctypes.c_int, "u": ctypes.c_uint, "f": ctypes.c_float, "d": ctypes.c_double,
    "s": ctypes.c_char_p, "": None,
}  # fmt: skip
_SIGNATURES = {
    "new_fluid_settings": ("p", ""),
    "delete_fluid_settings": ("", "p"),
    "fluid_settings_setint": ("i", "psi"),
    "fluid_settings_setnum": ("i", "psd"),
    "new_fluid_synth": ("p", "p"),
    "delete_fluid_synth": ("", "p"),
    "fluid_set_log_function": ("p", "ipp"),
    "fluid_synth_sfload": ("i", "psi"),
    "fluid_synth_set_channel_type": ("i", "pii"),
    "fluid_synth_program_select": ("i", "piiii"),
    "fluid_synth_get_channel_preset": ("p", "pi"),
    "fluid_synth_start": ("i", "pupiiii"),
    "fluid_synth_stop": ("i", "pu"),
    "fluid_synth_all_sounds_off": ("i", "pi"),
    "fluid_synth_get_voicelist": ("", "ppii"),
    "fluid_synth_get_active_voice_count": ("i", "p"),
    "fluid_voice_gen_set": ("", "pif"),
    "fluid_voice_gen_get": ("f", "pi"),
    "fluid_voice_gen_incr": ("", "pif"),
    "fluid_voice_update_param": ("", "pi"),
    "fluid_synth_process": ("i", "piipip"),
}


@functools.cache
def library() -> ctypes.CDLL:
    """Return the loaded library.

    Raises:
        SynthError: it is not installed.
    """
    for name in (find_library("fluidsynth"), "libfluidsynth.so.3", "libfluidsynth.so.2"):
        try:
            loaded = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if loaded is not None:
            break
    else:
        raise SynthError(f"SoundFonts are played with FluidSynth, which is not installed; {INSTALL}")
    _sign(loaded)
    # It would tell of every oddity of a file on standard error; what stops us is an error of ours.
    for level in _ERROR_LEVELS:
        loaded.fluid_set_log_function(level, None, None)
    return loaded


@functools.cache
def _held() -> ctypes.PyDLL:
    """Return the library again: its calls keep the interpreter's lock."""
    held = ctypes.PyDLL(library()._name)
    _sign(held)
    return held


def _sign(loaded: ctypes.CDLL) -> None:
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(loaded, name)
        function.restype = _TYPES[result]
        function.argtypes = [_TYPES[kind] for kind in arguments]


class Outputs:
    """Where the sound of all notes is added up.

    Attributes:
        planar: float32 [2 x places, 256], left and right of each place.
    """

    def __init__(self, places: int) -> None:
        self.planar: NDArray[np.float32] = np.zeros((2 * places, BLOCK_SAMPLES), np.float32)
        rows = self.planar.ctypes.data + self.planar.strides[0] * np.arange(2 * places)
        # The addresses of all rows, from every sample on.
        self._at = rows[None].astype(np.uintp) + (4 * np.arange(BLOCK_SAMPLES, dtype=np.uintp))[:, None]
        self._first, (self._of_sample, self._of_row) = int(self._at.ctypes.data), self._at.strides

    def address(self, place: int, sample: int) -> int:
        """Return where the two addresses of a place lie, from a sample on."""
        return self._first + sample * self._of_sample + 2 * place * self._of_row


class _Synthesizer:
    """One of the library's synthesizers, dry, with one stereo output."""

    def __init__(self) -> None:
        self._lib = lib = library()
        self._settings = lib.new_fluid_settings()
        whole = {
            "synth.polyphony": _VOICES,
            # Rooms are ours, and so is whoever calls.
            "synth.reverb.active": 0,
            "synth.chorus.active": 0,
            "synth.threadsafe-api": 0,
        }
        for name, value in whole.items():
            self._set(name, value)
        lib.fluid_settings_setnum(self._settings, b"synth.sample-rate", float(SAMPLE_RATE))
        lib.fluid_settings_setnum(self._settings, b"synth.gain", 1.0)
        self._synth = lib.new_fluid_synth(self._settings)

    def _set(self, name: str, value: int) -> None:
        self._lib.fluid_settings_setint(self._settings, name.encode(), value)

    def close(self) -> None:
        """Give its memory back."""
        if self._synth is not None:
            self._lib.delete_fluid_synth(self._synth)
            self._lib.delete_fluid_settings(self._settings)
        self._synth = None


class Font(_Synthesizer):
    """A SoundFont in memory, as far as its presets were chosen.

    Args:
        path: of the file.

    Raises:
        SoundFontError: the library cannot read it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        # Only what is chosen is decoded and kept.
        self._set("synth.dynamic-sample-loading", 1)
        self._number = self._lib.fluid_synth_sfload(self._synth, str(path).encode(), 0)
        self._chosen = 0
        if self._number < 0:
            self.close()
            raise SoundFontError(f"{path}: damaged, it cannot be loaded; fetch it again")

    def choose(self, bank: int, program: int) -> int | None:
        """Load a preset and return its handle, None where it cannot be had; at most 16 are kept."""
        channel = self._chosen
        self._lib.fluid_synth_set_channel_type(self._synth, channel, _MELODIC)
        if self._lib.fluid_synth_program_select(self._synth, channel, self._number, bank, program) != 0:
            return None
        self._chosen += 1
        preset: int | None = self._lib.fluid_synth_get_channel_preset(self._synth, channel)
        return preset


class Player(_Synthesizer):
    """Plays one note at a time of a SoundFont.

    Args:
        outputs: where its sound is added.
    """

    def __init__(self, outputs: Outputs) -> None:
        super().__init__()
        self._lib = _held()
        self._outputs = outputs
        self._scratch = Outputs(1)
        self._found = (ctypes.c_void_p * _VOICES)()
        self._place = self._made = self._end = 0
        self._turned = (0.0, 0.0, 0.0)

    def start(self, preset: int, key: int, velocity: int, *, attenuation_db: float, place: int) -> bool:
        """Begin a note with the next sample that is rendered; return whether it has a sound.

        Args:
            preset: a handle of the font's; the font is closed after its players.
            key: 0 to 127.
            velocity: 1 to 127.
            attenuation_db: 0 or more, taken from its level.
            place: of the outputs.
        """
        self.silence()
        if not self._begin(preset, key, velocity):
            return False
        # A voice begins at the volume of the one that was in its slot before, and moves to its own within a
        # chunk. So the note is begun twice, and the first time not heard.
        for voice in self._voices():
            self._lib.fluid_voice_gen_set(voice, _GEN_DELAY, _NO_DELAY)
            self._lib.fluid_voice_update_param(voice, _GEN_DELAY)
        self._pass(CHUNK_SAMPLES)
        self.silence()
        self._begin(preset, key, velocity)
        for voice in self._voices():
            # In centibels.
            self._lib.fluid_voice_gen_incr(voice, _GEN_ATTENUATION, 10.0 * attenuation_db)
            self._lib.fluid_voice_update_param(voice, _GEN_ATTENUATION)
        self._hand_over()
        self._place, self._made, self._end = place, 0, 0
        self._turned = (0.0, 0.0, 0.0)
        return True

    @property
    def exclusive_class(self) -> int:
        """Notes of the same instrument and class end each other; 0: none."""
        classes = (self._lib.fluid_voice_gen_get(voice, _GEN_CLASS) for voice in self._voices())
        return int(max(classes, default=0.0))

    def stop(self) -> None:
        """Let go of the key."""
        self._lib.fluid_synth_stop(self._synth, _NOTE)

    def hurry(self, seconds: float) -> None:
        """Give the note another release."""
        for voice in self._voices():
            self._lib.fluid_voice_gen_set(voice, _GEN_RELEASE, 1200 * math.log2(seconds))
            self._lib.fluid_voice_update_param(voice, _GEN_RELEASE)
        self._hand_over()

    def turn(self, gain_db: float, place: float, cents: float) -> None:
        """Play the note louder, elsewhere, or at another pitch than it began; the library slides there.

        Args:
            gain_db: added to its level.
            place: -1 left to 1 right of where it is.
            cents: added to its pitch.
        """
        wanted = (-10.0 * gain_db, 500.0 * place, cents)
        for voice in self._voices():
            for generator, value, before in zip(_TURNED, wanted, self._turned, strict=True):
                if value != before:
                    self._lib.fluid_voice_gen_incr(voice, generator, value - before)
                    self._lib.fluid_voice_update_param(voice, generator)
        self._turned = wanted
        self._hand_over()

    def render(self, first: int, samples: int) -> bool:
        """Add the next samples to the outputs, from a sample of the block on; return whether more is to come."""
        self._lib.fluid_synth_process(self._synth, samples, 0, None, 2, self._outputs.address(self._place, first))
        self._made += samples
        if self._lib.fluid_synth_get_active_voice_count(self._synth):
            return True
        # What has ended is still in the samples that are left of its last chunk.
        self._end = self._end or self._made + -self._made % CHUNK_SAMPLES
        return self._made < self._end

    def silence(self) -> None:
        """End whatever sounds, and be ready for a note."""
        self._lib.fluid_synth_all_sounds_off(self._synth, -1)
        self._pass(-self._made % CHUNK_SAMPLES + CHUNK_SAMPLES)
        self._made = 0

    def _begin(self, preset: int, key: int, velocity: int) -> bool:
        started = self._lib.fluid_synth_start(self._synth, _NOTE, preset, 0, 0, key, velocity) == 0
        return started and bool(self._voices())

    def _pass(self, samples: int) -> None:
        """Let time pass that nobody hears."""
        self._lib.fluid_synth_process(self._synth, samples, 0, None, 2, self._scratch.address(0, 0))

    def _voices(self) -> list[int]:
        self._lib.fluid_synth_get_voicelist(self._synth, self._found, _VOICES, _NOTE)
        return list(itertools.takewhile(lambda v: v is not None, self._found))

    def _hand_over(self) -> None:
        """Let what was set at single voices reach the sound, as leaving any call to the synthesizer does."""
        self._lib.fluid_synth_get_active_voice_count(self._synth)
