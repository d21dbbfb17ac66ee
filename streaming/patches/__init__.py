"""The instruments as files that people can read and change: one patch a file, and who plays in which style.

`docs/sound.md` tells how they are written. Levels are set so that a typical
phrase of each alone measures about the same (`python -m tests.bench.bench_render
--levels`); places follow an orchestra seen from the hall, the rhythm section in the middle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from model.instruments import BY_NAME, INSTRUMENTS
from streaming.errors import PatchError
from streaming.patches.reading import read_patch
from streaming.patches.recipe import DrumSound, Patch
from streaming.yamlmarks import MarkedYaml, Mistake, did_you_mean, plain, read_marked

__all__ = ["BY_INSTRUMENT", "FOLDER", "KIT", "PATCHES", "DrumSound", "Library", "Patch", "library", "zone_of", "zones"]

FOLDER = Path(__file__).parent
# Which patches play when nothing is said, and in which style; not a patch itself.
_STYLES = "styles.yaml"
_ANY = "any"


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """All patches that may sound.

    Attributes:
        patches: by the names of their files.
        styles: of a style, which patch plays an instrument; "any" is for all others.
    """

    patches: Mapping[str, Patch]
    styles: Mapping[str, Mapping[str, str]]

    def variants(self, instrument: str) -> list[str]:
        """Return what an instrument can be played as."""
        return [patch.variant or patch.key for patch in self.patches.values() if patch.name == instrument]

    def ensemble(self, style: str = "", variants: Mapping[str, str] | None = None) -> dict[str, Patch]:
        """Return the patch of every instrument, in the order of the stems.

        Args:
            style: of the piece; an unknown one plays as any.
            variants: instrument to variant ("steel") or patch ("guitar-steel"), before what the style says.

        Raises:
            PatchError: an instrument or a variant is unknown.
        """
        keys = {**self.styles.get(_ANY, {}), **self.styles.get(style.lower(), {})}
        for name, variant in (variants or {}).items():
            if name not in BY_NAME:
                raise PatchError(f'variants: there is no instrument "{name}"{did_you_mean(name, BY_NAME)}')
            known = {patch.variant or patch.key: patch.key for patch in self.patches.values() if patch.name == name}
            key = known.get(variant.removeprefix(f"{name}-"))
            if key is None:
                raise PatchError(f'variants: there is no {name} "{variant}"{did_you_mean(variant, known)}')
            keys[name] = key
        return {i.name: self.patches[keys.get(i.name, i.name)] for i in INSTRUMENTS}


def library(folder: Path | None = None) -> Library:
    """Return the patches that come with the program, a folder of one's own before them.

    Args:
        folder: of patch files and perhaps a styles.yaml; they take the place of those of the same name.

    Raises:
        PatchError: the folder or a file in it is wrong; says where.
    """
    if folder is not None and not folder.is_dir():
        raise PatchError(f"{folder}: there is no such folder of patches")
    return _library(folder, _stamp(FOLDER), _stamp(folder) if folder is not None else ())


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a file of a folder does."""
    return tuple((p.name, p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(folder.glob("*.yaml")))


@lru_cache(maxsize=4)
def _library(folder: Path | None, *_stamps: object) -> Library:
    files: dict[str, Path] = {}
    for place in (FOLDER, folder):
        if place is None:
            continue
        files.update({path.stem: path for path in sorted(place.glob("*.yaml"))})
    style_files = [p / _STYLES for p in (FOLDER, folder) if p is not None and (p / _STYLES).is_file()]
    files.pop(Path(_STYLES).stem, None)
    bundled = {path.stem: path for path in FOLDER.glob("*.yaml") if path.name != _STYLES}
    patches, wrong = {}, []
    for key in sorted(files):
        # A file may extend the one whose place it takes.
        bases = {**files, **({key: bundled[key]} if bundled.get(key, files[key]) != files[key] else {})}
        try:
            patches[key] = read_patch(files[key], bases=bases)
        except PatchError as error:
            wrong.append(str(error))
    if wrong:
        raise PatchError("\n".join(wrong))
    styles: dict[str, dict[str, str]] = {}
    for path in style_files:
        for style, players in _styles(path, patches).items():
            styles[style] = {**styles.get(style, {}), **players}
    missing = [i.name for i in INSTRUMENTS if styles.get(_ANY, {}).get(i.name, i.name) not in patches]
    if missing:
        raise PatchError(f"{FOLDER}: there is no patch for {', '.join(missing)}")
    return Library(patches, styles)


def _styles(path: Path, patches: Mapping[str, Patch]) -> dict[str, dict[str, str]]:
    """Return a table of styles: of each, instruments and their patches."""
    file = MarkedYaml(*read_marked(path, kind="table of styles", first="any: {piano: piano}", refusal=PatchError))
    mistakes: list[Mistake] = []
    found: dict[str, dict[str, str]] = {}
    for style, players in plain(file.data).items():
        if not isinstance(players, dict):
            mistakes.append(file.mistake((style,), f"{style}: should hold keys of its own, such as guitar: nylon"))
            continue
        for name, variant in players.items():
            key = f"{name}-{variant}" if f"{name}-{variant}" in patches else str(variant)
            if name not in BY_NAME:
                text = f'there is no instrument "{name}"{did_you_mean(name, BY_NAME)}'
                mistakes.append(file.mistake((style, name), text, of_key=True))
            elif key not in patches or patches[key].name != name:
                known = [patch.variant or patch.key for patch in patches.values() if patch.name == name]
                text = f'there is no {name} "{variant}"{did_you_mean(str(variant), known)}'
                mistakes.append(file.mistake((style, name), text))
            else:
                found.setdefault(style.lower(), {})[name] = key
    if mistakes:
        raise PatchError(file.told(mistakes))
    return found


def zones(patch: Patch) -> range:
    """Return the middle pitches of a patch's tables, over the instrument's range."""
    instrument = BY_NAME[patch.name]
    return range(instrument.low + patch.zone // 2, instrument.high + 1 + patch.zone // 2, patch.zone)


def zone_of(patch: Patch, pitch: int) -> int:
    """Return the index of the table that plays a pitch, the nearest one outside the range."""
    low = BY_NAME[patch.name].low
    return min(max((pitch - low) // patch.zone, 0), len(zones(patch)) - 1)


BY_INSTRUMENT: dict[str, Patch] = library().ensemble()
PATCHES: tuple[Patch, ...] = tuple(BY_INSTRUMENT.values())
KIT: tuple[DrumSound, ...] = BY_INSTRUMENT["drums"].kit
