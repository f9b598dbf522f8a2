"""A board of rows of panels: where each stands, and what all boards share: variables, annotations, links, times.

What does not belong here: what panels look like (`panel`) and what they ask.
"""

from .panel import DATASOURCE
from .query import happened, of

# Of Grafana's classic model of dashboards.
SCHEMA_VERSION = 42
COLUMNS = 24

# Simulated time of scenarios that name no calendar begins here.
GENESIS = "2026-01-01T00:00:00.000Z"
FIRST_DAY = {"from": GENESIS, "to": "2026-01-02T00:00:00.000Z"}
LIVE = {"from": "now-15m", "to": "now"}
QUICK_RANGES = [
    {"display": "Past run: first simulated day", **FIRST_DAY},
    {"display": "Past run: first simulated week", "from": GENESIS, "to": "2026-01-08T00:00:00.000Z"},
    {"display": "Past run: first simulated month", "from": GENESIS, "to": "2026-02-01T00:00:00.000Z"},
    {"display": "Past run: first simulated year", "from": GENESIS, "to": "2027-01-01T00:00:00.000Z"},
    {"display": "Live run: last 15 minutes", **LIVE},
    {"display": "Live run: last hour", "from": "now-1h", "to": "now"},
    {"display": "Live run: last day", "from": "now-1d", "to": "now"},
]
WINDOWS = ["10m", "30m", "2h", "6h", "1d"]
WINDOW = "2h"


def label_values(name, label, title, sort, several, says, everything=".*"):
    """A variable with the values that a label has; `everything` is the pattern for all of them, or none to list them."""
    ask = f"label_values({name}, {label})"
    made = {
        "name": label,
        "label": title,
        "description": says,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"qryType": 1, "query": ask, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "refresh": 2,
        "sort": sort,
        "multi": several,
        "includeAll": several,
        "options": [],
    }
    if several:
        made["current"] = {"text": ["All"], "value": ["$__all"]}
        if everything:
            made["allValue"] = everything
    return made


def datasource_variable():
    return {
        "name": "datasource",
        "label": "Data source",
        "description": "The Prometheus that holds the run",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "includeAll": False,
        "multi": False,
        "options": [],
    }


def window_variable():
    return {
        "name": "window",
        "label": "Averaged over",
        "description": "What is paid comes once per epoch, so amounts per day are averages over at least one",
        "type": "interval",
        "query": ",".join(WINDOWS),
        "refresh": 2,
        "current": {"text": WINDOW, "value": WINDOW},
        "options": [{"text": one, "value": one, "selected": one == WINDOW} for one in WINDOWS],
    }


def run_variable():
    says = "The run's name, which is that of its folder"
    return label_values("btemu_block_height", "run", "Run", 7, False, says)


def netuid_variable(several=True):
    name = of("btemu_subnet_price_tao")
    return label_values(name, "netuid", "Subnet", 3, several, "The subnet's number")


def role_variable():
    says = "What players are: owner, validator, miner, …; the rest of the public is none of them"
    return label_values(of("btemu_players"), "role", "Role", 1, True, says, everything=None)


def annotation(name, says, colour, expression, title, enabled=True):
    """A mark on every panel's time axis wherever a query is above zero."""
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": enabled,
        "hide": False,
        "iconColor": colour,
        "target": {"expr": expression, "interval": "", "refId": "Anno"},
        "titleFormat": title,
        "textFormat": says,
        "tagKeys": "",
        "useValueForTime": False,
    }


def row(title, *panels):
    """Panels below a heading."""
    return title, panels


def place(rows):
    """Gives panels their numbers and places: from left to right, on to the next line where one is full."""
    placed, number, top = [], 1, 0
    for title, panels in rows:
        if title:
            heading = {"h": 1, "w": COLUMNS, "x": 0, "y": top}
            placed.append({"type": "row", "title": title, "collapsed": False, "id": number, "gridPos": heading, "panels": []})
            number, top = number + 1, top + 1
        left = tallest = 0
        for panel in panels:
            size = panel["gridPos"]
            if left + size["w"] > COLUMNS:
                left, top, tallest = 0, top + tallest, 0
            placed.append({**panel, "id": number, "gridPos": {**size, "x": left, "y": top}})
            number, left, tallest = number + 1, left + size["w"], max(tallest, size["h"])
        top += tallest
    return placed


def board(name, title, says, variables, annotations, rows, live=False):
    """A whole board. One that is about the program itself shows the last minutes, others the first simulated day."""
    link = {
        "asDropdown": True,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "tags": ["btemu"],
        "targetBlank": False,
        "title": "Boards",
        "tooltip": "The other boards, of the same run and time",
        "type": "dashboards",
    }
    return {
        "uid": f"btemu-{name}",
        "id": None,
        "title": title,
        "description": says,
        "tags": ["btemu"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "utc",
        "time": LIVE if live else FIRST_DAY,
        "refresh": "5s" if live else "",
        "timepicker": {"quick_ranges": QUICK_RANGES},
        "links": [link],
        "templating": {"list": [datasource_variable(), run_variable(), *variables]},
        "annotations": {"list": annotations},
        "panels": place(rows),
    }
