"""The gallery, examples/README.md: every example is on it, with its picture."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "examples"
NAMES = ["quickstart", *sorted(path.stem for path in FOLDER.glob("plot_*.py"))]
MAX_BYTES = 60_000


@pytest.fixture(scope="module")
def page():
    return (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_example_has_one_line_of_the_table_and_a_small_picture(name, page):
    lines = [line for line in page.splitlines() if f"]({name}.py)" in line]
    assert len(lines) == 1, f"examples/README.md needs one line for {name}.py"
    assert lines[0].startswith("| ") and f'src="images/{name}.png"' in lines[0]
    picture = FOLDER / "images" / f"{name}.png"
    assert picture.is_file(), f"make it: python examples/make_images.py {name}"
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG\r\n") and len(content) <= MAX_BYTES


def test_every_link_of_the_page_leads_somewhere(page):
    links = re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", page)
    assert len(links) >= 2 * len(NAMES)
    for link in links:
        assert (FOLDER / "".join(link)).is_file(), link


def test_every_picture_belongs_to_an_example():
    assert {path.stem for path in (FOLDER / "images").glob("*.png")} <= set(NAMES)


def test_the_readme_leads_to_the_page():
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert "(examples/README.md)" in readme
