"""The page shells and their words, without a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from aisle.web import i18n
from aisle.web.pages import pages_router

WEB = Path(i18n.__file__).parent
SOURCES = [*WEB.glob("templates/*.html"), *WEB.glob("static/js/*.js")]


@pytest.fixture
def client() -> TestClient:
    app = FastAPI(redirect_slashes=False)
    is_admin = lambda request: request.cookies.get("who") == "admin"  # noqa: E731
    app.include_router(pages_router(shop_name="A & B <shop>", storefront_key="key-1", is_admin=is_admin))
    return TestClient(app, follow_redirects=False)


def test_both_languages_have_the_same_words() -> None:
    english, chinese = i18n.CATALOGUES["en"], i18n.CATALOGUES["zh"]
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert set(re.findall(r"\{\w+\}", text)) >= set(re.findall(r"\{\w+\}", chinese[key])), key
        assert text.strip()
        assert chinese[key].strip()


def test_every_word_a_page_asks_for_is_there() -> None:
    word = re.compile(r"""(?<![.\w])(?:t|has)\(\s*["']([a-z_]+(?:\.[a-z_0-9]+)*)["']""")
    asked = {key for source in SOURCES for key in word.findall(source.read_text("utf-8"))}
    counted = {key for source in SOURCES for key in re.findall(r'\btn\("([a-z_.]+)"', source.read_text("utf-8"))}
    assert len(asked) > 100
    assert asked - i18n.CATALOGUES["en"].keys() == set()
    assert {f"{key}.{form}" for key in counted for form in ("one", "other")} - i18n.CATALOGUES["en"].keys() == set()


def test_no_script_writes_markup() -> None:
    for source in WEB.glob("static/js/*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", source.read_text("utf-8")
        )
    for source in WEB.glob("templates/*.html"):
        text = source.read_text("utf-8")
        assert not re.search(r"\son\w+=|style=|\|\s*safe\b|javascript:", text), source.name


@pytest.mark.parametrize("path", ["/", "/search?query=%22%3E%3Cb%3E", "/c/A/B%20C", "/p/X%2F1", "/cart", "/checkout"])
def test_a_shell_escapes_and_locks_itself_down(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "A &amp; B &lt;shop&gt;" in answer.text
    assert "<shop>" not in answer.text
    assert '"><b>' not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


def test_the_language_is_asked_for_then_remembered(client: TestClient) -> None:
    assert '<html lang="en">' in client.get("/").text
    answer = client.get("/?lang=zh")
    assert '<html lang="zh-Hans">' in answer.text
    assert answer.cookies["aisle_lang"] == "zh"
    assert '<html lang="zh-Hans">' in client.get("/cart").text
    assert '<html lang="zh-Hans">' in client.get("/?lang=tlh").text  # unknown: as remembered


def test_the_admin_needs_a_session_and_holds_no_key(client: TestClient) -> None:
    assert client.get("/admin").headers["location"] == "/admin/login"
    assert client.get("/admin/login").status_code == 200
    client.cookies.set("who", "admin")
    page = client.get("/admin")
    assert page.status_code == 200
    assert "key-1" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert client.get("/admin/login").headers["location"] == "/admin"


def test_static_files_are_kept_for_good_under_their_version(client: TestClient) -> None:
    found = re.search(r'href="(/static/[0-9a-f]+/css/base\.css)"', client.get("/").text)
    assert found
    answer = client.get(found[1])
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    again = client.get(found[1], headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    plain = client.get(found[1], headers={"accept-encoding": "identity"})
    assert plain.text == answer.text
    assert client.get("/static/other/css/base.css").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/static/x/../pages.py", "/static/x/%2e%2e/pages.py", "/static/x//etc/passwd", "/static/x/none"]
)
def test_only_static_files_are_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_plotly_comes_from_its_own_package(client: TestClient) -> None:
    answer = client.get("/static/plotly.min.js")
    assert answer.status_code == 200
    assert "Plotly" in answer.text
    assert "immutable" not in answer.headers["cache-control"]
