"""What is heard when no player is: the last second turns into a quiet texture of itself, and that into music."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

Audio = npt.NDArray[np.float32]

TAIL_S = 1.0
FADE_OUT_S = 0.6
FADE_IN_S = 0.25
# After silence: a first note keeps its attack, and one that has begun does not click.
FADE_IN_FROM_SILENCE_S = 0.005
# A power of two (2.7 s): it is made at once, between two pictures.
BED_SAMPLES = 1 << 17
BED_GAIN_DB = -15.0
# Above this the bed falls by 12 dB an octave: a frozen chord hisses otherwise.
BED_CUTOFF_HZ = 1500.0
# A player that is back by then is met by the texture; after that the emergency bed comes in, over so long.
TURN_AFTER_S, TURN_S = 1.0, 2.0
# From the emergency bed back to the player.
BACK_S = 1.0
# The emergency bed under a player that gives nothing but silence, and away again.
UNDER_IN_S, UNDER_OUT_S = 1.5, 1.5
_SILENT = 1e-5


class Bridge:
    """Remembers what was heard last, and goes on from it without a click.

    The tail is played backwards (so it joins where the sound broke off) under a fade-out, while a bed fades in:
    the spectrum of the tail with random phases, which is periodic, so that it loops without a seam. Where a player
    stays away, the emergency bed takes over; where it is there and silent, that is laid under it.

    Args:
        sample_rate: in Hz.
        emergency: float32 [samples, 2], a loop; None: the texture goes on for ever.
    """

    def __init__(self, sample_rate: int, emergency: Audio | None = None) -> None:
        self._rate = sample_rate
        self._emergency = emergency
        # Under a silent player: how loud, and how far into the loop.
        self._under, self._under_at = 0.0, 0
        self._tail: deque[Audio] = deque()
        self._tail_samples = 0
        # While bridging: the reversed tail, the bed, and how far both have been played.
        self._reversed: Audio | None = None
        self._bed: Audio | None = None
        self._played = 0
        self._fade_in_done = int(FADE_IN_S * sample_rate)
        # Whether the fade under way leads from the emergency bed back.
        self._from_emergency = False

    @property
    def emergency(self) -> bool:
        """Whether the emergency bed is among what is heard."""
        return self._under > 0.0 or (self._reversed is not None and self._turned)

    def heard(self, audio: Audio, *, silent: bool = False) -> Audio:
        """Return what goes out when a player is heard: its sound, faded in after a bridge.

        Args:
            audio: float32 [samples, 2].
            silent: whether it has been nothing for too long, so that the emergency bed is laid under it.
        """
        if self._reversed is not None:
            audio = self._fade_in(audio)
        if self._emergency is not None and (silent or self._under):
            audio = self._laid_under(audio, 1.0 if silent else 0.0)
        self._tail.append(audio)
        self._tail_samples += len(audio)
        while self._tail_samples - len(self._tail[0]) >= int(TAIL_S * self._rate):
            self._tail_samples -= len(self._tail.popleft())
        return audio

    def fill(self, samples: int) -> Audio:
        """Return what goes out when no player is heard.

        Args:
            samples: how many.

        Returns:
            float32 [samples, 2]; silence when nothing was ever heard.
        """
        if self._reversed is None or self._fade_in_done:
            self._break_off()
        return self._bridge(samples)

    def _break_off(self) -> None:
        tail = np.concatenate(self._tail) if self._tail else np.zeros((1, 2), np.float32)
        self._reversed = tail[::-1]
        self._bed = _freeze(tail, BED_SAMPLES, self._rate)
        self._tail.clear()
        self._tail_samples = 0
        self._played = 0
        self._fade_in_done = 0
        self._from_emergency = False

    def _bridge(self, samples: int) -> Audio:
        assert self._reversed is not None
        assert self._bed is not None
        at = np.arange(self._played, self._played + samples)
        self._played += samples
        mix: Audio = self._bed[at % len(self._bed)]
        fade_samples = FADE_OUT_S * self._rate
        if at[0] < fade_samples:
            angle = np.clip(at / fade_samples, 0.0, 1.0)[:, None] * (np.pi / 2)
            # The tail may be shorter than the fade: it ends in silence then.
            tail = self._reversed[np.minimum(at, len(self._reversed) - 1)] * (at < len(self._reversed))[:, None]
            mix = tail * np.cos(angle) + mix * np.sin(angle)
        turn = int(TURN_AFTER_S * self._rate)
        if self._emergency is not None and at[-1] >= turn:
            angle = np.clip((at - turn) / (TURN_S * self._rate), 0.0, 1.0)[:, None] * (np.pi / 2)
            loop = self._emergency[np.maximum(at - turn, 0) % len(self._emergency)]
            mix = mix * np.cos(angle) + loop * np.sin(angle)
        return mix.astype(np.float32)

    @property
    def _turned(self) -> bool:
        """Whether a bridge has come to the emergency bed."""
        return self._emergency is not None and self._played > TURN_AFTER_S * self._rate

    def _laid_under(self, audio: Audio, towards: float) -> Audio:
        """Return the sound over the emergency bed, which comes or goes."""
        assert self._emergency is not None
        seconds = UNDER_IN_S if towards else UNDER_OUT_S
        step = (1.0 if towards else -1.0) / (seconds * self._rate)
        gain = np.clip(self._under + step * np.arange(1, len(audio) + 1), 0.0, 1.0).astype(np.float32)
        at = np.arange(self._under_at, self._under_at + len(audio)) % len(self._emergency)
        self._under = float(gain[-1])
        # Once gone, it begins anew the next time.
        self._under_at = int(at[-1]) + 1 if self._under else 0
        laid: Audio = audio + self._emergency[at] * np.sin(gain * np.float32(np.pi / 2))[:, None]
        return laid

    def _fade_in(self, audio: Audio) -> Audio:
        assert self._reversed is not None
        if not self._fade_in_done:
            self._from_emergency = self._turned
        fade_s = FADE_IN_S if self._reversed.any() else FADE_IN_FROM_SILENCE_S
        if self._from_emergency:
            fade_s = BACK_S
        length = int(fade_s * self._rate)
        under = self._bridge(len(audio))
        done = self._fade_in_done
        if done >= length:
            self._reversed = self._bed = None
            self._fade_in_done = length
            return audio
        angle = np.clip(np.arange(done, done + len(audio)) / length, 0.0, 1.0)[:, None] * (np.pi / 2)
        self._fade_in_done = done + len(audio)
        mixed: Audio = (audio * np.sin(angle) + under * np.cos(angle)).astype(np.float32)
        return mixed


def _freeze(tail: Audio, samples: int, rate: int) -> Audio:
    """Return a periodic texture with the tail's spectrum and `BED_GAIN_DB` of its loudness."""
    level = float(np.sqrt(np.mean(np.square(tail))))
    if level < _SILENT:
        return np.zeros((samples, 2), np.float32)
    window = np.hanning(len(tail)).astype(np.float32)[:, None]
    magnitude = np.abs(np.fft.rfft(tail * window, n=samples, axis=0))
    frequency = np.fft.rfftfreq(samples, 1.0 / rate).astype(np.float32)
    magnitude /= (1.0 + np.square(frequency / BED_CUTOFF_HZ))[:, None]
    magnitude[0] = 0.0
    # Seeded: the same failure sounds the same twice.
    phase = 2.0 * np.pi * np.random.default_rng(0).random(magnitude.shape, np.float32)
    bed = np.fft.irfft(magnitude * np.exp(1j * phase, dtype=np.complex64), n=samples, axis=0)
    bed *= level * 10.0 ** (BED_GAIN_DB / 20.0) / max(float(np.sqrt(np.mean(np.square(bed)))), _SILENT)
    return np.asarray(bed, np.float32)
