"""The scenes that a show is sent from: what stands where, as OBS is told of it and as its file says it.

Every scene has the programme in it, so that none is silent; all but the first veil it and say something.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streaming.obs.sources import FEED_INPUT, TEXT_INPUTS, TEXT_KINDS, TEXT_PLACES, feed_settings
from streaming.obs.wanted import AUDIO_OFFSET_MS

COLLECTION = "Conductor"
VEIL = "Conductor veil"
# What the scenes say; the first one shows the programme alone.
CAPTIONS = {"Main": "", "Starting": "Starting soon", "Pause": "Back in a moment", "End": "Thank you for listening"}
# Black that lets the programme shimmer through, as OBS packs colours: alpha, blue, green, red.
_VEIL_COLOUR = 0xDC000000
_COLOUR_KIND = "color_source_v3"
# OBS's numbers for where a source's own point of reference is.
_TOP_LEFT, _CENTRE = 5, 0
_BOUNDS = {"OBS_BOUNDS_NONE": 0, "OBS_BOUNDS_SCALE_INNER": 2}


@dataclass(frozen=True, slots=True)
class Canvas:
    """What is drawn on.

    Attributes:
        width, height: in pixels.
        fps: pictures a second.
    """

    width: int = 1280
    height: int = 720
    fps: int = 30


@dataclass(frozen=True, slots=True)
class Source:
    """An input of OBS.

    Attributes:
        name: for people, one of a kind.
        kind: OBS's, with its version.
        settings: OBS's.
        offset_ms: delay of its sound.
    """

    name: str
    kind: str
    settings: Mapping[str, Any]
    offset_ms: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """An input in a scene.

    Attributes:
        name: of the input.
        x, y: of its point of reference, in pixels.
        centred: whether that is its centre; else its upper left corner.
        fill: whether it is scaled to the canvas.
        visible: whether it is shown.
    """

    name: str
    x: float = 0.0
    y: float = 0.0
    centred: bool = False
    fill: bool = False
    visible: bool = True

    def transform(self, canvas: Canvas) -> dict[str, Any]:
        """Return it as obs-websocket's sceneItemTransform."""
        if self.fill:
            bounds = {"boundsWidth": float(canvas.width), "boundsHeight": float(canvas.height)}
            return {"boundsType": "OBS_BOUNDS_SCALE_INNER", **bounds}
        alignment = _CENTRE if self.centred else _TOP_LEFT
        return {"positionX": self.x, "positionY": self.y, "alignment": alignment}


@dataclass(frozen=True, slots=True)
class Layout:
    """All that `obs setup` makes.

    Attributes:
        canvas: what is drawn on.
        sources: the inputs.
        scenes: what stands in each, from behind.
    """

    canvas: Canvas
    sources: tuple[Source, ...]
    scenes: Mapping[str, tuple[Placed, ...]]


def layout(canvas: Canvas, feed_url: str, *, offset_ms: int = AUDIO_OFFSET_MS, text_kind: str | None = None) -> Layout:
    """Return the scenes of a show.

    Args:
        canvas: of OBS.
        feed_url: where OBS reads the programme.
        offset_ms: delay of the programme's sound.
        text_kind: of text inputs; that of this system by default.
    """
    kind = text_kind or TEXT_KINDS[1 if sys.platform == "win32" else 0]
    small, large = canvas.height // 20, canvas.height // 9
    sources = [Source(FEED_INPUT, "ffmpeg_source", feed_settings(feed_url), offset_ms)]
    sources += [Source(name, kind, {"text": "", "font": _font(small)}) for name in TEXT_INPUTS.values()]
    colour = {"color": _VEIL_COLOUR, "width": canvas.width, "height": canvas.height}
    sources.append(Source(VEIL, _COLOUR_KIND, colour))
    sources += [Source(_caption(s), kind, {"text": text, "font": _font(large)}) for s, text in CAPTIONS.items() if text]
    texts = [
        Placed(TEXT_INPUTS[which], x * canvas.width, y * canvas.height, visible=False)
        for which, (x, y) in TEXT_PLACES.items()
    ]
    programme = Placed(FEED_INPUT, fill=True)
    scenes = {}
    for scene, text in CAPTIONS.items():
        centred = Placed(_caption(scene), canvas.width / 2, canvas.height / 2, centred=True)
        scenes[scene] = (programme, Placed(VEIL, fill=True), centred) if text else (programme, *texts)
    return Layout(canvas, tuple(sources), scenes)


def collection_file(made: Layout, name: str) -> dict[str, Any]:
    """Return a scene collection as OBS's own file says it (`basic/scenes/NAME.json`)."""
    scenes = list(made.scenes)
    return {
        "name": name,
        "current_scene": scenes[0],
        "current_program_scene": scenes[0],
        "scene_order": [{"name": scene} for scene in scenes],
        "sources": [_source_entry(source) for source in made.sources] + [_scene_entry(made, scene) for scene in scenes],
    }


def _source_entry(source: Source) -> dict[str, Any]:
    return {
        "id": source.kind.rsplit("_v", 1)[0],
        "versioned_id": source.kind,
        "name": source.name,
        "settings": dict(source.settings),
        "sync": source.offset_ms * 1_000_000,
    }


def _scene_entry(made: Layout, scene: str) -> dict[str, Any]:
    items = []
    for number, placed in enumerate(made.scenes[scene], 1):
        transform = placed.transform(made.canvas)
        items.append(
            {
                "id": number,
                "name": placed.name,
                "visible": placed.visible,
                "pos": {"x": transform.get("positionX", 0.0), "y": transform.get("positionY", 0.0)},
                "align": transform.get("alignment", _TOP_LEFT),
                "bounds_type": _BOUNDS[transform.get("boundsType", "OBS_BOUNDS_NONE")],
                "bounds": {"x": transform.get("boundsWidth", 0.0), "y": transform.get("boundsHeight", 0.0)},
                "scale": {"x": 1.0, "y": 1.0},
            }
        )
    return {"id": "scene", "name": scene, "settings": {"items": items, "id_counter": len(items)}}


def _caption(scene: str) -> str:
    return f"Conductor {scene.lower()}"


def _font(size: int) -> dict[str, Any]:
    return {"face": "DejaVu Sans", "size": size}
