"""How a style is played: what players do to written notes, in one table that can be read and changed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

# No note is played later than this after its written place, and none before it.
LATEST_MS = 25.0


@dataclass(frozen=True, slots=True)
class Manner:
    """What is done to the notes of a style.

    All times are delays in ms: who anticipates is who waits least.

    Attributes:
        drift_ms: all players together, over some bars (a rubato that is felt, not heard).
        wander_ms: each player by himself, over a few seconds.
        jitter_ms: each stroke.
        spread_ms: between the lowest and the highest note of a chord of one player.
        lead_ms: of the melody before what accompanies it.
        swing: of the second eighth of a beat, as a part of the eighth (a third: triplets), within the limits.
        late_ms: how far behind the beat an instrument plays; `snare` is of the drums.
        touch: how far velocities differ by chance, as a part of each.
        swell: how much louder a phrase's peak is than its ends, as a part of the velocity.
        voice: how much louder the melody is than what accompanies it.
        stress: how much louder the first of a bar is.
    """

    drift_ms: float = 3.0
    wander_ms: float = 3.0
    jitter_ms: float = 3.0
    spread_ms: float = 3.0
    lead_ms: float = 3.0
    swing: float = 0.0
    late_ms: dict[str, float] = field(default_factory=dict)
    touch: float = 0.03
    swell: float = 0.12
    voice: float = 0.08
    stress: float = 0.04


_PLAIN = Manner()
_GROOVE = Manner(
    drift_ms=0.0, wander_ms=1.0, jitter_ms=1.5, spread_ms=1.0, lead_ms=0.0, swing=0.04,
    late_ms={"snare": 5.0, "bass": 2.0, "guitar": 3.0, "piano": 3.0}, touch=0.04, swell=0.06, voice=0.04, stress=0.05,
)  # fmt: skip
_ROMANTIC = Manner(
    drift_ms=8.0, wander_ms=3.0, jitter_ms=3.0, spread_ms=8.0, lead_ms=6.0, touch=0.04, swell=0.2, voice=0.14,
    stress=0.03,
)  # fmt: skip
_CLASSICAL = Manner(drift_ms=3.0, wander_ms=2.0, jitter_ms=2.5, spread_ms=3.0, lead_ms=3.0, swell=0.14, stress=0.05)
_BAROQUE = Manner(drift_ms=2.0, wander_ms=2.0, jitter_ms=2.0, spread_ms=4.0, lead_ms=0.0, swell=0.08, voice=0.03)
_QUARTET = Manner(
    drift_ms=5.0, wander_ms=6.0, jitter_ms=4.0, spread_ms=2.0, lead_ms=3.0,
    late_ms={"cello": 2.0, "bass": 3.0}, swell=0.18, voice=0.1,
)  # fmt: skip
_CHOIR = Manner(drift_ms=4.0, wander_ms=6.0, jitter_ms=5.0, spread_ms=3.0, lead_ms=0.0, swell=0.16, voice=0.06)
_ORCHESTRA = Manner(
    drift_ms=4.0, wander_ms=5.0, jitter_ms=4.0, spread_ms=2.0, lead_ms=2.0,
    late_ms={"trumpet": 3.0, "bass": 3.0, "drums": 2.0}, swell=0.16, voice=0.08,
)  # fmt: skip
_FOLK = Manner(drift_ms=2.0, wander_ms=4.0, jitter_ms=4.0, spread_ms=6.0, lead_ms=2.0, swing=0.06, stress=0.08)
_JAZZ = Manner(
    drift_ms=0.0, wander_ms=4.0, jitter_ms=3.0, spread_ms=3.0, lead_ms=0.0, swing=0.25,
    late_ms={"trumpet": 5.0, "clarinet": 5.0, "piano": 3.0, "snare": 2.0}, touch=0.06, swell=0.12, stress=0.0,
)  # fmt: skip
_PLUCKED = Manner(drift_ms=5.0, wander_ms=3.0, jitter_ms=3.0, spread_ms=10.0, lead_ms=3.0, swell=0.14, voice=0.1)
# Pipes know no touch; what makes an organ play is time alone.
_ORGAN = Manner(
    drift_ms=1.0, wander_ms=1.0, jitter_ms=1.5, spread_ms=1.0, lead_ms=0.0, touch=0.0, swell=0.04, voice=0.0, stress=0.0
)


def _all(manner: Manner, names: str) -> dict[str, Manner]:
    return dict.fromkeys(names.split(), manner)


MANNERS: dict[str, Manner] = {
    "any": _PLAIN,
    **_all(_GROOVE, "rock drums game"),
    "country": replace(_GROOVE, swing=0.08, jitter_ms=2.5),
    **_all(
        _ROMANTIC,
        "romantic chopin liszt schumann brahms schubert grieg faure debussy chaminade mendelssohn hensel lied "
        "cornelius faisst franz holmes kinkel lang lehmann reichardt schroter sitt viardot wolf warlock piano",
    ),
    **_all(_CLASSICAL, "classical mozart haydn beethoven"),
    **_all(_BAROQUE, "bach baroque"),
    **_all(_QUARTET, "quartet chamber"),
    **_all(_CHOIR, "renaissance stanford hymn choir"),
    **_all(_ORCHESTRA, "orchestra bizet"),
    "folk": _FOLK,
    "jazz": _JAZZ,
    "ragtime": replace(_GROOVE, swing=0.06, spread_ms=3.0),
    **_all(_PLUCKED, "guitar giuliani sor"),
    "organ": _ORGAN,
}


def manner_of(style: str | None) -> Manner:
    """Return how a style is played.

    Args:
        style: of a piece; of a blend the first that is known counts; None or unknown: plainly.
    """
    names = re.findall(r"[a-z]+", (style or "").lower())
    return next((MANNERS[name] for name in names if name in MANNERS), MANNERS["any"])
