"""`conductor styles` and `conductor model`: what a checkpoint knows, and what a model costs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.errors import UsageError

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from model.network.config import Config
    from model.network.cost import Cost

STYLES_EXAMPLES = """\
examples:
  conductor styles                        what the shipped checkpoint was trained on
  conductor styles --map styles           and a map of what is alike to it: styles/styles.png, styles/styles.html
  conductor styles --checkpoint run1/best.safetensors --json
"""
MODEL_EXAMPLES = """\
examples:
  conductor model                         all presets side by side
  conductor model musenet --rows 1        one of them, with the formulas
  conductor model --checkpoint run1/best.safetensors --json
"""
BAR = 24


def add_parsers(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `styles` and `model`."""
    styles = subparsers.add_parser(
        "styles",
        help="what a checkpoint was trained on",
        epilog=STYLES_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    styles.add_argument("--map", type=Path, metavar="DIR", help="draw which styles are alike, as PNG and HTML")
    styles.add_argument("--checkpoint", type=Path, metavar="FILE", help="weights (the shipped ones)")
    styles.add_argument("--json", action="store_true", help="print JSON")
    styles.set_defaults(run=run_styles)

    model = subparsers.add_parser(
        "model",
        help="what a model costs: parameters, memory, operations",
        epilog=MODEL_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    model.add_argument("preset", nargs="?", metavar="PRESET", help="a shape by name (all of them)")
    model.add_argument("--checkpoint", type=Path, metavar="FILE", help="the shape of some weights")
    model.add_argument("--rows", type=int, default=8, help="windows in a training batch (8)")
    model.add_argument("--tokens", type=int, help="tokens in a window (the context)")
    model.add_argument("--minutes", type=float, default=4.0, help="length of a composed piece (4)")
    model.add_argument("--json", action="store_true", help="print JSON")
    model.set_defaults(run=run_model)


def run_styles(args: argparse.Namespace) -> int:
    """List the styles of a checkpoint, and draw their map."""
    from model.network.checkpoint import SHIPPED, read_card
    from model.styles.stylemap import FEW_PIECES, known_styles, style_map, unknown_styles

    path = args.checkpoint or SHIPPED
    card = read_card(path)
    known, unknown = known_styles(card), unknown_styles(card)
    spots = style_map(path) if args.map else []
    written: tuple[Path, ...] = ()
    if args.map:
        from model.styles.stylepage import write_map

        try:
            written = write_map(spots, args.map, path.name)
        except OSError as error:
            raise UsageError(f"{args.map}: cannot write there ({error.strerror}); choose another folder") from error
    if args.json:
        placed = {spot.known.name: spot.as_dict() for spot in spots}
        listed = [
            {"name": s.name, "pieces": s.pieces, "genre": s.genre, "performed": s.performed} | placed.get(s.name, {})
            for s in known
        ]
        print(
            json.dumps(
                {"checkpoint": str(path), "styles": listed, "unknown": unknown, "written": [str(w) for w in written]}
            )
        )
        return 0
    if not known:
        print(f"{path} does not say which styles it was trained on")
        return 0
    most = max(style.pieces for style in known)
    pieces = sum(style.pieces for style in known)
    print(f"{path} was trained on {pieces:,} pieces in {len(known)} styles:\n")
    print(f"  {'style':<12} {'pieces':>6}  {'':<{BAR}}  most often")
    for style in known:
        eighths = max(1, round(8 * BAR * style.pieces / most))
        bar = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
        played = {True: ", performed", False: ", from scores", None: ""}[style.performed]
        hardly = "  (hardly known)" if style.few else ""
        print(f"  {style.name:<12} {style.pieces:>6,}  {bar:<{BAR}}  {style.genre or '?'}{played}{hardly}")
    print(f"\nhardly known: heard in fewer than {FEW_PIECES} pieces")
    if unknown:
        print(f"words without music, never heard: {', '.join(unknown)}")
    for path in written:
        print(f"map: {path}")
    return 0


def run_model(args: argparse.Namespace) -> int:
    """Print what shapes cost."""
    from model.learning.windows import SHORTEST
    from model.network.checkpoint import read_card
    from model.network.config import PRESETS
    from model.network.cost import FORMULAS, cost

    if args.preset is not None and args.checkpoint is not None:
        raise UsageError("a preset or a checkpoint: give one of them")
    if args.preset is not None and args.preset not in PRESETS:
        raise UsageError(f"no preset {args.preset!r}; there are {', '.join(PRESETS)}")
    if args.rows < 1:
        raise UsageError(f"--rows {args.rows}: it needs 1 at least")
    if args.tokens is not None and args.tokens < SHORTEST:
        raise UsageError(f"--tokens {args.tokens}: a window needs {SHORTEST} at least")
    if not 0 < args.minutes < 24 * 60:
        raise UsageError(f"--minutes {args.minutes:g}: more than 0, less than a day")
    shapes: dict[str, Config] = dict(PRESETS)
    if args.checkpoint is not None:
        shapes = {args.checkpoint.name: read_card(args.checkpoint).config}
    elif args.preset is not None:
        shapes = {args.preset: PRESETS[args.preset]}
    costs = {
        name: cost(config, rows=args.rows, tokens=args.tokens, piece_s=args.minutes * 60)
        for name, config in shapes.items()
    }
    if args.json:
        print(json.dumps({name: found.as_dict() for name, found in costs.items()}))
        return 0
    print(table(costs))
    if len(costs) == 1:
        width = max(len(name) for name in FORMULAS)
        print("\nhow it is counted")
        for name, formula in FORMULAS.items():
            print(f"  {name:<{width}}  {formula}")
    return 0


def table(costs: dict[str, Cost]) -> str:
    """Return a table of costs, a column a shape."""
    found = list(costs.values())
    first = found[0]
    same = len({c.tokens for c in found}) == 1
    batch = f"{first.rows} x {first.tokens if same else 'context'} tokens"
    rows: list[tuple[str, list[str]]] = [
        ("", list(costs)),
        ("layers", [str(c.config.layers) for c in found]),
        ("width", [str(c.config.width) for c in found]),
        ("heads (keys and values)", [f"{c.config.heads} ({c.config.kv_heads})" for c in found]),
        ("context", [str(c.config.context) for c in found]),
        ("window (layers that see all)", [_window(c.config) for c in found]),
        ("", []),
        ("parameters", [f"{c.total:,}" for c in found]),
    ]
    rows += [(f"  {part}", [f"{c.parameters[part]:,}" for c in found]) for part in first.parameters]
    rows += [
        ("", []),
        ("memory", []),
        ("  weights, float32", [size(c.memory.weights_float32) for c in found]),
        ("  weights, bfloat16", [size(c.memory.weights_bfloat16) for c in found]),
        ("  keys and values, a candidate", [size(c.memory.cache) for c in found]),
        (f"training, {batch}", []),
        ("  gradients", [size(c.memory.gradients) for c in found]),
        ("  optimiser", [size(c.memory.optimiser) for c in found]),
        ("  weights in bfloat16 beside", [size(c.memory.copies) for c in found]),
        ("  activations", [size(c.memory.activations) for c in found]),
        ("    with --recompute", [size(c.memory.activations_recomputed) for c in found]),
        ("  in all", [size(c.memory.training(recompute=False)) for c in found]),
        ("    with --recompute", [size(c.memory.training(recompute=True)) for c in found]),
        ("", []),
        ("operations", []),
        ("  forward, a token", [operations(c.work.forward) for c in found]),
        ("  training, a token", [operations(c.work.training) for c in found]),
        ("    with --recompute", [operations(c.work.training_recomputed) for c in found]),
        ("  training, a step", [operations(c.work.training * c.rows * c.tokens) for c in found]),
        (
            f"  composing {first.piece_s / 60:g} min ({first.piece_tokens:,} tokens)",
            [operations(c.work.composing) for c in found],
        ),
    ]
    names = max(len(name) for name, _ in rows)
    widths = [max(len(cells[n]) for _, cells in rows if cells) for n in range(len(found))]
    lines = []
    for name, cells in rows:
        columns = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=False))
        lines.append("  ".join([f"{name:<{names}}", *columns]).rstrip())
    return "\n".join(lines)


def _window(config: Config) -> str:
    whole = sum(config.layer_pattern(layer).kind == "causal" for layer in range(config.layers))
    sparse = "" if config.sparse == "window" else f" {config.sparse}"
    return "all" if whole == config.layers else f"{config.window}{sparse} ({whole} of {config.layers})"


def size(count: float) -> str:
    """Return bytes for people: `23.8 MB`."""
    return _scaled(count, ("B", "kB", "MB", "GB", "TB", "PB"))


def operations(count: float) -> str:
    """Return floating-point operations for people: `28.1 MFLOP`."""
    return _scaled(count, ("FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP"))


def _scaled(count: float, units: tuple[str, ...]) -> str:
    for unit in units[:-1]:
        # What would be rounded to 1000 is 1 of the next.
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == units[0] or count >= 99.95 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} {units[-1]}"
