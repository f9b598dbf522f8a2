#!/usr/bin/env python3
"""Writes the boards of grafana/boards as grafana/dashboards/*.json; with --check it only says which differ."""

import json
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
BOARDS = ["network", "subnet", "consensus", "pools", "stakers", "competition", "chaos", "emulator"]


def written(board):
    return json.dumps(board, indent=2, ensure_ascii=False) + "\n"


def main():
    wrong, known = [], set()
    for name in BOARDS:
        path = HERE / "dashboards" / f"{name}.json"
        known.add(path.name)
        text = written(import_module(f"boards.{name}").BOARD)
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                wrong.append(f"{path.name} is not what grafana/boards/{name}.py says")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    wrong += [f"{path.name} has no board in make.py" for path in HERE.glob("dashboards/*.json") if path.name not in known]
    if wrong:
        sys.exit("\n".join([*wrong, "", "hint: python3 grafana/make.py writes them anew"]))


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    sys.dont_write_bytecode = True
    main()
