"""What a panel looks like: one function per kind, from a title, what it says, its queries and a unit.

What does not belong here: what is shown (the boards), where it stands (`board`).
"""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

# Units, as Grafana names them. Amounts are shortened with K, M, B.
TAO = "currency:τ"
ALPHA = "currency:α"
RATIO = "percentunit"
COUNT = "short"
WHOLE = "locale"
SECONDS = "s"
DURATION = "dtdurations"
BYTES = "bytes"
PER_SECOND = "suffix: /s"
BLOCKS = "suffix: blocks"

# Colours of what is good, worth a look and bad; BASE where no value is better than another.
GOOD, LOOK, BAD, BASE = "green", "orange", "red", "blue"

PALETTE = {"mode": "palette-classic"}
BY_THRESHOLD = {"mode": "thresholds"}


def query(expression, legend="", interval=None, instant=False):
    """One query of a panel: PromQL, how its series are named, its smallest step, and whether only the end counts."""
    return {"expr": expression, "legend": legend, "interval": interval, "instant": instant}


def target(one, place, kind):
    """The same as Grafana wants it. Tables and bars ask once, at the end of the time shown: what is gone is not there."""
    made = {
        "datasource": DATASOURCE,
        "editorMode": "code",
        "expr": one["expr"],
        "legendFormat": one["legend"] or "__auto",
        "refId": chr(ord("A") + place),
    }
    if kind == "table":
        made |= {"format": "table", "instant": True, "range": False}
    elif kind == "heatmap":
        made |= {"format": "heatmap", "instant": False, "range": True}
    else:
        once = one["instant"] or kind == "bargauge"
        made |= {"instant": once, "range": not once}
    if one["interval"]:
        made["interval"] = one["interval"]
    return made


def thresholds(steps):
    """From (colour, from which value on); the first step has none."""
    (first, _), *others = steps
    return {
        "mode": "absolute",
        "steps": [{"color": first, "value": None}]
        + [{"color": colour, "value": value} for colour, value in others],
    }


def panel(kind, title, says, queries, unit, steps, width, height, options, custom, **more):
    """What all kinds have; further fields of the values' settings by name."""
    queries = [queries] if isinstance(queries, dict) else queries
    defaults = {
        "color": more.pop("colour", PALETTE),
        "custom": custom,
        "mappings": more.pop("mappings", []),
        "thresholds": thresholds(steps),
        "unit": unit,
    }
    overrides, transformations = more.pop("overrides", []), more.pop("transformations", [])
    links = more.pop("links", None)
    defaults |= {name: value for name, value in more.items() if value is not None}
    made = {
        "type": kind,
        "title": title,
        "description": says,
        "datasource": DATASOURCE,
        "gridPos": {"w": width, "h": height},
        "targets": [target(one, place, kind) for place, one in enumerate(queries)],
        "fieldConfig": {"defaults": defaults, "overrides": overrides},
        "options": options,
    }
    if transformations:
        made["transformations"] = transformations
    if links:
        made["links"] = links
    return made


def stat(title, says, one, unit, steps=((BASE, None),), width=4, sparkline=True, **more):
    """One number, coloured by its thresholds, over the line that led to it."""
    options = {
        "colorMode": "value",
        "graphMode": "area" if sparkline else "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showPercentChange": False,
        "textMode": more.pop("text", "auto"),
        "wideLayout": True,
    }
    more = {"colour": BY_THRESHOLD, "noValue": "–", **more}
    return panel("stat", title, says, one, unit, steps, width, 4, options, {}, **more)


LEGEND_LINES = {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True}
LEGEND_TABLE = {
    "calcs": ["lastNotNull", "max"],
    "displayMode": "table",
    "placement": "right",
    "showLegend": True,
    "sortBy": "Last *",
    "sortDesc": True,
}


def lines(title, says, queries, unit, steps=((BASE, None),), width=12, height=8, **more):
    """Values over time. `stack` adds them up, `line_at_thresholds` draws these, `bars` are for what is counted."""
    stack, bars = more.pop("stack", False), more.pop("bars", False)
    custom = {
        "axisBorderShow": False,
        "axisCenteredZero": more.pop("around_zero", False),
        "axisColorMode": "text",
        "axisLabel": more.pop("axis", ""),
        "axisPlacement": "auto",
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": more.pop("fill", 70 if bars else 40 if stack else 8),
        "gradientMode": "none",
        "hideFrom": {"legend": False, "tooltip": False, "viz": False},
        "lineInterpolation": "linear",
        "lineWidth": 1 if bars or stack else 2,
        "pointSize": 4,
        "scaleDistribution": {"type": "log", "log": 10} if more.pop("log", False) else {"type": "linear"},
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stack else "none"},
        "thresholdsStyle": {"mode": "dashed" if more.pop("line_at_thresholds", False) else "off"},
    }
    options = {
        "legend": LEGEND_TABLE if more.pop("table", False) else LEGEND_LINES,
        "tooltip": {"mode": "multi", "sort": "desc", "hideZeros": False},
    }
    return panel("timeseries", title, says, queries, unit, steps, width, height, options, custom, **more)


