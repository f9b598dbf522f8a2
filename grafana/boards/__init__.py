"""The boards as readable tables of panels. `grafana/make.py` writes them as JSON.

One file per board, beside what they share: `query` (PromQL), `panel` (what a panel looks like), `board` (layout,
variables, annotations, links). What does not belong here: names of metrics that docs/metrics.md does not have.
"""
