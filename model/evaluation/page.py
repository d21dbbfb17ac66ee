"""The report as one self-contained page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from model.evaluation.comparison import Comparison
from model.evaluation.evaluation import Evaluation
from model.evaluation.measures import FEATURES
from model.evaluation.plots import Picture, draw_corpus, draw_critic, draw_measures, draw_overlaps, draw_surprise

PAGE = Path(__file__).with_name("page.html")
NONE = "–"


def page_of(evaluation: Evaluation, figures: dict[str, Any]) -> str:
    """Return the page.

    Args:
        evaluation: what was found; its values are drawn.
        figures: the same as plain values (see `model.evaluation.report.figures_of`).
    """
    sections: list[tuple[str, str, str]] = []
    if figures["surprise"]:
        sections.append(("surprise", "How well it foresees music", _surprise(figures["surprise"])))
    for n, (comparison, one) in enumerate(zip(evaluation.sets, figures["sets"], strict=True)):
        sections.append((f"set{n}", f"{one['name'].capitalize()} beside real music", _set(comparison, one)))
    sections.append(("corpus", "The corpus", _corpus(figures["corpus"])))
    sections.append(("made", "How this was made", _made(figures)))
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        title=f"Evaluation of {escape(_subject(figures))}",
        lead=_lead(figures),
        contents="".join(f'<a href="#{key}">{escape(title)}</a>' for key, title, _ in sections),
        facts="".join(f"<div class=fact><b>{value}</b><span>{says}</span></div>" for value, says in _facts(figures)),
        sections="\n".join(
            f'<section id="{key}"><h2>{escape(title)}</h2>{text}</section>' for key, title, text in sections
        ),
    )


def _subject(figures: dict[str, Any]) -> str:
    checkpoint = figures["made"].get("checkpoint")
    if checkpoint:
        return Path(checkpoint["path"]).stem
    return ", ".join(one["name"] for one in figures["sets"]) or "a corpus"


def _lead(figures: dict[str, Any]) -> str:
    total = figures["corpus"]["total"]
    return (
        f"{escape(figures['made']['at'][:10])} · held-out music: the {figures['asked']['split']} split of "
        f"{total['files']:,} files, {total['hours']:.1f} hours · seed {figures['made']['seed']}"
    )


def _facts(figures: dict[str, Any]) -> list[tuple[str, str]]:
    facts = []
    if figures["surprise"]:
        every = figures["surprise"]["all"]
        facts.append((f"{every['nats_per_token']:.3f}", "nats per token on held-out music"))
        facts.append((f"{every['bits_per_note']:.2f}", "bits per note on held-out music"))
    for one in figures["sets"]:
        of = f" ({escape(one['name'])})" if len(figures["sets"]) > 1 else ""
        facts.append((_percent(one["ratio"]), f"of the ceiling that real music sets, mean of all measures{of}"))
        real = one["real_faults"] or {}
        facts.append(
            (
                _percent(one["faults"]["proper"]),
                f"of the pieces end properly; real ones: {_percent(real.get('proper'))}{of}",
            )
        )
        if (line := one["copying"].get("top line")) and line["set"]:
            there = f"{line['real']['longest']} in held-out music" if line["real"] else "nothing to compare with"
            facts.append((f"{line['set']['longest']}", f"notes in the longest verbatim run of a top line; {there}{of}"))
        if one["critic"]:
            facts.append((f"{one['critic']['auc']:.2f}", f"AUC of the critic; 0.5 if it cannot tell{of}"))
    return facts


def _surprise(surprise: dict[str, Any]) -> str:
    kinds = [kind for kind in ("note on", "note off", "wait", "other") if kind in surprise["all"]["kinds"]]
    rows = [
        [
            escape(style),
            f"{s['nats_per_token']:.3f}"
            + (f" <span class=soft>± {s['error']:.3f}</span>" if s["error"] is not None else ""),
            f"{s['bits_per_note']:.2f}",
            *(f"{s['kinds'][kind][1]:.2f}" if kind in s["kinds"] else NONE for kind in kinds),
            f"{s['pieces']:,}",
            f"{s['tokens']:,}",
        ]
        for style, s in surprise.items()
    ]
    head = ["style", "nats per token", "bits per note", *kinds, "pieces", "tokens"]
    return (
        "<p>Cross-entropy of the next token in music the model was not trained on, its header known, windows half over "
        "each other so that every token counts once with music before it. Bits per note is all of it, in bits, over "
        "the notes struck: it can be compared across token languages. ± is the 95 % interval over windows; <i>all</i> "
        "weighs styles by what was read of them.</p>"
        + _picture(draw_surprise(surprise), "nats per token and bits per note by style")
        + _fold("All figures", _table(head, rows))
    )


def _set(comparison: Comparison, one: dict[str, Any]) -> str:
    skipped = _fold(f"{len(one['skipped'])} files could not be used", _list(one["skipped"])) if one["skipped"] else ""
    learned = sum(s["real_from_training"] for s in one["by_style"].values())
    topped = (
        f" Where a style has too few held-out pieces, training pieces stand beside them ({learned} in all)."
        if learned
        else ""
    )
    critic = draw_critic(comparison)
    return "".join(
        [
            f"<p><i class=ours>{one['pieces']} pieces</i> in {len(one['by_style'])} styles from "
            f"<code>{escape(one['folder'])}</code>, beside <i class=real>real music</i> of the same styles, cut to "
            f"excerpts of the same length.{topped}</p>",
            skipped,
            "<h3>Overlap with real music, beside what real music reaches itself</h3>",
            "<p>For each measure: how much the distances between the set and real music look like those within real "
            "music (overlapped area of their densities; Yang and Lerch 2020). Two finite halves of real music do not "
            "reach 1 either. Theirs is the ceiling, drawn 200 times from disjoint pieces and as many excerpts.</p>",
            _picture(draw_overlaps(comparison), "overlapped areas and ceilings"),
            _fold("All figures", _measures_table(one)),
            "<h3>Style by style, the worst first</h3>",
            "<p>Overlap as a share of its ceiling. Few pieces make these figures coarse: mind their number.</p>",
            _heat(one),
            "<h3>What the measures look like</h3>",
            _picture(draw_measures(comparison), "histograms of all measures"),
            _definitions(),
            "<h3>Endings, hanging notes, ranges, instruments</h3>",
            _faults(one),
            "<h3>Verbatim runs</h3>",
            _copying(one),
            "" if critic is None else "<h3>The critic</h3>" + _critic(one) + _picture(critic, "log-odds of the critic"),
        ]
    )


def _measures_table(one: dict[str, Any]) -> str:
    rows = []
    for feature in FEATURES:
        result = one["measures"][feature.key]
        overlap = result["overlap"]
        means = [
            f"{result[k][0]:.3g}" if not feature.bins and result[k][0] is not None else NONE for k in ("ours", "real")
        ]
        figures = [NONE] * 4
        if overlap:
            figures = [
                _interval(overlap["ours"]),
                _interval(overlap["ceiling"]),
                _interval(overlap["ratio"]),
                str(overlap["excerpts"]),
            ]
        rows.append([escape(feature.title), *means, *figures])
    return _table(["measure", "mean", "mean, real", "overlap", "ceiling", "ratio", "excerpts"], rows)


def _heat(one: dict[str, Any]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in ("style", "all", *(f.title for f in FEATURES), "pieces"))
    body = []
    for style, found in one["by_style"].items():
        overlaps = [found["measures"][f.key]["overlap"] for f in FEATURES]
        ratios = [found["ratio"], *(o["ratio"]["mean"] if o else None for o in overlaps)]
        cells = "".join(_heat_cell(ratio) for ratio in ratios)
        body.append(f"<tr><td>{escape(style)}</td>{cells}<td>{found['pieces']}</td></tr>")
    return (
        f"<div class=panel><table class=heat><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _heat_cell(ratio: float | None) -> str:
    if ratio is None:
        return f'<td class="cell soft">{NONE}</td>'
    # Full red at half of the ceiling, full green at it.
    good = min(1.0, max(0.0, (ratio - 0.5) / 0.5))
    colour, depth = ("var(--good)", good * 2 - 1) if good > 0.5 else ("var(--bad)", 1 - good * 2)
    return f'<td class=cell style="background:rgba({colour},{0.05 + 0.4 * depth:.2f})">{ratio:.2f}</td>'


def _definitions() -> str:
    return _fold(
        "What each measure tells",
        "<dl>" + "".join(f"<dt>{escape(f.title)}</dt><dd>{escape(f.says)}</dd>" for f in FEATURES) + "</dl>",
    )


def _faults(one: dict[str, Any]) -> str:
    ours, real = one["faults"], one["real_faults"] or {}
    lines = [
        ("proper endings", "proper", _percent, "not left hanging, not cut off; a longer last note or the tonic below"),
        ("released", "released", _percent, "the last notes struck end within 2 s of the end of all"),
        ("not cut off", "whole", _percent, "the last notes are at least half as long as notes mostly are"),
        ("longer last note", "longer", _percent, "by a quarter at least"),
        ("ends on the tonic", "tonic", _percent, "in the lowest voice, of the key that fits the piece best"),
        ("hanging notes in a thousand", "hanging", _figure, "longer than 15 s"),
        ("pieces with a hanging note", "pieces_hanging", _percent, ""),
        ("notes out of range", "outside", _percent, "not playable on their instrument, moved by octaves"),
        ("notes of uncommon pitch", "uncommon", _percent, "beyond where 99 % of real notes of the instrument lie"),
        ("instruments present", "present", _percent, "of those asked for, with 1 % of the notes at least"),
    ]  # fmt: skip
    rows = [[name, show(ours[key]), show(real.get(key)), escape(says)] for name, key, show, says in lines]
    missing = ""
    if ours["missing"]:
        listed = ", ".join(f"{escape(g)} ({share:.0%})" for g, share in ours["missing"].items())
        missing = f"<p class=soft>Asked for and not heard: {listed}.</p>"
    heads = ["style", "pieces", "proper endings", "hanging", "uncommon", "present"]
    styles = [
        [
            escape(style),
            str(f["pieces"]),
            _percent(f["proper"]),
            _figure(f["hanging"]),
            _percent(f["uncommon"]),
            _percent(f["present"]),
        ]
        for style, f in ((style, found["faults"]) for style, found in one["by_style"].items())
    ]
    return (
        _table(["whole pieces", "set", "real, held out", ""], rows, wide=(3,))
        + missing
        + _fold("By style", _table(heads, styles))
    )


def _copying(one: dict[str, Any]) -> str:
    rows, worst = [], []
    for line, found in one["copying"].items():
        for name, key in (("set", "set"), ("real, held out", "real")):
            runs = found[key]
            if runs is None:
                continue
            rows.append(
                [
                    escape(line),
                    name,
                    f"{runs['median']:.0f}",
                    f"{runs['high']:.0f}",
                    str(runs["longest"]),
                    _percent(runs["share"]),
                ]
            )
            worst += [
                [
                    escape(line),
                    escape(run["name"]),
                    str(run["notes"]),
                    _percent(run["share"]),
                    escape(Path(run["source"]).name),
                ]
                for run in runs["worst"]
                if run["notes"] and key == "set"
            ]
    return (
        "<p>The longest stretch of an excerpt whose intervals and instruments are those of training music in any key, "
        "at least 12 of them; an upper bound, as a run may be pieced together from several pieces. Held-out music "
        "shows how much is common property.</p>"
        + _table(["line", "music", "median", "95th percentile", "longest (notes)", "shingles shared"], rows)
        + (
            _fold("The longest runs", _table(["line", "piece", "notes", "shingles shared", "found in"], worst))
            if worst
            else ""
        )
    )


def _critic(one: dict[str, Any]) -> str:
    critic = one["critic"]
    rows = [
        [name, str(s["excerpts"]), f"{s['mean']:+.2f}", _percent(s["real"])]
        for name, s in (("set", critic["set"]), ("real", critic["real"]))
    ]
    return (
        f"<p>A model trained to tell real music from composed gives log-odds that an excerpt is real. It ranks a real "
        f"excerpt above a composed one {critic['auc']:.0%} of the time; 50 % is chance.</p>"
        + _table(["music", "excerpts", "mean log-odds", "taken for real"], rows)
    )


def _corpus(corpus: dict[str, Any]) -> str:
    counts = [
        [escape(name), f"{c['files']:,}", f"{c['notes']:,}", f"{c['hours']:.1f}", f"{c['tokens']:,}"]
        for name, c in [*corpus["splits"].items(), ("all", corpus["total"])]
    ]
    styles = [
        [
            escape(name), *(f"{c['split'].get(split, 0):,}" for split in ("train", "valid", "test")),
            f"{c['notes']:,}", f"{c['hours']:.1f}", f"{c['tokens']:,}",
            ", ".join(f"{escape(f)} {share:.0%}" for f, share in list(c["families"].items())[:5] if share >= 0.01),
        ]
        for name, c in corpus["styles"].items()
    ]  # fmt: skip
    families = [
        [escape(n), f"{f['notes']:,}", f"{f['share']:.1%}", f"{f['files']:,}"] for n, f in corpus["families"].items()
    ]
    genres = [
        [escape(n), f"{g['files']:,}", f"{g['notes']:,}", f"{g['hours']:.1f}"] for n, g in corpus["genres"].items()
    ]
    left_out = [*corpus["unreadable"], *(line for line in corpus["left_out"] if line not in corpus["unreadable"])]
    hours = sorted(((n, c["hours"]) for n, c in corpus["styles"].items()), key=lambda item: -item[1])
    return (
        "<p>Counted from the files as they are. Tokens are two a note and one a distinct time at which a note begins "
        "or ends.</p>"
        + _table(["split", "files", "notes", "hours", "tokens"], counts)
        + _picture(draw_corpus(hours), "hours by style")
        + _fold(
            "Styles",
            _table(["style", "train", "valid", "test", "notes", "hours", "tokens", "instruments"], styles, wide=(7,)),
        )
        + _fold("Instruments", _table(["family", "notes", "share", "files"], families))
        + _fold("Genres", _table(["genre", "files", "notes", "hours"], genres))
        + (_fold(f"{len(left_out)} files left out", _list(left_out)) if left_out else "")
    )


def _made(figures: dict[str, Any]) -> str:
    made, asked = figures["made"], figures["asked"]
    facts = [("corpus", asked["corpus"])]
    if checkpoint := made.get("checkpoint"):
        facts.append(("checkpoint", f"{checkpoint['path']}, {checkpoint['steps']:,} steps"))
        facts.append(("its SHA-256", checkpoint["sha256"]))
    facts.append(("seed", str(made["seed"])))
    facts.append(
        (
            "made",
            f"{made['at']} with Python {made['python']}, " + ", ".join(f"{n} {v}" for n, v in made["packages"].items()),
        )
    )
    rows = "".join(f"<dt>{escape(name)}</dt><dd><code>{escape(value)}</code></dd>" for name, value in facts)
    return f"<dl>{rows}</dl><p class=soft>All figures are in <code>report.json</code> beside this page.</p>"


def _picture(picture: Picture, alt: str) -> str:
    light, dark = (f"data:image/png;base64,{base64.b64encode(png).decode()}" for png in (picture.light, picture.dark))
    return (
        f'<div class=panel><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="{escape(alt)}"></picture></div>'
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], wide: Sequence[int] = ()) -> str:
    """Return a table; cells are HTML already, columns in `wide` are text."""

    def row(cells: Sequence[str], tag: str) -> str:
        marked = (f"<{tag}{' class=wide' if n in wide else ''}>{cell}</{tag}>" for n, cell in enumerate(cells))
        return f"<tr>{''.join(marked)}</tr>"

    body = "".join(row(cells, "td") for cells in rows)
    return f"<div class=panel><table><thead>{row(head, 'th')}</thead><tbody>{body}</tbody></table></div>"


def _fold(title: str, text: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{text}</details>"


def _list(lines: Sequence[str], most: int = 200) -> str:
    shown = "".join(f"<li>{escape(line)}</li>" for line in lines[:most])
    more = f"<li>and {len(lines) - most} more</li>" if len(lines) > most else ""
    return f"<ul>{shown}{more}</ul>"


def _percent(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:.1%}" if 0 < value < 0.1 else f"{value:.0%}"


def _figure(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def _interval(interval: dict[str, float]) -> str:
    return f"{interval['mean']:.2f} <span class=soft>{interval['low']:.2f}–{interval['high']:.2f}</span>"
