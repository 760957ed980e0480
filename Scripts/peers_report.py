"""What bench-peers says of its figures: tables for a terminal and docs/peers.md, and docs/peers.svg."""
import os
import statistics
from html import escape

from benchmarks import quartiles

QUARTILES_MIN = 3  # samples
KEPT = "<!-- Below this line everything is written by hand; Scripts/bench-peers keeps it. -->"
PLAIN, STREAM, UP = "nacre autoregressive", "nacre stream", "nacre up"
SERVER, DRAFTS = "llama-server", "llama-server drafts"
SETTINGS = {
    "one host": "One host, the same {count} cores for all. Nacre's `speculative` has drafter and verifier in turn on "
                "all of them, `pearl` and `stream` apart on halves; `nacre up` is its default, as it is placed "
                "there{planned}",
    "two hosts": "A drafter on another host: the verifier, and llama.cpp, on core(s) {cores}; Nacre's drafter on the "
                 "last core, as if it were a host of its own",
}


def plain_beside(drafter):
    """The variant that decodes plainly on the verifier that this drafter drafts for."""
    return f"plain, {drafter} drafter idle"


def default_with(drafter):
    return f"default, {drafter} drafter"


def paired(rows, name, base, key="tokens_per_second"):
    """Median and quartiles of the ratio of two variants over pairs taken in alternation."""
    return quartiles([a / b for a, b in zip(rows[name][key], rows[base][key]) if b > 0] or [0.0])


def spread(middle, low, high, count, mark=""):
    """A median with its quartiles, if there are samples enough to have any."""
    return f"{mark}{middle:.2f}{mark}" + (f" ({low:.2f}–{high:.2f})" if count >= QUARTILES_MIN else "")


def best_peer(rows, among=None):
    """Of llama.cpp's variants (or of `among`) the fastest, by pairs, since the machine's speed goes up and down."""
    return max(among or [name for name in rows if name.startswith("llama")],
               key=lambda name: paired(rows, name, PLAIN)[0])


HEAD = ["| requests | | n | tokens/s | first | decoding | to plain | to llama.cpp's best | accepted | differ |",
        "|---|---|---|---|---|---|---|---|---|---|"]


def table(rows, load):
    best = best_peer(rows)
    for name, row in rows.items():
        to_plain, to_best = paired(rows, name, PLAIN)[0], paired(rows, name, best)
        count = len(row["tokens_per_second"])
        first = f"{statistics.median(row['first']):.2f} s" if row["first"] else "–"
        alone = f"{statistics.median(row['decode']):.1f}" if load == 1 else "–"
        accepted = f"{row['accepted'] / row['judged']:.2f}" if row["judged"] else "–"
        mark = "**" if to_best[0] >= 1 and name.startswith("nacre") else ""
        yield (f"| {load} | {name} | {count} | {statistics.median(row['tokens_per_second']):.1f} | {first} | {alone} | "
               f"{to_plain:.2f} | {spread(*to_best, count, mark)} | {accepted} | "
               f"{row['different']} of {row['answers']} |")


def lengths(chosen):
    for name, choice in chosen.items():
        rates = ", ".join(f"{length}: {rate:.1f}" for length, rate in choice["rates"].items())
        extra = f", options `{' '.join(choice['options'])}`" if choice.get("options") else ""
        yield f"{name} {choice['length']}{extra} ({rates})"


def totals(jobs):
    """Sums over the statistics of jobs, times in seconds."""
    tokens = sum(round((job["mean_accepted_tokens"] + 1) * job["rounds"]) for job in jobs)
    times = [(job["mean_accepted_tokens"] + 1) * job["rounds"] / job["tokens_per_second"] for job in jobs]
    keys = ("rounds", "drafted", "verified", "judged", "accepted", "stale", "draft_microseconds", "wire_microseconds")
    total = {key: sum(job[key] for job in jobs) for key in keys}
    gap = statistics.median(job["gap_microseconds"] for job in jobs) / 1e6
    busy = sum(time * job["verifier_busy"] for time, job in zip(times, jobs))
    return total | {"tokens": tokens, "time": sum(times), "gap": gap, "busy": busy}


def passes(jobs):
    """t_p(n) in seconds as measured in this very run: nodes of a pass, its time; means of the jobs of one kind."""
    kinds = {}
    for job in jobs:
        total = totals([job])
        kinds.setdefault(round(1 + total["verified"] / total["rounds"]), []).append(total)
    points = []
    for group in kinds.values():
        rounds = sum(total["rounds"] for total in group)
        points.append((1 + sum(total["verified"] for total in group) / rounds,
                       sum(total["busy"] for total in group) / rounds))
    return sorted(points)


