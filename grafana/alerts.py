"""The alert rules of grafana/rules as Grafana reads them: the same expressions, waits and labels, for its own alerting.

What belongs here: reading the rules, and what Grafana calls each part. What does not: any rule. Rules of Prometheus use
little of YAML, so that much is read here and anything else is refused: whoever makes boards needs no library.
"""

import json
import re

SOURCE = {"type": "prometheus", "uid": "btemu-prometheus"}
EXPRESSION = {"type": "__expr__", "uid": "__expr__"}

# Grafana looks every ten seconds at most often; Prometheus does every five (prometheus.yml).
INTERVAL = "10s"
UID_LENGTH_MAX = 40

RULE_KEYS = {"alert", "expr", "for", "labels", "annotations"}


def provisioned(texts):
    """All alerts of some files, given by name and text, as one file of Grafana's provisioning."""
    groups = []
    for name, text in texts:
        for group in read(name, text)["groups"]:
            rules = [rule(name, one) for one in group["rules"] if "alert" in one]
            if rules:
                groups.append({"orgId": 1, "name": group["name"], "folder": "btemu alerts", "interval": INTERVAL, "rules": rules})
    uids = [one["uid"] for group in groups for one in group["rules"]]
    twice = sorted({uid for uid in uids if uids.count(uid) > 1})
    if twice:
        raise ValueError(f"two alerts have the uid {twice[0]}")
    return {"apiVersion": 1, "groups": groups}


def rule(file, one):
    """A rule of Prometheus fires for every series of its answer, whatever its value, and no longer once that is gone; with
    these three steps one of Grafana does the same."""
    name = one["alert"]
    unknown = set(one) - RULE_KEYS
    if unknown:
        raise ValueError(f"{file}: {name} has a key that is not known here: {min(unknown)}")
    uid = re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
    if not re.fullmatch(r"btemu-[a-z0-9-]+", uid) or len(uid) > UID_LENGTH_MAX:
        raise ValueError(f"{file}: {name} gives the uid {uid}, which Grafana does not take")
    is_there = "is_number($query) || is_nan($query) || is_inf($query)"
    above = [{"evaluator": {"type": "gt", "params": [0]}}]
    return {
        "uid": uid,
        "title": name,
        "condition": "fires",
        "data": [
            step("query", SOURCE, {"expr": one["expr"], "instant": True, "range": False}, 600),
            step("is_there", EXPRESSION, {"type": "math", "expression": is_there}),
            step("fires", EXPRESSION, {"type": "threshold", "expression": "is_there", "conditions": above}),
        ],
        "for": one.get("for", "0s"),
        # Prometheus that answers nothing has nothing to tell of; one that does not answer must be seen.
        "noDataState": "OK",
        "execErrState": "Error",
        "missing_series_evals_to_resolve": 1,
        "labels": {key: told(file, name, text) for key, text in one["labels"].items()},
        "annotations": {key: told(file, name, text) for key, text in one["annotations"].items()},
        "isPaused": False,
    }


def step(name, source, model, seconds=0):
    return {
        "refId": name,
        "relativeTimeRange": {"from": seconds, "to": 0},
        "datasourceUid": source["uid"],
        "model": {"refId": name, "datasource": source, **model},
    }


def told(file, name, text):
    """A text with Grafana's names for what it shows. It has no dollar sign: Grafana takes one for a variable of its own
    environment in some places and not in others."""
    text = re.sub(r"\{\{ \$labels\.", "{{ .Labels.", text)
    text = re.sub(r"\{\{ \$value ", "{{ .Values.query.Value ", text)
    if "$" in text:
        raise ValueError(f"{file}: {name} shows something that is not known here: {text}")
    return text


class Lines:
    """Lines that say something, each with its number, its indent and its text."""

    def __init__(self, name, text):
        self.name, self.at = name, 0
        numbered = enumerate(text.splitlines(), start=1)
        self.lines = [(n, len(line) - len(line.lstrip(" ")), line.strip()) for n, line in numbered if says(line)]

    def indent(self):
        return self.lines[self.at][1] if self.at < len(self.lines) else -1

    def peek(self):
        return self.lines[self.at][2]

    def next(self):
        self.at += 1
        return self.lines[self.at - 1]

    def wrong(self, what):
        number = self.lines[min(self.at, len(self.lines) - 1)][0]
        return ValueError(f"{self.name}, line {number}: {what}")


def says(line):
    return line.strip() and not line.lstrip().startswith("#")


def read(name, text):
    """Mappings, lists of mappings, texts in double quotes or none, and folded texts (`>-`); everything by indent."""
    lines = Lines(name, text)
    value = read_mapping(lines, 0)
    if lines.indent() >= 0:
        raise lines.wrong("it is not indented as what stands above it")
    return value


def read_mapping(lines, indent):
    mapping = {}
    while lines.indent() == indent and not lines.peek().startswith("- "):
        key, colon, rest = lines.peek().partition(":")
        if not colon or not re.fullmatch(r"\w+", key) or key in mapping:
            raise lines.wrong(f"expected a key that is not there yet, found {lines.peek()!r}")
        rest = rest.strip()
        if rest == ">-":
            lines.next()
            mapping[key] = read_folded(lines, indent)
        elif rest:
            mapping[key] = read_text(lines, rest)
            lines.next()
        else:
            lines.next()
            mapping[key] = read_below(lines, indent)
    return mapping


def read_below(lines, indent):
    below = lines.indent()
    if below <= indent:
        raise lines.wrong("expected something below a key")
    return read_list(lines, below) if lines.peek().startswith("- ") else read_mapping(lines, below)


def read_list(lines, indent):
    items = []
    while lines.indent() == indent and lines.peek().startswith("- "):
        # The dash is room: what follows it begins a mapping there.
        number, _, text = lines.lines[lines.at]
        lines.lines[lines.at] = (number, indent + 2, text[2:])
        items.append(read_mapping(lines, indent + 2))
    return items


def read_folded(lines, indent):
    parts, below = [], lines.indent()
    while lines.indent() > indent:
        if lines.indent() != below:
            raise lines.wrong("a folded text has one indent here")
        parts.append(lines.next()[2])
    if not parts:
        raise lines.wrong("expected a folded text")
    return " ".join(parts)


def read_text(lines, text):
    if text.startswith('"'):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise lines.wrong(f"a text in quotes that is none: {error}") from error
    if text[0] in "'&*!|>%@`[]{}#,?-" or ": " in text or " #" in text:
        raise lines.wrong(f"{text!r} wants double quotes")
    return text
