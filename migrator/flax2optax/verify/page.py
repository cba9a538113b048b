"""The report as one HTML page that needs nothing else: no script, no font, no address."""

import math
from collections.abc import Iterator
from html import escape
from typing import Final

from .evidence import Evidence
from .plot import log_plot, plain_plot
from .report import Report
from .terminal import speed_rows, where
from .verdict import LIMIT

MOST_LEAVES: Final = 60
STYLE: Final = """
:root{--ink:#1b1f24;--soft:#59636e;--line:#d1d9e0;--back:#fff;--panel:#f6f8fa;--good:#1a7f37;--bad:#cf222e;
--unknown:#9a6700;--old:#0969da;--new:#bc4c00;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--back:#0d1117;--panel:#151b23;
--good:#3fb950;--bad:#f85149;--unknown:#d29922;--old:#4493f8;--new:#f0883e}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:960px;margin:0 auto;padding:16px}
header{border-left:6px solid var(--mark);padding:4px 0 4px 16px;margin:8px 0 24px}
.good{--mark:var(--good)}.bad{--mark:var(--bad)}.unknown{--mark:var(--unknown)}
h1{margin:0;font-size:1.9rem;color:var(--mark)}
h2{font-size:1.15rem;margin:32px 0 8px}
p{margin:8px 0;overflow-wrap:anywhere}
.wide{overflow-x:auto;border:1px solid var(--line);border-radius:6px}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{padding:6px 10px;text-align:left;border-bottom:1px solid var(--line);white-space:nowrap}
tr:last-child>*{border-bottom:0}thead th{background:var(--panel);color:var(--soft);font-weight:600}
.heat th+th,.heat td{text-align:center}.heat td{padding:4px 6px;min-width:34px;font:.75rem ui-monospace,monospace}
.heat tbody th{position:sticky;left:0;background:var(--back);font:.8rem ui-monospace,monospace;max-width:42vw;
overflow:hidden;text-overflow:ellipsis;direction:rtl}
svg{display:block;width:100%;height:auto;background:var(--panel);border:1px solid var(--line);border-radius:6px}
svg text{font:11px ui-monospace,monospace;fill:var(--soft)}
.grid{stroke:var(--line)}polyline{fill:none;stroke-width:2}
.before,.noise{stroke:var(--old);fill:none}.after,.deviation{stroke:var(--new);fill:none}
circle.before,circle.noise{fill:var(--old)}circle.after,circle.deviation{fill:var(--new)}
polyline.after{stroke-dasharray:6 4}.limit{stroke:var(--bad);stroke-dasharray:3 4}
.key{color:var(--soft);font-size:.85rem}.key b{font-weight:600}
.key .o{color:var(--old)}.key .n{color:var(--new)}.key .l{color:var(--bad)}
pre{background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:12px;overflow-x:auto}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 16px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
@media(max-width:600px){dl{grid-template-columns:1fr}dd{margin-bottom:8px}svg text{font-size:18px}}
"""


def to_page(report: Report) -> str:
    """The whole page: the verdict first."""
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{escape(report.answer)} – flax2optax verify</title>",
            f"<style>{STYLE}</style></head><body><main>",
            *_header(report),
            *_comparisons(report),
            *_deviation(report),
            *_heat(report),
            *_losses(report),
            *_speed(report),
            *_proof(report),
            "</main></body></html>\n",
        ]
    )


def _header(report: Report) -> Iterator[str]:
    kind = {0: "good", 1: "bad", 2: "unknown"}[report.exit_code]
    yield f'<header class="{kind}"><h1>{escape(report.answer)}</h1>'
    yield f"<p>{escape(report.sentence)}</p>"
    if report.cause:
        yield f"<p><strong>Likely cause.</strong> {escape(report.cause)}</p>"
    yield "</header>"


def _comparisons(report: Report) -> Iterator[str]:
    if not report.evidence:
        return
    yield "<h2>Comparisons</h2>"
    heads = ("comparison", "verdict", "largest ratio", "leaf", "step", "of")
    yield from _table(heads, [_row(one) for one in report.evidence])
    yield (
        '<p class="key">The ratio is the difference over what a rounding error makes of it, '
        f"measured by control runs; the limit is {LIMIT:g}. The first comparison that can decides.</p>"
    )