def pass_time(points, nodes):
    """Between the measured sizes on a line, beyond them on that of the last two."""
    if len(points) == 1:
        return points[0][1]
    index = next((i for i, (n, _) in enumerate(points) if n >= nodes), len(points) - 1)
    (n, t), (m, u) = points[max(0, index - 1)], points[max(1, index)]
    return t + (u - t) * (nodes - n) / (m - n)


def share(setting):
    """How the stream's decoding time compares with the bound for drafts that cost nothing, and where the rest went.

    The bound is max over n of (1 − αⁿ) / ((1 − α) t_p(n)) tokens per second, with α and t_p measured; n no larger than
    the largest pass that was measured.
    """
    rows, chosen = setting["loads"]["1"], setting["chosen"]["nacre speculative"]
    stream, plain = totals(rows[STREAM]["statistics"]), totals(rows[PLAIN]["statistics"])
    if not stream["judged"]:
        return None
    alpha = min(stream["accepted"] / stream["judged"], 0.999)
    table = passes(rows[PLAIN]["statistics"] + rows["nacre speculative"]["statistics"] + chosen["statistics"])
    bound, nodes = max(((1 - alpha ** n) / (1 - alpha) / pass_time(table, n), n)
                       for n in range(1, 1 + round(table[-1][0])))
    time, ideal = stream["time"], stream["tokens"] / bound
    mean_nodes = 1 + stream["verified"] / stream["rounds"]
    by_table = stream["rounds"] * pass_time(table, mean_nodes)
    own = min(stream["rounds"] * plain["gap"], max(0.0, time - stream["busy"]))
    return {
        "alpha": alpha, "bound": bound, "nodes": nodes, "rate": stream["tokens"] / time, "share": ideal / time,
        "composition": (by_table - ideal) / time, "slower": (stream["busy"] - by_table) / time, "own": own / time,
        "waiting": (time - stream["busy"] - own) / time, "table": table, "mean_nodes": mean_nodes,
        "per_pass": stream["tokens"] / stream["rounds"], "stale": stream["stale"] / max(1, stream["drafted"]),
        "wire": stream["wire_microseconds"] / 1e6 / time, "pass": pass_time(table, 1),
        "draft": stream["draft_microseconds"] / 1e6 / max(1, stream["drafted"])}


def in_order(pair):
    """The settings that were measured of a pair, as they are told."""
    return [(name, pair[name]) for name in SETTINGS if name in pair]


def limit_of(pair):
    """`share` of the setting that it is about; `None` if that was not measured."""
    setting = pair.get("two hosts")
    return share(setting) if setting and "1" in setting["loads"] else None


def aims(pair):
    """What the figures are to reach: claim, aim, ratio by the clock, ratio of decoding alone (or None)."""
    near, far = (pair.get(name, {"loads": {}})["loads"] for name in ("one host", "two hosts"))
    if "1" in far:
        rows, limit = far["1"], limit_of(pair)
        cost = limit["draft"] / limit["pass"] if limit else 0
        aim = 1.3 if cost >= 0.13 else 1.08 if cost >= 0.04 else 1.0
        for base in (DRAFTS, "nacre speculative"):
            yield (f"drafter on another host (a draft costs {cost:.2f} of a pass): stream against {base}", aim,
                   paired(rows, STREAM, base)[0], paired(rows, STREAM, base, "decode")[0])
        if limit:
            yield ("drafter on another host: share of the bound", 0.85, None, limit["share"])
    if "1" in near:
        yield ("one host: `nacre up` against llama-server drafts", 1.0, paired(near["1"], UP, DRAFTS)[0],
               paired(near["1"], UP, DRAFTS, "decode")[0])
    for load, rows in sorted(near.items(), key=lambda item: int(item[0])):
        if int(load) >= 4:
            base = best_peer(rows, (SERVER, DRAFTS))
            yield f"{load} requests on one host: `nacre up` against {base}", 1.0, paired(rows, UP, base)[0], None


def verdict(aim, by_clock, alone):
    return "yes" if (by_clock if alone is None else alone) >= aim else "**no**"


