"""The built documentation in a browser: navigation, search, themes, narrow and wide windows.

Skipped where the site is not built, or where there is no Chromium or no playwright.
"""

import functools
import http.server
import re
import shutil
import threading
from pathlib import Path

import pytest

SITE = Path(__file__).resolve().parents[2] / "docs" / "_build"
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)

pytestmark = [
    pytest.mark.skipif(not (SITE / "index.html").is_file(), reason="the site is not built"),
    pytest.mark.skipif(not BROWSER, reason="there is no Chromium"),
]


@pytest.fixture(scope="module")
def server():
    """The address of a server of the site."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Handler, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.fixture(scope="module")
def browser():
    """Chromium that reaches this machine only."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=BROWSER,
            args=["--no-sandbox", "--host-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser):
    """Open a page of a new context; fail at its end if anything went wrong in it."""
    contexts, wrong = [], []

    def failed(request):
        if request.failure != "net::ERR_ABORTED":  # which is that its page was left before
            wrong.append(f"{request.failure}: {request.url}")

    def open_page(address, width=1400, color_scheme="light"):
        contexts.append(
            browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=color_scheme
            )
        )
        page = contexts[-1].new_page()
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", failed)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong, wrong


def test_navigation_leads_through_the_site(open_page, server):
    page = open_page(f"{server}/index.html")
    for link, title in [
        ("User guide", "User guide"),
        ("Fill holes in a table", "Fill holes in a table"),
        ("Reference", "Reference"),
        ("GaussianMixture", "GaussianMixture"),
        ("Gallery", "Gallery"),
        ("How many components does a mixture need?", "How many components does a mixture need?"),
    ]:
        page.get_by_role("link", name=link, exact=True).first.click()
        page.wait_for_load_state()
        assert title in page.locator("article h1").first.inner_text()
    for ending in (".py", ".ipynb"):
        assert page.locator(f"a[href$='{ending}']").count() >= 1


@pytest.mark.parametrize("served", [True, False], ids=["served", "from a folder"])
def test_search_finds_a_name(open_page, server, served):
    root = server if served else SITE.as_uri()
    page = open_page(f"{root}/search.html?q=ConditionalGMMInpainter")
    found = page.locator("#search-results li a")
    found.first.wait_for()
    targets = [link.get_attribute("href") for link in found.all()]
    assert any("skmix.ConditionalGMMInpainter.html" in target for target in targets)
    page.wait_for_load_state("networkidle")  # the extracts of the pages found
    found.first.click()
    page.wait_for_load_state()
    assert "ConditionalGMMInpainter" in page.content()


@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "name",
    ["index", "guide/images", "benchmarks/index", "api/generated/skmix.GaussianMixture"],
)
def test_pages_fit_their_window_in_both_themes(open_page, server, name, scheme, width):
    page = open_page(f"{server}/{name}.html", width, scheme)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    right = page.evaluate("""
        Math.max(...[...document.querySelectorAll("article :is(p, dt, h1, table)")]
            .filter(e => !e.closest("pre, .math-block, .pst-scrollable-table-container"))
            .map(e => e.getBoundingClientRect().right))
    """)
    assert right <= width + 1
    shades = page.evaluate(
        "['color', 'backgroundColor'].map(k => getComputedStyle(document.body)[k])"
    )
    text, ground = (sum(map(int, re.findall(r"\d+", shade)[:3])) for shade in shades)
    assert (text > ground) == (scheme == "dark")
