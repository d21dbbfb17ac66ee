"""The report as one self-contained page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from model.evaluation.comparison import Comparison
from model.evaluation.evaluation import Evaluation
from model.evaluation.measures import FEATURES
from model.evaluation.plots import draw_corpus, draw_critic, draw_measures, draw_overlaps, draw_surprise
from model.evaluation.tables import NONE, figure, files, fold, interval, items, percent, picture, table

PAGE = Path(__file__).with_name("page.html")


def page_of(evaluation: Evaluation, figures: dict[str, Any]) -> str:
    """Return the page.

    Args:
        evaluation: what was found; its values are drawn.
        figures: the same as plain values (see `model.evaluation.report.figures_of`).
    """
    sections: list[tuple[str, str, str]] = []
    if figures["surprise"]:
        sections.append(("surprise", "How well it foresees music", _surprise(figures["surprise"])))
    if len(evaluation.sets) > 1:
        sections.append(("sets", "Sets side by side", _side_by_side(figures["sets"])))
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
    # Several sets stand side by side in a table.
    for one in figures["sets"] if len(figures["sets"]) == 1 else []:
        real = percent((one["real_faults"] or {}).get("proper"))
        facts.append((percent(one["ratio"]), "of the ceiling that real music sets, mean of all measures"))
        facts.append((percent(one["faults"]["proper"]), f"of the pieces end properly; real ones: {real}"))
        if (line := one["copying"].get("top line")) and line["set"]:
            there = f"{line['real']['longest']} in held-out music" if line["real"] else "nothing to compare with"
            facts.append((f"{line['set']['longest']}", f"notes in the longest verbatim run of a top line; {there}"))
        if one["critic"]:
            facts.append((f"{one['critic']['auc']:.2f}", "AUC of the critic; 0.5 if it cannot tell"))
    return facts


def _side_by_side(sets: Sequence[dict[str, Any]]) -> str:
    rows = []
    for one in sets:
        line = one["copying"]["top line"]["set"]
        auc = f"{one['critic']['auc']:.2f}" if one["critic"] else NONE
        rows.append(
            [
                escape(one["name"]),
                str(one["pieces"]),
                percent(one["ratio"]),
                percent(one["faults"]["proper"]),
                percent(one["faults"]["present"]),
                str(line["longest"]) if line else NONE,
                auc,
            ]
        )
    head = ["set", "pieces", "of the ceiling", "proper endings", "instruments present", "longest run", "critic's AUC"]
    return table(head, rows)


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
        + picture(draw_surprise(surprise), "nats per token and bits per note by style")
        + fold("All figures", table(head, rows))
    )


def _set(comparison: Comparison, one: dict[str, Any]) -> str:
    skipped = fold(f"{files(one['skipped'])} could not be used", items(one["skipped"])) if one["skipped"] else ""
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
            picture(draw_overlaps(comparison), "overlapped areas and ceilings"),
            fold("All figures", _measures_table(one)),
            "<h3>Style by style, the worst first</h3>",
            "<p>Overlap as a share of its ceiling. Few pieces make these figures coarse: mind their number.</p>",
            _heat(one),
            "<h3>What the measures look like</h3>",
            picture(draw_measures(comparison), "histograms of all measures"),
            _definitions(),
            "<h3>Endings, hanging notes, ranges, instruments</h3>",
            _faults(one),
            "<h3>Verbatim runs</h3>",
            _copying(one),
            "" if critic is None else "<h3>The critic</h3>" + _critic(one) + picture(critic, "log-odds of the critic"),
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
                interval(overlap["ours"]),
                interval(overlap["ceiling"]),
                interval(overlap["ratio"]),
                str(overlap["excerpts"]),
            ]
        rows.append([escape(feature.title), *means, *figures])
    return table(["measure", "mean", "mean, real", "overlap", "ceiling", "ratio", "excerpts"], rows)


def _heat(one: dict[str, Any]) -> str:
    head = "".join(
        f"<th><span>{escape(title)}</span></th>" for title in ("style", "all", *(f.title for f in FEATURES), "pieces")
    )
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
    return fold(
        "What each measure tells",
        "<dl>" + "".join(f"<dt>{escape(f.title)}</dt><dd>{escape(f.says)}</dd>" for f in FEATURES) + "</dl>",
    )


def _faults(one: dict[str, Any]) -> str:
    ours, real = one["faults"], one["real_faults"] or {}
    lines = [
        ("proper endings", "proper", percent, "not left hanging, not cut off; a longer last note or the tonic below"),
        ("released", "released", percent, "the last notes struck end within 2 s of the end of all"),
        ("not cut off", "whole", percent, "the last notes are at least half as long as notes mostly are"),
        ("longer last note", "longer", percent, "by a quarter at least"),
        ("ends on the tonic", "tonic", percent, "in the lowest voice, of the key that fits the piece best"),
        ("hanging notes in a thousand", "hanging", figure, "longer than 15 s"),
        ("pieces with a hanging note", "pieces_hanging", percent, ""),
        ("notes out of range", "outside", percent, "not playable on their instrument, moved by octaves"),
        ("notes of uncommon pitch", "uncommon", percent, "beyond where 99 % of real notes of the instrument lie"),
        ("instruments present", "present", percent, "of those asked for, with 1 % of the notes at least"),
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
            percent(f["proper"]),
            figure(f["hanging"]),
            percent(f["uncommon"]),
            percent(f["present"]),
        ]
        for style, f in ((style, found["faults"]) for style, found in one["by_style"].items())
    ]
    return (
        table(["whole pieces", "set", "real, held out", ""], rows, wide=(3,))
        + missing
        + fold("By style", table(heads, styles))
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
                    percent(runs["share"]),
                ]
            )
            worst += [
                [
                    escape(line),
                    escape(run["name"]),
                    str(run["notes"]),
                    percent(run["share"]),
                    escape(Path(run["source"]).name),
                ]
                for run in runs["worst"]
                if run["notes"] and key == "set"
            ]
    return (
        "<p>The longest stretch of an excerpt whose intervals and instruments are those of training music in any key, "
        "at least 12 of them; an upper bound, as a run may be pieced together from several pieces. Held-out music "
        "shows how much is common property.</p>"
        + table(["line", "music", "median", "95th percentile", "longest (notes)", "shingles shared"], rows)
        + (
            fold("The longest runs", table(["line", "piece", "notes", "shingles shared", "found in"], worst))
            if worst
            else ""
        )
    )


def _critic(one: dict[str, Any]) -> str:
    critic = one["critic"]
    rows = [
        [name, str(s["excerpts"]), f"{s['mean']:+.2f}", percent(s["real"])]
        for name, s in (("set", critic["set"]), ("real", critic["real"]))
    ]
    return (
        f"<p>A model trained to tell real music from composed gives log-odds that an excerpt is real. It ranks a real "
        f"excerpt above a composed one {critic['auc']:.0%} of the time; 50 % is chance.</p>"
        + table(["music", "excerpts", "mean log-odds", "taken for real"], rows)
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
        + table(["split", "files", "notes", "hours", "tokens"], counts)
        + picture(draw_corpus(hours), "hours by style")
        + fold(
            "Styles",
            table(["style", "train", "valid", "test", "notes", "hours", "tokens", "instruments"], styles, wide=(7,)),
        )
        + fold("Instruments", table(["family", "notes", "share", "files"], families))
        + fold("Genres", table(["genre", "files", "notes", "hours"], genres))
        + (fold(f"{files(left_out)} left out", items(left_out)) if left_out else "")
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
