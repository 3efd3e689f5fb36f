"""The pages of the documentation: every public name is there, and no docstring breaks them."""

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
SOURCE = DOCS.parent / "skmix"
MODULES = [
    "skmix",
    "skmix.exceptions",
    "skmix.families",
    "skmix.image",
    "skmix.metrics",
    "skmix.neural",
    "skmix.utils.estimator_checks",
]
PAGES = sorted(
    path
    for path in DOCS.rglob("*.md")
    if not {"_build", "gallery"} & set(path.relative_to(DOCS).parts)
)


def listed():
    """The names on the page of the reference, with their modules."""
    module = None
    for line in (DOCS / "api" / "index.rst").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = match[1]
        elif match := re.match(r"   (\w+)$", line):
            yield f"{module}.{match[1]}"


def test_the_reference_lists_every_public_name_once():
    public = [
        f"{name}.{entry}" for name in MODULES for entry in importlib.import_module(name).__all__
    ]
    assert sorted(listed()) == sorted(public), "docs/api/index.rst and __all__ differ"


@pytest.mark.parametrize("name", sorted(set(listed())))
def test_every_public_name_has_an_example(name):
    module, _, entry = name.rpartition(".")
    text = getattr(importlib.import_module(module), entry).__doc__
    assert ">>> " in text, f"{name} has no Examples section"


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.relative_to(SOURCE).as_posix()
)
def test_shapes_named_by_attributes_are_in_backticks(path):
    # In reStructuredText `name_` without backticks is a link, and the build fails.
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            for line in (ast.get_docstring(node) or "").splitlines():
                if re.match(r"\S+ : .*shape", line):
                    assert not re.search(r"(?<![`\w])\w+_(?![`\w])", line.partition(" : ")[2]), (
                        line
                    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_tables_of_benchmarks_name_a_file_and_what_it_has(path):
    for name, table in re.findall(
        r"```\{benchmark\} (\S+) (\S+)", path.read_text(encoding="utf-8")
    ):
        tables = json.loads((DOCS / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))
        assert tables[table]["rows"]
        assert {"command", "date", "machine"} <= set(tables[table])