def bars(title, says, one, unit, steps=((BASE, None),), width=8, height=8, **more):
    """The last value of each series as a bar, to compare them."""
    options = {
        "displayMode": "gradient",
        "legend": {**LEGEND_LINES, "showLegend": False},
        "maxVizHeight": 300,
        "minVizHeight": 12,
        "minVizWidth": 8,
        "namePlacement": "auto",
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showUnfilled": True,
        "sizing": "auto",
        "valueMode": "color",
    }
    more = {"colour": BY_THRESHOLD, **more}
    return panel("bargauge", title, says, one, unit, steps, width, height, options, {}, **more)


def heatmap(title, says, one, unit, width=12, height=8, **more):
    """How a histogram's buckets fill over time."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "color": {
            "exponent": 0.5,
            "fill": "dark-orange",
            "mode": "scheme",
            "reverse": False,
            "scale": "exponential",
            "scheme": "Oranges",
            "steps": 64,
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": True},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
    }
    custom = {
        "hideFrom": {"legend": False, "tooltip": False, "viz": False},
        "scaleDistribution": {"type": "linear"},
    }
    return panel("heatmap", title, says, one, unit, ((BASE, None),), width, height, options, custom, **more)


def states(title, says, one, unit, steps, width=24, height=10, **more):
    """A row per series, coloured by thresholds over time."""
    options = {
        "alignValue": "left",
        "legend": {**LEGEND_LINES, "showLegend": True},
        "mergeValues": True,
        "rowHeight": 0.85,
        "showValue": "never",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {
        "fillOpacity": 75,
        "hideFrom": {"legend": False, "tooltip": False, "viz": False},
        "lineWidth": 0,
    }
    more = {"colour": BY_THRESHOLD, **more}
    return panel("state-timeline", title, says, one, unit, steps, width, height, options, custom, **more)


def table(title, says, columns, key, sort, width=24, height=10, **more):
    """A row per value of the label `key`, a column per (heading, query, unit, steps); sorted by a heading, falling unless said."""
    queries = [query(expression) for _, expression, _, _ in columns]
    letters = [chr(ord("A") + place) for place in range(len(columns))]
    organise = {
        "excludeByName": {"Time": True, "run": True},
        "indexByName": {},
        "renameByName": {f"Value #{letter}": heading for letter, (heading, *_) in zip(letters, columns)},
    }
    if len(columns) == 1:
        organise["renameByName"] = {"Value": columns[0][0]}
    transformations = [{"id": "merge", "options": {}}, {"id": "organize", "options": organise}]
    overrides = []
    for heading, _, unit, steps in columns:
        properties = [{"id": "unit", "value": unit}]
        if steps:
            cell = {"type": "color-text"}
            properties += [{"id": "thresholds", "value": thresholds(steps)}, {"id": "custom.cellOptions", "value": cell}]
        overrides.append({"matcher": {"id": "byName", "options": heading}, "properties": properties})
    column_links = more.pop("key_links", None)
    if column_links:
        properties = [{"id": "links", "value": column_links}]
        overrides.append({"matcher": {"id": "byName", "options": key}, "properties": properties})
    options = {
        "cellHeight": "sm",
        "frameIndex": 0,
        "showHeader": True,
        "sortBy": [{"desc": more.pop("falling", True), "displayName": sort}],
    }
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}
    more |= {"overrides": overrides, "transformations": transformations, "colour": BY_THRESHOLD}
    return panel("table", title, says, queries, COUNT, ((BASE, None),), width, height, options, custom, **more)


def words(title, says, text, width=24, height=4):
    """Explains how to read a board."""
    return {
        "type": "text",
        "title": title,
        "description": says,
        "gridPos": {"w": width, "h": height},
        "fieldConfig": {"defaults": {}, "overrides": []},
        "options": {"content": text, "mode": "markdown"},
    }
