"""Form: in which order the sections of a piece come, and which bring the opening theme back. Torch-free.

A section of the letter A states the theme or brings it back, A' brings it back
and goes on otherwise, every other letter is new music.
"""

from __future__ import annotations

from dataclasses import dataclass

from model.errors import PromptError

# A section shorter than this is no section.
SHORTEST_S = 8.0
# Grown at a stretch: longer sections are composed, and candidates chosen among, in parts.
STRETCH_S = 30.0
PLANS: dict[str, tuple[str, ...]] = {
    "free": ("A",),
    "binary": ("A", "B"),
    "ternary": ("A", "B", "A"),
    "song": ("A", "A'", "B", "A"),
    "rondo": ("A", "B", "A", "C", "A"),
    "arch": ("A", "B", "C", "B'", "A"),
    "variations": ("A", "A'", "A'", "A'", "A"),
}
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a piece.

    Attributes:
        letter: of its music; `A'` brings `A` back and goes on otherwise.
        start_s, end_s: where it lies.
        recalls: where the section lies, in seconds, that comes back at its beginning; None: new music.
        varied: whether only the beginning comes back.
    """

    letter: str
    start_s: float
    end_s: float
    recalls: tuple[float, float] | None = None
    varied: bool = False


def plan_for(length_s: float) -> str:
    """Return the plan that suits a length: what `auto` means."""
    if length_s < 45:
        return "free"
    if length_s < 100:
        return "ternary"
    return "song" if length_s < 330 else "rondo"


def letters_of(form: str, length_s: float) -> tuple[str, ...]:
    """Return the letters of a form.

    Args:
        form: `auto`, a name of `PLANS`, or letters such as `A A' B A` or `AABA`.
        length_s: of the piece.

    Raises:
        PromptError: the form is unknown, or has more sections than the piece has room for.
    """
    text = form.strip()
    if text == AUTO:
        text = plan_for(length_s)
    letters = PLANS.get(text.lower()) or _spelled(text)
    if not letters or letters[0] != "A":
        raise PromptError(f"form {form!r} is unknown; write {AUTO}, {', '.join(PLANS)} or letters such as A A' B A")
    if length_s / len(letters) < SHORTEST_S and len(letters) > 1:
        raise PromptError(
            f"form {form!r} has {len(letters)} sections, for which {length_s:g} s is too short; "
            f"ask for {len(letters) * SHORTEST_S:g} s or form: free"
        )
    return letters


def _spelled(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for mark in text.replace("’", "'").replace(" ", "").replace("-", ""):
        if "A" <= mark <= "H":
            found.append(mark)
        elif mark == "'" and found and not found[-1].endswith("'"):
            found[-1] += mark
        else:
            return ()
    return tuple(found)


def sections(form: str, length_s: float, start_s: float = 0.0) -> tuple[Section, ...]:
    """Return the sections of a piece, evenly long.

    Args:
        form: see `letters_of`.
        length_s: of the piece.
        start_s: music up to here is there already; sections before it are not composed.

    Raises:
        PromptError: see `letters_of`.
    """
    letters = letters_of(form, length_s)
    each = length_s / len(letters)
    found: list[Section] = []
    for n, letter in enumerate(letters):
        earlier = (s for s in found if s.letter.rstrip("'") == letter.rstrip("'"))
        first = next(((s.start_s, s.end_s) for s in earlier), None)
        found.append(Section(letter, n * each, (n + 1) * each, first, letter.endswith("'")))
    return tuple(section for section in found if section.end_s > start_s + 1e-6)