def _deviation(report: Report) -> Iterator[str]:
    one = report.decisive
    if one is None or not one.deviations:
        return
    limits = [LIMIT * noise for noise in one.noises]
    yield f"<h2>Deviation per step, {escape(one.name)}</h2>"
    lines = {"noise": one.noises, "limit": limits, "deviation": one.deviations}
    yield log_plot(lines, "largest deviation per step on a log scale, with its threshold")
    yield (
        '<p class="key"><b class="n">after against before</b> · <b class="o">what rounding makes</b> · '
        '<b class="l">the threshold</b>. Largest over all leaves; 0 is drawn at the bottom.</p>'
    )


def _heat(report: Report) -> Iterator[str]:
    one = report.decisive
    if one is None or not one.table:
        return
    worst = sorted(one.table.items(), key=lambda item: -max(item[1], default=0.0))
    yield "<h2>Ratio per leaf and step</h2>"
    yield '<div class="wide"><table class="heat"><thead><tr><th>leaf</th>'
    steps = len(worst[0][1])
    counters = report.counters if len(report.counters) == steps else range(1, steps + 1)
    yield "".join(f"<th>{at}</th>" for at in counters) + "</tr></thead><tbody>"
    for leaf, row in worst[:MOST_LEAVES]:
        cells = "".join(_cell(ratio) for ratio in row)
        yield f'<tr><th title="{escape(leaf)}"><bdi>{escape(leaf)}</bdi></th>{cells}</tr>'
    yield "</tbody></table></div>"
    left = len(worst) - MOST_LEAVES
    more = f" {left} leaves with smaller ratios are not shown." if left > 0 else ""
    yield f'<p class="key">The head of each column is flax\'s step counter, where it was seen.{more}</p>'


def _cell(ratio: float) -> str:
    if ratio == 0:
        return "<td>·</td>"
    strength = 1.0 if math.isinf(ratio) else min(1.0, 0.25 + math.log10(ratio / LIMIT + 1) / 8)
    mark = "bad" if ratio > LIMIT else "good"
    share = round(100 * (0.6 * strength if ratio > LIMIT else 0.1 + 0.4 * ratio / LIMIT))
    text = "∞" if math.isinf(ratio) else f"{ratio:.0e}" if ratio >= 100 else f"{ratio:.1f}"
    return (
        f'<td style="background:color-mix(in srgb,var(--{mark}) {share}%,transparent)">{text}</td>'
    )


def _losses(report: Report) -> Iterator[str]:
    lines = {side: line for side, line in report.losses.items() if len(line) > 1}
    if not lines:
        return
    yield "<h2>Loss</h2>"
    yield plain_plot(lines, "loss of both runs per step")
    yield '<p class="key"><b class="o">before</b> · <b class="n">after (dashed)</b>, in the program\'s own type.</p>'


def _speed(report: Report) -> Iterator[str]:
    if report.speed:
        yield "<h2>Time and memory</h2>"
        yield from _table(("", "compile", "median step", "peak memory"), speed_rows(report))


def _proof(report: Report) -> Iterator[str]:
    yield f"<h2>Repeat it</h2><pre>{escape(report.command)}</pre><dl>"
    facts = {
        "versions": ", ".join(f"{name} {version}" for name, version in report.versions.items()),
        "device": where(report),
        "platform": report.platform,
        "seeds of the control runs": ", ".join(map(str, report.seeds)),
        "step counters": ", ".join(map(str, report.counters)),
        "learning rates": ", ".join(f"{rate:.6g}" for rate in report.rates),
        "took": f"{report.seconds:.0f} s",
    }
    for name, fact in facts.items():
        if fact:
            yield f"<dt>{name}</dt><dd>{escape(fact)}</dd>"
    yield "</dl>"
    if report.notes:
        yield "<h2>Notes</h2>" + "".join(f"<p>{escape(note)}</p>" for note in report.notes)


def _row(one: Evidence) -> tuple[str, ...]:
    verdict = one.verdict
    word = "differs" if not verdict.equal else "equal" if verdict.ratio == 0 else "rounding"
    ratio = "∞" if math.isinf(verdict.ratio) else f"{verdict.ratio:.3g}"
    return one.name, word, ratio, verdict.leaf or "–", str(verdict.step or "–"), str(one.steps)


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield '<div class="wide"><table><thead><tr>'
    yield "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</tbody></table></div>"
