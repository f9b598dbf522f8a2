#!/usr/bin/env python3
"""Writes the boards of grafana/boards as grafana/dashboards/*.json, and the alerts of grafana/rules as Grafana reads them,
grafana/provisioning/alerting/btemu.json; with --check it only says which differ."""

import json
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
BOARDS = ["network", "subnet", "consensus", "pools", "stakers", "competition", "chaos", "emulator"]


# The rules that Prometheus reads (prometheus.yml), in its order.
RULES = ["detectors", "health"]


def written(json_value):
    return json.dumps(json_value, indent=2, ensure_ascii=False) + "\n"


def made():
    """Every file that is made: its path, what it is made of, and its text."""
    for name in BOARDS:
        board = import_module(f"boards.{name}").BOARD
        yield HERE / "dashboards" / f"{name}.json", f"grafana/boards/{name}.py says", written(board)
    texts = [(f"{name}.yml", (HERE / "rules" / f"{name}.yml").read_text(encoding="utf-8")) for name in RULES]
    alerts = import_module("alerts").provisioned(texts)
    yield HERE / "provisioning" / "alerting" / "btemu.json", "grafana/rules say", written(alerts)


def main():
    wrong, known = [], set()
    for path, source, text in made():
        known.add(path)
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                wrong.append(f"{path.name} is not what {source}")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    there = [*HERE.glob("dashboards/*.json"), *HERE.glob("provisioning/alerting/*")]
    wrong += [f"{path.name} is not made by make.py" for path in there if path not in known]
    if wrong:
        sys.exit("\n".join([*wrong, "", "hint: python3 grafana/make.py writes them anew"]))


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    sys.dont_write_bytecode = True
    main()
