"""What the source keeps to: short modules, and one place that knows the covariance structures."""

import ast
from pathlib import Path

import pytest

import skmix
from skmix._mixtures.covariance_types import FAMILIES

ROOT = Path(skmix.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
MOST_LINES = 450
each_module = pytest.mark.parametrize(
    "module", MODULES, ids=lambda module: module.relative_to(ROOT).as_posix()
)


def compared_strings(tree):
    """All strings that are compared, matched, or looked up in a container of strings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare | ast.MatchValue):
            yield from (
                part.value
                for part in ast.walk(node)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            )


def test_the_search_finds_comparisons():
    tree = ast.parse("if kind == 'full' or kind in ('diag', 'tied'): f(x, 'spherical')")
    assert set(compared_strings(tree)) == {"full", "diag", "tied"}


@each_module
def test_structures_are_told_apart_by_their_families(module):
    compared = set(compared_strings(ast.parse(module.read_text(encoding="utf-8"))))
    assert not compared & set(FAMILIES)


@each_module
def test_modules_are_short(module):
    assert len(module.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
