"""Rows of the JSON files in docs/benchmarks, as tables in Markdown."""

import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


def load(name, table):
    """A table of a file: its rows, and where they come from."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))[table]


def matches(row, conditions):
    """Whether a row has the given values, compared as text."""
    return all(f"{row.get(key):g}" == value if isinstance(row.get(key), float)
               else str(row.get(key)) == value for key, value in conditions.items())  # fmt: skip


def show(value, template="{}"):
    """A value as text; nothing for None, and texts as they are."""
    if value is None:
        return ""
    return value if isinstance(value, str) else template.format(value).replace("-0.00", "0.00")


def plain(rows, columns):
    """Header and cells of a table with the given (key, title, format)."""
    header = [title for _, title, _ in columns]
    return header, [[show(row.get(key), form) for key, _, form in columns] for row in rows]


def turned(rows, by, across, cells):
    """Header and cells of a table with a row per value of `by`, a column per value of `across`."""
    values = list(dict.fromkeys(row[across] for row in rows))
    groups = {}
    for row in rows:
        text = ", ".join(show(row.get(key), form) for key, form in cells)
        groups.setdefault(row[by], {})[row[across]] = text
    body = [[show(key), *(group.get(v, "") for v in values)] for key, group in groups.items()]
    return ["", *map(show, values)], body


def markdown(header, body):
    """A table in Markdown; numbers are aligned to the right."""
    marks = ["---", *["--:"] * (len(header) - 1)]
    lines = [header, marks, *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def provenance(table):
    """Where the figures come from, in one sentence."""
    versions = table.get("versions", {})
    parts = [f"`{table['command']}`", table["date"], table["machine"]]
    parts += [", ".join(f"{name} {version}" for name, version in versions.items())]
    text = "; ".join(part for part in parts if part)
    return text + "." + (f" {table['note']}" if "note" in table else "")
