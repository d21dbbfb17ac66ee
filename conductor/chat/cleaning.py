"""Text of strangers made harmless: what is left of it can be read, logged and drawn.

Source: Unicode Standard Annex 9 (directional formatting), 15 (combining characters), Technical Report 36.
"""

from __future__ import annotations

import re
import unicodedata

# Marks on top of one another: more than any language writes.
MOST_MARKS = 2
NAME_LENGTH = 25
_NAME = re.compile(r"[^a-z0-9_]+")
# Drawn as nothing or as a block; two of them join emoji and letters of some scripts, and a name can do without.
_INVISIBLE = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u2800\u3164\uffa0")


def clean(text: str, most: int) -> str:
    """Return one line without what cannot be seen, turns the line around, or piles up.

    Args:
        text: of anybody.
        most: characters that are left of it, 1 and up; the last is `…` where some were cut.
    """
    kept: list[str] = []
    marks = 0
    # A line that is long is not looked at as a whole.
    for sign in unicodedata.normalize("NFC", text[: 8 * most]):
        kind = unicodedata.category(sign)
        if kind in ("Zs", "Zl", "Zp") or sign in "\t\r\n":
            sign, kind = " ", "Zs"
        # Controls, formats (bidi overrides, zero widths, tags), surrogates, private and unassigned signs.
        if kind[0] == "C" or sign in _INVISIBLE or "\ufe00" <= sign <= "\ufe0f":
            continue
        marks = marks + 1 if kind[0] == "M" else 0
        if marks > MOST_MARKS or (kind[0] == "M" and not kept):
            continue
        if sign == " " and (not kept or kept[-1] == " "):
            continue
        kept.append(sign)
    line = "".join(kept).rstrip()
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def login(text: str) -> str:
    """Return a name as it stands in lists and logs: lower case, letters, digits and `_` alone; may be empty."""
    return _NAME.sub("", text.lower())[:NAME_LENGTH]
