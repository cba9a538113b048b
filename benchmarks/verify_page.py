"""The report's page in a real browser, at desktop and phone width.

    python benchmarks/verify_page.py [PAGE.html ...]

Without pages, reports of each answer are made up. Needs Chromium; prints a line for each page and width, and fails where
something is wider than the screen, the verdict is not on the first screen, or the text of a plot is too small to read.
"""

import html
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flax2optax.verify.report import Report

TOP = Path(__file__).parents[1]
sys.path[:0] = [str(TOP / "migrator"), str(TOP / "rules")]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTHS = {"desktop": 1280, "phone": 390}
SMALLEST = 7
"""Pixels that a letter of a plot is high at least."""
MEASURE = """
<body style="margin:0"><iframe style="border:0" width="{width}" height="800" srcdoc="{page}"></iframe><pre></pre><script>
onload = () => {{
  const doc = document.querySelector('iframe').contentDocument;
  const high = [...doc.querySelectorAll('svg text')].map(one => one.getBoundingClientRect().height);
  document.querySelector('pre').textContent = JSON.stringify({{
    width: doc.documentElement.scrollWidth, verdict: doc.querySelector('h1').getBoundingClientRect().bottom,
    text: Math.min(99, ...high), plots: doc.querySelectorAll('svg').length}});
}}</script>
"""


def main() -> int:
    """1 where a page does not fit."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("there is no Chromium here")
    wrong = 0
    for name, page in pages(sys.argv[1:]):
        for device, width in WIDTHS.items():
            found = measured(browser, page, width)
            fits = found["width"] <= width and found["verdict"] < 300 and found["text"] >= SMALLEST
            wrong += not fits
            print(f"{'ok   ' if fits else 'WRONG'} {name}, {device}: {found}")
    return int(wrong > 0)


def pages(names: list[str]) -> Iterator[tuple[str, str]]:
    """Those that are named, or one for each answer."""
    yield from ((name, Path(name).read_text("utf-8")) for name in names)
    if not names:
        from flax2optax.verify.page import to_page

        yield from ((report.answer, to_page(report)) for report in reports())


def reports() -> Iterator["Report"]:
    """With long names, many steps, infinities and NaN."""
    from flax2optax.verify.evidence import Evidence
    from flax2optax.verify.report import Report, Speed
    from flax2optax.verify.verdict import Verdict

    leaf = "params/encoder/layers_11/self_attention/query_projection/kernel"
    for answer, ratio in (("equal", 0.0), ("equal to rounding", 1.5), ("differs", math.inf)):
        table = {f"{leaf}_{at}": [ratio * step for step in range(1, 41)] for at in range(80)}
        verdict = Verdict(answer != "differs", ratio, leaf, 1, "")
        line = [1e-12 * ratio if ratio < 9 else 0.1] * 40
        evidence = Evidence("free run in float64", verdict, table, line, [1e-14] * 40, 40)
        speed = {side: Speed(2.0, 0.004, 300 << 20, 40) for side in ("before", "after")}
        losses = {"before": [1 / step for step in range(1, 41)], "after": [math.nan] * 40}
        command = f"flax2optax verify train -- python main.py --config={leaf}.py"
        sentence = f"Something about {leaf}."
        yield Report(
            answer, sentence, command, leaf, 1, ratio, f"The cause is in {leaf}.",
            (evidence, evidence), tuple(range(40)), speed, losses, [0.1] * 40,
            {"jax": "0.10.2"}, ["cpu"] * 8, "cpu", (0, 1, 2, 3), 42.0, (f"A note on {leaf}.",),
        )  # fmt: skip
    yield Report("not run", f"The command was not found: {leaf}.", "flax2optax verify")


def measured(browser: str, page: str, width: int) -> dict[str, float]:
    """What the browser makes of it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "page.html")
        file.write_text(MEASURE.format(width=width, page=html.escape(page)), "utf-8")
        words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"]
        size = f"--window-size={max(WIDTHS.values())},900"
        command = [browser, *words, size, "--virtual-time-budget=5000", "--dump-dom", file.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    (found,) = re.findall(r"<pre>(\{.*?\})</pre>", done.stdout)
    return {name: round(value, 1) for name, value in json.loads(found).items()}


if __name__ == "__main__":
    sys.exit(main())