def accounting(limit):
    percent = lambda value: f"{100 * value:.0f} %"
    table = ", ".join(f"{nodes:.1f}: {seconds * 1e3:.0f} ms" for nodes, seconds in limit["table"])
    return [
        f"Share of the limit: `stream` decodes {limit['rate']:.1f} tokens/s, {percent(limit['share'])} of the "
        f"{limit['bound']:.1f} that drafts which cost nothing would give one verifier in passes of {limit['nodes']}, "
        f"with the measured agreement of {limit['alpha']:.2f} and passes as they took in this run (by their nodes, "
        f"plain and `speculative`; {table}). Of the time, the rest:",
        "", "| | share of the time |", "|---|---|",
        "| passes of another size than that: drafts late or not worth a place, ends of runs "
        f"({limit['mean_nodes']:.1f} nodes, {limit['per_pass']:.2f} tokens a pass) | {percent(limit['composition'])} |",
        f"| passes slower than the table's (a drafter computes beside them) | {percent(limit['slower'])} |",
        f"| own time between passes (as in plain decoding) | {percent(limit['own'])} |",
        f"| waiting for drafts, between passes | {percent(limit['waiting'])} |",
        "",
        f"Drafts that came too late or below a node not taken: {percent(limit['stale'])} of those that arrived; on the "
        f"way from verdicts to the first drafts on them: {percent(limit['wire'])} of the time, beside passes. A draft "
        f"takes {limit['draft'] * 1e3:.1f} ms, a pass of one {limit['pass'] * 1e3:.1f} ms.", ""]


def provenance(run):
    flags = f", and {' '.join(run['tools_flags'])}" if run["tools_flags"] else ""
    return (f"`{run['command']}` on {run['date']}: {run['machine']}; load of the machine before: {run['load_before']}; "
            f"llama.cpp's tools {run['tools']}{flags}.")


def samples(figures):
    """The least and the most samples that a figure of the tables has, as text."""
    counts = sorted({len(row["tokens_per_second"]) for pair in figures["pairs"].values() for setting in pair.values()
                     for rows in setting["loads"].values() for row in rows.values()})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}" if counts else "no"


def markdown(figures):
    out = ["# Nacre beside llama.cpp", "", " ".join(map(provenance, figures["runs"])) +
           " The tools are built from the engine's own source with its compiler and flags (`Scripts/llama-tools`). The "
        "models are cost-shaped (docs/models.md): true cost, and the agreement of the small pair.", "",
        f"Greedy, {figures['tokens']} tokens or the model's own end; prompts of the reporting half. A sample is one "
        f"batch of so many requests at once. A figure is of {samples(figures)} samples (column n), with other prompts "
        "each as far as they go, the same for all variants. Those alternate within each round of samples, with a "
        "second of rest between them, because llama.cpp's threads spin for a while after their last pass. Ratios "
        f"are medians of pairs, with quartiles from {QUARTILES_MIN} samples on. `tokens/s` is by the clock on the "
        "wall of all requests together, prompts included (of `llama-speculative-simple` without the load of the "
        "models). `first` is the median time from the question to the first token; `decoding` is the tokens behind "
        "the first event over the time from the first event to the last. Both are taken by the client, curl, from "
        "the events as they come, of Nacre and llama-server alike; `llama-speculative-simple` is taken at its word: "
        "its time of decoding begins before the pass that gives the first token, which it counts. Draft lengths are "
        "the best of the tuning half, of llama-server also from 4 requests on by themselves; where it has several "
        "cores it is also given the best of four settings of its threads, because in a build without OpenMP those "
        "of its two models hinder each "
        "other. `differ` counts texts that are not Nacre's plain text.", ""]
    for title, pair in figures["pairs"].items():
        out += [f"## {title}", ""] if pair else []
        for name, setting in in_order(pair):
            cores = figures["cores"] if name == "one host" else figures["cores"][:-1]
            planned = f" ({setting['planned']})" if setting.get("planned") else ""
            out += [SETTINGS[name].format(count=len(cores), cores=",".join(map(str, cores)), planned=planned) + ".", "",
                    *HEAD]
            for load, rows in sorted(setting["loads"].items(), key=lambda item: int(item[0])):
                out += table(rows, int(load))
            out += ["", f"Draft lengths (tokens/s on the tuning half): {'; '.join(lengths(setting['chosen']))}.", ""]
        limit = limit_of(pair)
        out += accounting(limit) if limit else []
    out += ["## Aims", "", "One request is judged by decoding, where prompts of this length do not hide the methods; "
            "several by the clock.", "",
            "| pair | | aim | by the clock | decoding | met |", "|---|---|---|---|---|---|"]
    for title, pair in figures["pairs"].items():
        for claim, aim, by_clock, alone in aims(pair):
            show = lambda value: "–" if value is None else f"{value:.2f}"
            met = verdict(aim, by_clock, alone)
            out.append(f"| {title} | {claim} | {aim} | {show(by_clock)} | {show(alone)} | {met} |")
    for title, loads in figures["never slower"].items():
        drafters = ("good", "useless")
        out += ["", "## Never slower", "", f"{title}; verifier and drafter on cores of their own; the default against "
                "plain decoding at the same load on the same verifier, by the clock. Aim: at least 0.98.", "",
                "| requests | n | plain (good drafter idle), tokens/s | "
                + " | ".join(map(default_with, drafters)) + " |",
                "|---|---|---" + "|---" * len(drafters) + "|"]
        for load, rows in sorted(loads.items(), key=lambda item: int(item[0])):
            plain = rows[plain_beside(drafters[0])]["tokens_per_second"]
            cells = (spread(*paired(rows, default_with(drafter), plain_beside(drafter)), len(plain))
                     for drafter in drafters)
            out.append(f"| {load} | {len(plain)} | {statistics.median(plain):.1f} | " + " | ".join(cells) + " |")
    return "\n".join(out) + "\n"


