"""What benchmarks write for the documentation: rows of tables, with command, machine and date.

`json_option` gives a parser the option --json FILE, `record` adds a row to a table. The file is
written after every row, so that a run which is cut short leaves what it measured. Tables that the
file has from other runs stay, those of this run take the place of their predecessors.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("numpy", "scipy", "scikit-learn", "scikit-image", "pillow", "stepmix", "torch", "dask")

_run: dict = {"path": None}
_tables: dict[str, dict] = {}


class _Write(argparse.Action):
    def __call__(self, parser, namespace, path, option_string=None):
        _run.update(path=path, **_provenance())
        setattr(namespace, self.dest, path)


def json_option(parser: argparse.ArgumentParser) -> None:
    """Give a parser the option --json."""
    parser.add_argument(
        "--json", type=Path, action=_Write, metavar="FILE", help="write the tables to this file"
    )


def record(table: str, **row) -> None:
    """Add a row to a table of this run; does nothing without --json."""
    path = _run["path"]
    if path is None:
        return
    provenance = {key: value for key, value in _run.items() if key != "path"}
    _tables.setdefault(table, {**provenance, "rows": []})["rows"].append(row)
    tables = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    text = json.dumps(tables | _tables, indent=1, default=lambda value: value.item())
    path.write_text(text + "\n", encoding="utf-8")


def _provenance() -> dict:
    import skmix

    versions = {"skmix": skmix.__version__}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "command": _command(),
        "date": datetime.date.today().isoformat(),
        "machine": _machine(),
        "versions": versions,
    }


def _command() -> str:
    """The command line as a reader would repeat it, without files and folders of this machine."""
    words, given = [], iter(sys.argv[1:])
    for word in given:
        if word == "--json":
            next(given)
        elif word == "--data" and Path(value := next(given)).is_dir():
            continue
        elif word == "--data":
            words += [word, value]
        elif not word.startswith(("--json=", "--data=")):
            words.append(f'"{word}"' if " " in word else word)
    return " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = os.environ.get("OMP_NUM_THREADS")
    limit = f", {threads} thread{'s' * (threads != '1')}" if threads else ""
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return f"{_processor()}, {cores} cores{limit}{load}, {platform.system()}"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
