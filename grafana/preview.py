#!/usr/bin/env python3
"""Draws what the boards show, from a Prometheus that holds a run: one contact sheet per board. A preview, not Grafana.

    python3 grafana/preview.py --url http://127.0.0.1:9090 --run showcase --out docs/images
    python3 grafana/preview.py … --board emulator --from now-5m --to now --step 5

What belongs here: queries with their variables put in, and pictures of the answers. What does not: what boards ask
(grafana/boards). Needs matplotlib.
"""

import argparse
import json
import math
import re
import sys
import textwrap
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402
from PIL import Image  # noqa: E402

HERE = Path(__file__).resolve().parent
BACKGROUND, PAPER, INK, FAINT, GRID = "#111217", "#181b1f", "#ccccdc", "#8e8e9a", "#2c2f36"
SERIES = [
    "#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#fade2a",
    "#447ebc", "#c15c17", "#890f02", "#0a437c", "#6d1f62", "#584477", "#b7dbab", "#f4d598", "#70dbed", "#f9ba8f",
]
COLOURS = {
    "green": "#73bf69", "orange": "#ff9830", "red": "#f2495c", "blue": "#5794f2", "yellow": "#fade2a", "purple": "#b877d9",
    "super-light-green": "#c8f2c2", "super-light-red": "#ffa6b0",
}
COLUMNS, UNIT_WIDTH, UNIT_HEIGHT = 24, 0.62, 0.40


def moment(text):
    """A time as boards and people write it, or @SECONDS since 1970."""
    if text.startswith("@"):
        return float(text[1:])
    relative = re.fullmatch(r"now(?:-(\d+)([smhd]))?", text)
    if relative:
        number, unit = relative.groups()
        return time.time() - (int(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] if number else 0)
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Prometheus:
    """The source, and the variables of a board as their values."""

    def __init__(self, url, variables, begin, end, step):
        self.url, self.variables, self.begin, self.end, self.step = url.rstrip("/"), variables, begin, end, step

    def filled(self, expression, step):
        """The query with every variable put in. Longer names first: $__range is no $__r."""
        values = {
            "__rate_interval": f"{max(4 * step, step + step)}s",
            "__interval": f"{step}s",
            "__range": f"{int(self.end - self.begin)}s",
            **{name: value for name, value in self.variables.items() if value is not None},
        }
        for name in sorted(values, key=len, reverse=True):
            expression = expression.replace("${" + name + "}", values[name]).replace("$" + name, values[name])
        return expression

    def ask(self, expression, step=None):
        """Series as (labels, times, values)."""
        step = step or self.step
        asked = {
            "query": self.filled(expression, step), "start": self.begin, "end": self.end, "step": step,
        }
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query_range", urllib.parse.urlencode(asked).encode()) as answer:
                result = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            sys.exit(f"{asked['query']}\n{error.read().decode()}")
        except urllib.error.URLError as error:
            sys.exit(f"{self.url}: {error.reason}\n\nhint: grafana/README.md says how to start a Prometheus that holds a run")
        made = []
        for one in result:
            points = [(float(at), float(value)) for at, value in one["values"]]
            points = [point for point in points if math.isfinite(point[1])]
            if points:
                made.append((one["metric"], [at for at, _ in points], [value for _, value in points]))
        return made

    def values(self, board, label):
        """All values that a variable offers."""
        variable = next(one for one in board["templating"]["list"] if one["name"] == label)
        name = variable["query"]["query"].removeprefix("label_values(").rsplit(",", 1)[0]
        return sorted({labels[label] for labels, _, _ in self.ask(name)})


def shown(value, unit, digits=3):
    """A number with its unit, as people read it."""
    if value is None or not math.isfinite(value):
        return "–"
    if unit == "percentunit":
        return f"{100 * value:.{digits}g} %" if abs(value) < 10 else f"{100 * value:,.0f} %"
    if unit == "locale":
        return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.{digits}g}"
    if unit in ("s", "dtdurations"):
        for size, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs")):
            if abs(value) >= size:
                return f"{value / size:.{digits}g} {name}"
        return f"{value:.{digits}g} s"
    if unit == "bytes":
        for size, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
            if abs(value) >= size:
                return f"{value / size:.{digits}g} {name}"
        return f"{value:.0f} B"
    before = unit.removeprefix("currency:") if unit.startswith("currency:") else ""
    after = unit.removeprefix("suffix:") if unit.startswith("suffix:") else ""
    for size, name in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= size:
            return f"{before}{value / size:.{digits}g}{name}{after}"
    return f"{before}{value:.{digits}g}{after}"