def write(figures, folder):
    """docs/peers.md and its plot. What was written by hand below the mark stays."""
    path = os.path.join(folder, "peers.md")
    by_hand = f"{KEPT}\n\n## Why\n"
    if os.path.exists(path):
        with open(path) as file:
            _, mark, rest = file.read().partition(KEPT)
        if mark:
            by_hand = mark + rest
    text = markdown(figures)
    head, rest = text.split("\n\n## ", 1)
    with open(path, "w") as file:
        file.write(f"{head}\n\n![tokens per second by requests at once](peers.svg)\n\n## {rest}\n{by_hand}")
    with open(os.path.join(folder, "peers.svg"), "w") as file:
        file.write(svg(figures))


# Middle tones, to be read on white and on black. Shades of one hue for one program.
COLOURS = {SERVER: "#b07d2b", DRAFTS: "#e0a030", "llama-speculative-simple": "#8a6d3b", PLAIN: "#5b7fa6",
           "nacre speculative": "#3f9ac9", "nacre pearl": "#4f6fd0", STREAM: "#2a9d8f", UP: "#5fb760"}


def svg(figures):
    """Bars of tokens per second, a panel for each pair and setting, a group for each load."""
    width, height, left = 960, 200, 50
    panels = [(f"{title}: {name}", dict(sorted(setting["loads"].items(), key=lambda item: int(item[0]))))
              for title, pair in figures["pairs"].items() for name, setting in in_order(pair)]
    out, y = [], 50
    for number, (name, colour) in enumerate(COLOURS.items()):
        x, line = left + (number % 4) * 225, 12 + (number // 4) * 18
        out.append(f'<rect x="{x}" y="{line - 9}" width="10" height="10" fill="{colour}"/>'
                   f'<text x="{x + 15}" y="{line}">{escape(name)}</text>')
    for title, loads in panels:
        base = y + height - 40
        medians = {(load, name): statistics.median(row["tokens_per_second"]) for load, rows in loads.items()
                   for name, row in rows.items()}
        top = max(medians.values())
        group = (width - left - 10) / len(loads)
        out.append(f'<text x="{left}" y="{y + 14}" class="title">{escape(title)}, tokens/s</text>'
                   f'<line x1="{left}" y1="{base}" x2="{width - 10}" y2="{base}"/>')
        for number, (load, rows) in enumerate(loads.items()):
            bar = min(36.0, (group - 20) / len(rows))
            for place, name in enumerate(rows):
                tall = medians[load, name] / top * (height - 85)
                x = left + number * group + 10 + place * bar
                out.append(f'<rect x="{x:.1f}" y="{base - tall:.1f}" width="{bar - 2:.1f}" height="{tall:.1f}" '
                           f'fill="{COLOURS.get(name, "#888")}">'
                           f'<title>{escape(name)}: {medians[load, name]:.1f}</title></rect>'
                           f'<text x="{x + bar / 2 - 1:.1f}" y="{base - tall - 4:.1f}" class="value">'
                           f'{medians[load, name]:.0f}</text>')
            out.append(f'<text x="{left + number * group + 10}" y="{base + 16}">{load} request(s)</text>')
        y += height
    style = ("text{font:12px sans-serif;fill:#333}.title{font-weight:bold}.value{font-size:9px;text-anchor:middle}"
             "line{stroke:#888}@media(prefers-color-scheme:dark){text{fill:#ddd}}")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" role="img">'
            f'<title>Tokens per second by requests at once</title><style>{style}</style>\n'
            + "\n".join(out) + "\n</svg>\n")
