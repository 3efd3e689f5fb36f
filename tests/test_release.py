"""What a release needs: versions that agree, and hosted checks that run what `.ci/run` runs."""

import re
from pathlib import Path

import pytest

import skmix

ROOT = Path(skmix.__file__).parents[1]


def read(path):
    """The text of a file of the checkout, which an installed skmix lacks."""
    if not (ROOT / path).is_file():
        pytest.skip("not a checkout")
    return (ROOT / path).read_text(encoding="utf-8")


def test_versions_agree():
    (cited,) = re.findall(r"(?m)^version: (.+)$", read("CITATION.cff"))
    assert skmix.__version__.removesuffix(".dev0") == cited


def test_hosted_checks_run_every_part():
    (parts,) = re.findall(r"(?m)^parts=\((.+)\)$", read(".ci/run"))
    workflow = read(".github/workflows/ci.yml")
    (others,) = re.findall(r"part: \[(.+)\]", workflow)
    assert sorted([*others.split(", "), "tests"]) == sorted(parts.split())
    assert "bash .ci/run tests" in workflow
    assert set(re.findall(r"(?m)^part_(\w+)\(\)", read(".ci/run"))) == set(parts.split())


def test_the_changelog_names_what_is_released():
    headings = re.findall(r"(?m)^## \[(.+?)\]", read("CHANGELOG.md"))
    assert headings[0] == "Unreleased"
    if not skmix.__version__.endswith(".dev0"):
        assert headings[1] == skmix.__version__
