"""Reads an exported folder with DuckDB, pandas and Arrow, as an analyst would, and prints what it found as JSON.

Arguments: the folder, its format (parquet, csv or jsonl), the page that says which column has which type.
"""

import json
import pathlib
import re
import sys

import duckdb
import pandas

folder, form, page = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
TABLES = ["blocks", "calls", "events", "subnets", "neurons"]

# What DuckDB and Arrow call the types of the page. Readers of text guess: digits may be any integer there.
DUCKDB = {"integer": "BIGINT", "float": "DOUBLE", "flag": "BOOLEAN", "time": "TIMESTAMP WITH TIME ZONE"}
ARROW = {"integer": "int64", "float": "double", "flag": "bool", "time": "timestamp[ms, tz=UTC]"}


def documented():
    """Columns by table, in order: name, type, whether a row may lack it."""
    tables, table = {}, None
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            table = line[3:]
        row = re.match(r"\| `(\w+)` \| (\w+)(, optional)? \|", line)
        if row and table in TABLES:
            tables.setdefault(table, []).append((row[1], row[2], bool(row[3])))
    return tables


def path(table):
    return folder / f"{table}.{form}"


database = duckdb.connect()


def ask(question):
    return [list(row) for row in database.execute(question).fetchall()]


for table in TABLES:
    database.execute(f"create view {table} as select * from '{path(table)}'")

columns = documented()
assert set(columns) == set(TABLES), columns.keys()
for table in TABLES:
    found = {row[0]: row[1] for row in ask(f"describe {table}")}
    names = [name for name, _, _ in columns[table]]
    assert list(found) == names, (table, list(found), names)
    if form == "parquet":
        for name, kind, _ in columns[table]:
            assert found[name] == DUCKDB.get(kind, "VARCHAR"), (table, name, found[name], kind)

if form == "parquet":
    import pyarrow.parquet

    for table in TABLES:
        schema = pyarrow.parquet.read_schema(path(table))
        frame = pandas.read_parquet(path(table))
        exact = pandas.read_parquet(path(table), dtype_backend="pyarrow")
        for name, kind, optional in columns[table]:
            field = schema.field(name)
            assert str(field.type) == ARROW.get(kind, "string"), (table, name, field.type)
            assert field.nullable == optional, (table, name)
            assert optional or not frame[name].isna().any(), (table, name)
            if kind == "integer" and not optional:
                assert str(frame[name].dtype) == "int64", (table, name)
            if kind == "integer":
                assert str(exact[name].dtype) == "int64[pyarrow]", (table, name)
    sums = int(pandas.read_parquet(path("subnets"))["tao_reserve_rao"].sum())
elif form == "csv":
    sums = int(pandas.read_csv(path("subnets"))["tao_reserve_rao"].sum())
else:
    sums = int(pandas.read_json(path("subnets"), lines=True)["tao_reserve_rao"].sum())

# JSON text is JSON: DuckDB reads into it.
selected = ask("select count(*) from events where kind = 'block_opened' and json_extract(fields, '$.height')::bigint = block")
joined = ask(
    """
    select s.netuid, count(*), sum(e.tao_rao)::bigint
    from events e join subnets s using (netuid)
    where e.kind = 'stake_added' and s.block = (select max(block) from subnets)
    group by all order by all
    """
)
paid = ask(
    """
    select n.netuid, count(distinct n.block), sum(n.emission_rao)::bigint
    from neurons n join blocks b on n.block = b.block and n.time = b.time group by all order by all
    """
)
print(
    json.dumps(
        {
            "rows": {table: ask(f"select count(*) from {table}")[0][0] for table in TABLES},
            "blocks_apart_s": ask("select max(epoch_ms(time)) - min(epoch_ms(time)) from blocks")[0][0] // 1000,
            "issuance_rao": ask("select arg_max(total_issuance_rao, block) from blocks")[0][0],
            "opened": selected[0][0],
            "joined": joined,
            "paid": paid,
            "reserves_rao": sums,
            "outcomes": dict(ask("select outcome, sum(count)::bigint from calls group by all")),
        }
    )
)
