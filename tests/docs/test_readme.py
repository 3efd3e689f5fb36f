"""README.md: links lead somewhere, here and on a package index, and figures are measured."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINKS = re.findall(r"\]\(([^)\s]+)\)", README)


def module(path, monkeypatch):
    """Import a script by its path."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_it_is_one_page():
    assert len(README.splitlines()) <= 130


@pytest.mark.parametrize("link", sorted(set(LINKS)))
def test_links_lead_to_a_file_of_the_checkout(link):
    assert link.startswith("https://") or (ROOT / link.partition("#")[0]).is_file()


def test_links_are_absolute_on_a_package_index(monkeypatch):
    pytest.importorskip("hatchling")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    site = settings["tool"]["hatch"]["metadata"]["hooks"]["custom"]["site"]
    shown = module(ROOT / "hatch_build.py", monkeypatch).absolute(README, site)
    absolute = re.findall(r"\]\(([^)\s]+)\)", shown)
    assert len(absolute) == len(LINKS)
    assert all(link.startswith("https://") for link in absolute)
    assert f"{site}/guide/choose.html" in absolute  # a page of the documentation
    assert f"{site}/_static/quickstart.png" in absolute  # a picture
    assert f"{site}/source/LICENSE" in absolute  # a file of the repository


def test_the_host_is_named_in_one_place():
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    site = re.search(r'^site = "https://(.+)"$', settings, re.MULTILINE)[1]
    assert settings.count(site) == 1
    assert site not in README


def test_figures_are_those_that_the_benchmarks_wrote(monkeypatch):
    script = module(ROOT / "docs" / "readme_figures.py", monkeypatch)
    assert script.updated(README) == README, "run: python docs/readme_figures.py"