def called(target, labels):
    """A series by the legend of its query."""
    pattern = target["legendFormat"]
    if pattern == "__auto":
        return " ".join(value for name, value in sorted(labels.items()) if name not in ("__name__", "run")) or "value"
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), pattern)


def colour(steps, value):
    at = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return COLOURS.get(at[-1] if at else "blue", INK)


class Sheet:
    """One board as a picture."""

    def __init__(self, board, source):
        self.board, self.source = board, source
        self.bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
        self.head = 2.6
        self.width, self.height = COLUMNS * UNIT_WIDTH, (self.bottom + self.head) * UNIT_HEIGHT
        self.figure = pyplot.figure(figsize=(self.width, self.height), facecolor=BACKGROUND)
        self.empty, self.marks = [], self.annotations()

    def annotations(self):
        found = []
        for one in self.board["annotations"]["list"]:
            if one["enable"]:
                for _, times, values in self.source.ask(one["target"]["expr"]):
                    found += [(at, COLOURS.get(one["iconColor"], INK)) for at, value in zip(times, values) if value > 0]
        return found

    def area(self, place, inner=(0.0, 0.0, 0.0, 0.0)):
        """Axes where a panel stands, less a border (left, right, top, bottom) in units of the grid."""
        left, right, top, low = inner
        x, y, w, h = place["x"] + left, place["y"] + top + self.head, place["w"] - left - right, place["h"] - top - low
        total = self.bottom + self.head
        return self.figure.add_axes([x / COLUMNS, 1 - (y + h) / total, w / COLUMNS, h / total])

    def draw(self):
        run = self.source.variables.get("run", "")
        head = self.figure.add_axes([0, 1 - self.head / (self.bottom + self.head), 1, self.head / (self.bottom + self.head)])
        head.axis("off")
        begin, end = (datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M") for at in (self.source.begin, self.source.end))
        head.text(0.01, 0.66, self.board["title"], color=INK, fontsize=19, va="center", weight="bold")
        head.text(0.01, 0.22, self.board["description"], color=FAINT, fontsize=10, va="center")
        chosen = "   ".join(f"{name}: {'All' if value == '.*' or '|' in value else value}" for name, value in self.source.variables.items() if name in self.names())
        head.text(0.99, 0.66, f"run: {run}   {chosen}   {begin} to {end} UTC", color=INK, fontsize=9.5, va="center", ha="right")
        head.text(0.99, 0.22, "preview drawn from the board's queries, not Grafana", color="#ff9830", fontsize=9.5, va="center", ha="right")
        for panel in self.board["panels"]:
            if panel["type"] == "row":
                axes = self.area(panel["gridPos"])
                axes.axis("off")
                axes.text(0.008, 0.4, panel["title"], color=INK, fontsize=11, weight="bold", va="center")
                continue
            frame = self.area(panel["gridPos"], (0.1, 0.1, 0.1, 0.1))
            frame.set_facecolor(PAPER)
            frame.set_xticks([])
            frame.set_yticks([])
            for spine in frame.spines.values():
                spine.set_color(GRID)
            size = panel["gridPos"]
            frame.text(0.12 / size["w"] * 1.6, 1 - 0.52 / size["h"], panel["title"], color=INK, fontsize=9, va="center", weight="bold")
            DRAW[panel["type"]](self, panel)

    def names(self):
        return {variable["name"] for variable in self.board["templating"]["list"]} - {"datasource", "run"}

    def series(self, panel):
        """All series of a panel as (name, times, values); says so where there are none."""
        found = []
        for target in panel["targets"]:
            step = int(target["interval"].rstrip("s")) if target.get("interval") else None
            for labels, times, values in self.source.ask(target["expr"], step and max(step, self.source.step)):
                found.append((called(target, labels), times, values))
        if not found:
            live = panel["description"].endswith("Of live runs only.")
            if not live:
                self.empty.append(panel["title"])
            axes = self.area(panel["gridPos"])
            axes.axis("off")
            axes.text(0.5, 0.42, "of live runs only" if live else "no data", color=FAINT, fontsize=10, ha="center")
        # Numbers as names in their own order.
        return sorted(found, key=lambda one: (0, int(one[0]), "") if one[0].isdigit() else (1, 0, ""))


def draw_stat(sheet, panel):
    found = sheet.series(panel)
    if not found:
        return
    defaults = panel["fieldConfig"]["defaults"]
    name, times, values = found[0]
    steps = defaults["thresholds"]["steps"]
    tone = colour(steps, values[-1])
    if panel["options"]["graphMode"] == "area":
        axes = sheet.area(panel["gridPos"], (0.12, 0.12, 2.2, 0.12))
        axes.axis("off")
        axes.fill_between(times, values, min(values), color=tone, alpha=0.18, linewidth=0)
        axes.plot(times, values, color=tone, linewidth=1)
        axes.margins(0, 0.1)
    axes = sheet.area(panel["gridPos"])
    axes.axis("off")
    axes.patch.set_alpha(0)
    text = name if panel["options"]["textMode"] == "name" else shown(values[-1], defaults["unit"])
    axes.text(0.5, 0.52, text, color=tone, fontsize=18, ha="center", va="center", weight="bold")


def dress(axes, sheet, unit):
    axes.set_facecolor(PAPER)
    axes.set_axisbelow(True)
    axes.grid(color=GRID, linewidth=0.5)
    axes.tick_params(colors=FAINT, labelsize=6.5, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlim(sheet.source.begin, sheet.source.end)
    parts = 6 if axes.get_position().width > 0.14 else 3
    ticks = [sheet.source.begin + (sheet.source.end - sheet.source.begin) * part / parts for part in range(1, parts)]
    pattern = "%H:%M:%S" if sheet.source.end - sheet.source.begin < 1800 else "%H:%M"
    axes.set_xticks(ticks, [datetime.fromtimestamp(at, timezone.utc).strftime(pattern) for at in ticks])
    axes.yaxis.set_major_formatter(lambda value, _: shown(value, unit, digits(axes)))


def digits(axes):
    """As many as tell one line of the grid from the next."""
    low, high = axes.get_ylim()
    most = max(abs(low), abs(high))
    return 3 if most == 0 or high - low > 0.05 * most else min(9, 4 + int(-math.log10((high - low) / most)))


def legend(axes, names, place, right):
    kept, names_max = names[:16], len(names)
    if names_max > len(kept):
        kept = kept[:-1] + [(f"… {names_max - len(kept) + 1} more", FAINT)]
    handles = [pyplot.Line2D([], [], color=tone, linewidth=2) for _, tone in kept]
    options = {"fontsize": 6.2, "frameon": False, "labelcolor": INK, "handlelength": 1.0, "handletextpad": 0.4}
    if right:
        axes.legend(handles, [name for name, _ in kept], loc="upper left", bbox_to_anchor=(1.01, 1.04), **options)
    else:
        columns = max(1, min(len(kept), int(place["w"] * 1.1)))
        columns = max(1, min(columns, int(place["w"] * 9 / (max(len(name) for name, _ in kept) + 4))))
        axes.legend(handles, [name for name, _ in kept], loc="upper left", ncols=columns, bbox_to_anchor=(-0.02, -0.09), columnspacing=1.0, **options)


def draw_lines(sheet, panel):
    found = sheet.series(panel)
    if not found:
        return
    place, defaults = panel["gridPos"], panel["fieldConfig"]["defaults"]
    custom, unit = defaults["custom"], defaults["unit"]
    right = panel["options"]["legend"]["placement"] == "right"
    if right:
        found.sort(key=lambda one: -one[2][-1])
    rows = 1 + min(12, len(found)) * (2 + max(len(name) for name, *_ in found)) // int(place["w"] * 10)
    axes = sheet.area(place, (1.35, 3.4 if right else 0.4, 1.1, 0.8 if right else min(2.6, 1.15 + 0.5 * rows)))
    dress(axes, sheet, unit)
    names = [(name, SERIES[number % len(SERIES)]) for number, (name, *_) in enumerate(found)]
    if custom["stacking"]["mode"] == "normal":
        times = sorted({at for _, ats, _ in found for at in ats})
        known = [dict(zip(ats, values)) for _, ats, values in found]
        rows = [[values.get(at, 0.0) for at in times] for values in known]
        axes.stackplot(times, rows, colors=[tone for _, tone in names], alpha=0.75, linewidth=0)
    else:
        for (_, times, values), (_, tone) in zip(found, names):
            # A gap where nothing was said for a while.
            gap = 5 * max(sheet.source.step, 60)
            at, value = [times[0]], [values[0]]
            for before, after, next_value in zip(times, times[1:], values[1:]):
                if after - before > gap:
                    at.append(before + 1)
                    value.append(math.nan)
                at.append(after)
                value.append(next_value)
            axes.plot(at, value, color=tone, linewidth=1.1)
            if len(found) == 1:
                axes.fill_between(at, value, min(0, min(values)) if "min" in defaults else min(values), color=tone, alpha=0.08, linewidth=0)
    if custom["scaleDistribution"]["type"] == "log":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: shown(value, unit))
        axes.yaxis.set_minor_formatter(lambda value, _: "")
    if custom["axisCenteredZero"]:
        most = max(abs(edge) for edge in axes.get_ylim())
        axes.set_ylim(-most, most)
        axes.axhline(0, color=FAINT, linewidth=0.6)
    low, high = axes.get_ylim()
    if "min" in defaults:
        axes.set_ylim(bottom=defaults["min"])
    if "max" in defaults:
        axes.set_ylim(top=defaults["max"])
    if custom["thresholdsStyle"]["mode"] == "dashed":
        for step in defaults["thresholds"]["steps"]:
            if step["value"] is not None and axes.get_ylim()[0] <= step["value"] <= axes.get_ylim()[1]:
                axes.axhline(step["value"], color=colour([step], step["value"]), linewidth=0.8, linestyle="--")
    for at, tone in sheet.marks:
        axes.axvline(at, color=tone, linewidth=0.5, alpha=0.45, linestyle=":")
    legend(axes, names, place, right)


def draw_bars(sheet, panel):
    found = sheet.series(panel)
    if not found:
        return
    defaults = panel["fieldConfig"]["defaults"]
    last = [(name, values[-1]) for name, times, values in found if times[-1] > sheet.source.end - 10 * max(sheet.source.step, 60)]
    if panel["targets"][0]["expr"].startswith("sort_desc"):
        last.sort(key=lambda one: -one[1])
    room = int((panel["gridPos"]["h"] - 1.2) * 2.1)
    last = last[:room][::-1]
    axes = sheet.area(panel["gridPos"], (1.0 + 0.11 * max((len(name) for name, _ in last), default=1), 1.5, 1.1, 0.4))
    axes.set_facecolor(PAPER)
    steps = defaults["thresholds"]["steps"]
    axes.barh([name for name, _ in last], [value for _, value in last], color=[colour(steps, value) for _, value in last], height=0.7, alpha=0.85)
    most = max((value for _, value in last), default=1) or 1
    for number, (_, value) in enumerate(last):
        axes.text(max(value, 0) + most * 0.02, number, shown(value, defaults["unit"]), color=INK, fontsize=6.5, va="center")
    axes.tick_params(colors=FAINT, labelsize=6.5, length=0)
    axes.set_xticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def draw_heatmap(sheet, panel):
    found = [one for one in sheet.series(panel) if one[0] not in ("+Inf", "Inf")]
    if not found:
        return
    found.sort(key=lambda one: float(one[0]))
    times = sorted({at for _, ats, _ in found for at in ats})
    below = [0.0] * len(times)
    rows = []
    for _, ats, values in found:
        known = dict(zip(ats, values))
        row = [known.get(at, 0.0) for at in times]
        rows.append([max(0.0, now - before) for now, before in zip(row, below)])
        below = row
    axes = sheet.area(panel["gridPos"], (1.35, 0.4, 1.1, 0.9))
    dress(axes, sheet, panel["options"]["yAxis"]["unit"])
    axes.pcolormesh(times, range(len(rows)), rows, cmap="inferno", shading="nearest")
    axes.set_yticks(range(len(rows)), [shown(float(name), "s") for name, *_ in found])
    axes.grid(False)


def draw_states(sheet, panel):
    found = sheet.series(panel)
    if not found:
        return
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    axes = sheet.area(panel["gridPos"], (3.4, 0.4, 1.1, 0.9))
    dress(axes, sheet, "short")
    axes.grid(False)
    for number, (_, times, values) in enumerate(reversed(found)):
        width = times[1] - times[0] if len(times) > 1 else sheet.source.step
        axes.bar(times, [0.85] * len(times), width=width, bottom=[number - 0.425] * len(times), align="edge", color=[colour(steps, value) for value in values], alpha=0.75, linewidth=0)
    axes.set_yticks(range(len(found)), [name for name, *_ in reversed(found)])
    axes.set_ylim(-0.6, len(found) - 0.4)


def draw_table(sheet, panel):
    organised = next(one for one in panel["transformations"] if one["id"] == "organize")["options"]
    headings = list(organised["renameByName"].values())
    rows, keys = {}, []
    for target, heading in zip(panel["targets"], headings):
        for labels, times, values in sheet.source.ask(target["expr"]):
            if times[-1] < sheet.source.end - 10 * max(sheet.source.step, 60):
                continue
            labels = {name: value for name, value in labels.items() if name not in organised["excludeByName"] and name != "__name__"}
            keys += [name for name in labels if name not in keys]
            match = next((key for key in rows if set(labels.items()) <= set(key)), None)
            rows.setdefault(match or frozenset(labels.items()), {})[heading] = values[-1]
    if not rows:
        sheet.empty.append(panel["title"])
        return
    sort = panel["options"]["sortBy"][0]
    sign = -1 if sort["desc"] else 1
    ordered = sorted(rows.items(), key=lambda one: sign * one[1].get(sort["displayName"], sign * math.inf))
    overrides = {one["matcher"]["options"]: {item["id"]: item["value"] for item in one["properties"]} for one in panel["fieldConfig"]["overrides"]}
    axes = sheet.area(panel["gridPos"], (0.3, 0.3, 1.2, 0.2))
    axes.axis("off")
    columns = keys + headings
    lines_max = int((panel["gridPos"]["h"] - 1.6) / 0.62)
    for number, name in enumerate(columns):
        axes.text(number / len(columns), 1, name, color="#5794f2", fontsize=7.5, va="top", weight="bold")
    for line, (key, values) in enumerate(ordered[:lines_max]):
        y = 1 - (line + 1) / (lines_max + 1)
        labels = dict(key)
        for number, name in enumerate(columns):
            tone, text = INK, labels.get(name, "")
            if name in headings:
                given = overrides[name]
                text = shown(values.get(name), given["unit"])
                if "thresholds" in given and name in values:
                    tone = colour(given["thresholds"]["steps"], values[name])
            axes.text(number / len(columns), y, text, color=tone, fontsize=7.5, va="top")
    if len(ordered) > lines_max:
        axes.text(1, 0, f"{len(ordered) - lines_max} more", color=FAINT, fontsize=7, ha="right")


def draw_text(sheet, panel):
    axes = sheet.area(panel["gridPos"], (0.3, 0.3, 1.1, 0.1))
    axes.axis("off")
    text = panel["options"]["content"].replace("**", "")
    axes.text(0, 0.9, textwrap.fill(text, int(panel["gridPos"]["w"] * 9.3)), color=INK, fontsize=9, va="top", linespacing=1.5)


DRAW = {
    "stat": draw_stat, "timeseries": draw_lines, "bargauge": draw_bars, "heatmap": draw_heatmap,
    "state-timeline": draw_states, "table": draw_table, "text": draw_text,
}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--url", default="http://127.0.0.1:9090", help="of the Prometheus that holds the run")
    options.add_argument("--run", required=True, help="the run's name")
    options.add_argument("--board", action="append", help="by the name of its file; all, unless said")
    options.add_argument("--from", dest="begin", help="a time, or now-15m; the board's own, unless said")
    options.add_argument("--to", dest="end", help="the same")
    options.add_argument("--step", type=int, default=300, help="seconds between points")
    options.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a variable: netuid=3 on all boards, subnet.netuid=3 on one")
    options.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    given = options.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    names = given.board or sorted(path.stem for path in (HERE / "dashboards").glob("*.json"))
    chosen = dict(one.split("=", 1) for one in given.set)
    for name in names:
        board = json.loads((HERE / "dashboards" / f"{name}.json").read_text(encoding="utf-8"))
        begin, end = moment(given.begin or board["time"]["from"]), moment(given.end or board["time"]["to"])
        variables = {"run": given.run}
        for variable in board["templating"]["list"]:
            label = variable["name"]
            if label == "window":
                variables[label] = variable["current"]["value"]
            elif label in ("netuid", "role"):
                variables[label] = variable.get("allValue") if variable["multi"] else "1"
        for key, value in chosen.items():
            board_name, _, label = key.rpartition(".")
            if label in variables and board_name in ("", name):
                variables[label] = value
        source = Prometheus(given.url, variables, begin, end, given.step)
        for label in [label for label, value in variables.items() if value is None]:
            variables[label] = "|".join(source.values(board, label))
        sheet = Sheet(board, source)
        sheet.draw()
        path = given.out / f"{name}.png"
        sheet.figure.savefig(path, dpi=given_dpi(sheet), facecolor=BACKGROUND)
        pyplot.close(sheet.figure)
        # Few colours are enough, and a third of the bytes.
        with Image.open(path) as picture:
            picture.convert("RGB").quantize(colors=96, dither=Image.Dither.NONE).save(path, optimize=True)
        told = f"; without data: {', '.join(sheet.empty)}" if sheet.empty else ""
        print(f"{path}: {path.stat().st_size // 1024} KiB{told}")


def given_dpi(sheet):
    """Some 1,400 pixels wide."""
    return 1400 / sheet.width


if __name__ == "__main__":
    sys.exit(main())
