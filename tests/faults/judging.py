"""What must hold of days on air, whatever happened."""

from __future__ import annotations

from tests.faults.real import Outcome
from tests.faults.simulated import DOWN_S, Result

# Two processes that died at once are back; while there was no conductor, either, nobody starts them.
NOTHING_S = 10.0 + DOWN_S[1]
# A piece that is silent is noticed.
SILENCE_S = 30.0
# The bed is heard at the beginning, while an operator holds, and between pieces; otherwise there is music.
BED_S = 300.0
# Of everything the conductor keeps: pieces ahead, past cues, undo.
MOST = {
    "slots": 60, "takes": 12, "undo": 60, "loaded": 12, "queue": 8, "requests": 4, "announced": 32, "latest": 60,
    "others": 12, "tasks": 40,
}  # fmt: skip
# A block of Python's is 16 to 512 bytes: a tenth of a megabyte an hour at most.
BLOCKS_PER_HOUR = 1000.0
RSS_MB_PER_HOUR = 1.0
# A feed that hangs is missed until it is given up, and back.
GAP_BLOCKS = 16 * 48_000 // 256
MIB_PER_HOUR = 30.0
# OBS is told of, and not ours to mend. Skia keeps blurred shapes up to 32 MB, and the first hours fill that.
NOT_OURS = ("obs",)
FILLS_MIB = {"feed": 48.0}


def complaints(result: Result) -> list[str]:
    """Return what is not as it must be, a line each."""
    wrong = [f"on air twice: {', '.join(result.twice[:10])}"] if result.twice else []
    if result.unplayed:
        wrong.append(f"planned, and lost: {', '.join(result.unplayed[:10])}")
    if (nothing_s := result.longest_s.get("nothing", 0.0)) > NOTHING_S:
        wrong.append(f"no source of sound for {nothing_s:.0f} s")
    if (silence_s := result.longest_s.get("silence", 0.0)) > SILENCE_S:
        wrong.append(f"a silent piece was on air for {silence_s:.0f} s")
    for at_s, seconds in result.beds:
        if seconds > BED_S:
            wrong.append(f"nothing but the bed for {seconds:.0f} s, at {at_s / 3600:.2f} h")
    for name, most in MOST.items():
        found = max(sample.lengths[name] for sample in result.samples)
        if found > most:
            wrong.append(f"{found} {name} are kept, and {most} are enough")
    if len(result.samples) >= 12:
        blocks, rss_mb = result.slope(lambda s: s.blocks), result.slope(lambda s: s.rss_mb)
        if blocks > BLOCKS_PER_HOUR or rss_mb > RSS_MB_PER_HOUR:
            wrong.append(f"the conductor grows by {blocks:.0f} blocks and {rss_mb:.2f} MB an hour")
    return wrong


def real_complaints(outcome: Outcome) -> list[str]:
    """Return what is not as it must be of an hour in real time."""
    wrong = [
        f"{each.fault} at {each.at_s:.0f} s: not back in two minutes"
        for each in outcome.suffered
        if each.recovery_s is None and not each.fault.endswith("(was away)")
    ]
    if outcome.longest_gap > GAP_BLOCKS:
        wrong.append(f"nothing was heard for {outcome.longest_gap} blocks")
    for row in outcome.slopes():
        name, slope = row["process"], row["mib_per_hour"]
        if name in NOT_OURS or slope is None or row["mib_grown"] <= FILLS_MIB.get(name, 0.0):
            continue
        if slope > MIB_PER_HOUR and outcome.seconds > 1800:
            wrong.append(f"the {row['process']} grows by {row['mib_per_hour']} MiB an hour")
    return wrong
