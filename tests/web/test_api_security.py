"""Who may do what, and how much of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from small_shop import PASSWORD, Api

from aisle.errors import InvalidRequest
from aisle.protect.passwords import AdminPassword

EVENT = {"name": "view_item", "visitor_id": "v", "items": [{"item_id": "G0"}]}
SEARCHES = [
    ("GET", "/v1/search?query=yoga"),
    ("POST", "/v1/search"),
    ("GET", "/v1/suggest?query=yo"),
    ("GET", "/v1/recommend/home"),
    ("GET", "/v1/items/G0"),
    ("GET", "/v1/shop"),
    ("GET", "/v1/promotions"),
    ("GET", "/v1/pages"),
]
ADMINS = [
    ("PUT", "/v1/products"),
    ("POST", "/v1/products"),
    ("DELETE", "/v1/products/nothing"),
    ("GET", "/v1/visitors/v"),
    ("DELETE", "/v1/visitors/v"),
    ("GET", "/v1/admin/overview"),
    ("GET", "/v1/admin/events"),
    ("GET", "/v1/admin/models"),
    ("GET", "/v1/admin/trainings"),
    ("GET", "/v1/admin/labels/intent"),
    ("POST", "/v1/admin/labels/intent"),
]
MATRIX = [(*r, "search") for r in SEARCHES] + [("POST", "/v1/events", "events")] + [(*r, "admin") for r in ADMINS]


@pytest.mark.parametrize(("method", "path", "scope"), MATRIX)
def test_a_key_opens_its_own_scope_only(api: Api, method: str, path: str, scope: str) -> None:
    def ask(headers: dict[str, str]) -> int:
        response = api.client.request(method, path, headers=headers, json=EVENT if method != "GET" else None)
        if response.status_code >= 400:
            assert response.headers["content-type"] == "application/problem+json"
        return int(response.status_code)

    assert ask({}) == 401
    assert ask({"X-Aisle-Key": "ak_sea_guess"}) == 401
    assert ask({"X-Aisle-Key": ""}) == 401
    assert ask({"Authorization": "Basic YTpi"}) == 401
    for name in ("search", "events", "admin"):
        key = getattr(api, name)["X-Aisle-Key"]
        for headers in ({"X-Aisle-Key": key}, {"Authorization": f"Bearer {key}"}):
            assert (ask(headers) in (401, 403)) == (name != scope), (name, scope)
    assert (ask(api.storefront) == 403) == (scope == "admin")


def test_a_revoked_key_opens_nothing(api: Api) -> None:
    key = {"X-Aisle-Key": api.shop.keys.create("short-lived", ["search"])}
    assert api.client.get("/v1/pages", headers=key).status_code == 200
    api.shop.keys.revoke(next(k.key_id for k in api.shop.keys.list() if k.name == "short-lived"))
    assert api.client.get("/v1/pages", headers=key).status_code == 401


def test_keys_are_not_kept_in_clear(api: Api) -> None:
    stored = b"".join(f.read_bytes() for f in api.shop.path.glob("aisle.db*"))
    for headers in (api.search, api.admin, api.storefront):
        assert headers["X-Aisle-Key"].encode() not in stored
    assert (api.shop.path / "secret.key").stat().st_mode & 0o077 == 0
    with pytest.raises(InvalidRequest):
        api.shop.keys.create("x", ["root"])


# ------------------------------------------------------------------ the login


@pytest.fixture
def login(api: Api) -> Iterator[Callable[..., Any]]:
    def post(password: str, **headers: str) -> Any:
        return api.client.post("/admin/login", data={"password": password}, headers=headers)

    yield post
    api.client.cookies.clear()


def test_the_password_opens_the_admin_pages_and_api(api: Api, login: Callable[..., Any]) -> None:
    assert api.client.get("/v1/admin/overview").status_code == 401
    answer = login(PASSWORD)
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert api.client.get("/v1/admin/overview").status_code == 200
    away = api.client.post("/admin/logout")
    assert "Max-Age=0" in away.headers["set-cookie"]
    assert api.client.get("/v1/admin/overview").status_code == 401


def test_a_session_changes_things_from_its_own_origin_only(api: Api, login: Callable[..., Any]) -> None:
    login(PASSWORD)
    row = {"id": "by-session", "title": "Made by the admin page"}
    ask = api.client
    assert ask.put("/v1/products", json=row).status_code == 403
    assert ask.put("/v1/products", json=row, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert ask.put("/v1/products", json=row, headers={"Origin": "https://evil.example"}).status_code == 403
    assert ask.put("/v1/products", json=row, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert ask.delete("/v1/products/by-session", headers={"Origin": "http://testserver"}).status_code == 200


def test_a_forged_or_old_session_is_none(api: Api, login: Callable[..., Any]) -> None:
    cookie = login(PASSWORD).headers["set-cookie"].split(";")[0]
    api.client.cookies.clear()
    name, _, value = cookie.partition("=")
    expiry, _, signature = value.partition(".")
    for forged in (f"{int(expiry) + 9999}.{signature}", f"{expiry}.{'0' * 64}", f"1.{signature}", "", ".", "é.x"):
        headers = {"Cookie": f"{name}={forged}".encode("latin-1")}
        assert api.client.get("/v1/admin/overview", headers=headers).status_code == 401  # type: ignore[arg-type]
    assert api.client.get("/v1/admin/overview", headers={"Cookie": cookie}).status_code == 200


def test_wrong_passwords_are_refused_and_limited(make_api: Callable[..., Api]) -> None:
    own = make_api(login_attempts_per_minute=3)
    answers = [own.client.post("/admin/login", data={"password": guess}) for guess in ("", "a", PASSWORD, PASSWORD)]
    assert [a.status_code for a in answers] == [401, 401, 204, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    own.client.cookies.clear()
    away = own.client.post("/admin/login", data={"password": "x"}, headers={"Accept": "text/html"})
    assert away.status_code == 303
    assert away.headers["location"].startswith("/admin/login?failed=")


def test_a_login_from_another_site_is_refused(login: Callable[..., Any]) -> None:
    assert login(PASSWORD, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert login("x" * 10_000).status_code == 413


def test_there_is_no_default_password(tmp_path: Any) -> None:
    password = AdminPassword(tmp_path / "admin.hash")
    assert not password.is_set
    assert not any(password.verify(guess) for guess in ("", "admin", "password", "aisle"))
    with pytest.raises(InvalidRequest):
        password.set("short")


# --------------------------------------------------------------------- limits


@pytest.fixture(scope="module")
def strict(make_api: Callable[..., Api]) -> Api:
    return make_api(max_body_bytes=2048, max_batch=3, rate_per_minute=40, cors_origins=["https://shop.example"])


def test_bodies_over_the_limit_are_refused(strict: Api) -> None:
    big = b'{"query": "' + b"x" * 5000 + b'"}'

    def chunks() -> Iterator[bytes]:
        for i in range(0, len(big), 500):
            yield big[i : i + 500]

    for content in (big, chunks()):
        for path, key in (("/v1/search", strict.search), ("/v1/events", strict.events), ("/v1/products", strict.admin)):
            answer = strict.client.post(path, content=content, headers=key)
            assert answer.status_code == 413, path
            assert answer.headers["content-type"] == "application/problem+json"
            content = big


def test_batches_over_the_limit_are_refused(strict: Api) -> None:
    assert strict.client.post("/v1/events", json=[EVENT] * 4, headers=strict.events).status_code == 413
    assert strict.client.post("/v1/events", json=[EVENT] * 3, headers=strict.events).status_code == 202
    assert strict.client.put("/v1/products", json=[{}] * 4, headers=strict.admin).status_code == 413


def test_a_caller_over_its_rate_is_told_when_to_return(strict: Api) -> None:
    key = {"X-Aisle-Key": strict.shop.keys.create("busy", ["search"])}
    codes = [strict.client.get("/v1/pages", headers=key).status_code for _ in range(50)]
    assert set(codes) == {200, 429}
    refused = strict.client.get("/v1/pages", headers=key)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert strict.client.get("/v1/pages", headers=strict.search).status_code == 200, "others are not held up"
    guesses = [strict.client.get("/v1/pages", headers={"X-Aisle-Key": f"g{i}"}).status_code for i in range(50)]
    assert guesses[-1] == 429, "guessing keys is limited too"


def test_other_origins_may_call_only_when_named(strict: Api, api: Api) -> None:
    ask = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    assert strict.client.options("/v1/events", headers=ask).headers["access-control-allow-origin"] == ask["Origin"]
    elsewhere = strict.client.options("/v1/events", headers={**ask, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in elsewhere.headers
    assert "access-control-allow-origin" not in api.client.options("/v1/events", headers=ask).headers


# ------------------------------------------------------------- what comes back


def test_every_answer_carries_its_guards(api: Api) -> None:
    for path in ("/v1/search", "/", "/health/live", "/nothing/here", "/openapi.json"):
        headers = api.client.get(path, headers=api.search).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert "referrer-policy" in headers
        assert "unsafe-inline" not in headers["content-security-policy"].split("style-src")[0]
    assert api.client.get("/v1/search", headers=api.search).headers["cache-control"] == "no-store"


def test_unknown_addresses_and_methods_are_problems(api: Api) -> None:
    missing = api.client.get("/v1/nothing")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    wrong = api.client.patch("/v1/events")
    assert (wrong.status_code, wrong.headers["content-type"]) == (405, "application/problem+json")
    assert "POST" in wrong.headers["allow"]


def test_a_fault_of_ours_tells_an_id_and_nothing_else(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the secret recipe")

    monkeypatch.setattr(type(api.shop), "search", broken)
    with caplog.at_level(logging.ERROR, logger="aisle.web"):
        answer = api.client.get("/v1/search?query=x", headers=api.search)
    assert answer.status_code == 500
    assert "recipe" not in answer.text
    assert answer.json()["fault_id"] in caplog.text
    assert api.search["X-Aisle-Key"] not in caplog.text


def test_media_gives_pictures_and_nothing_above(api: Api) -> None:
    media = api.shop.path / "media"
    media.mkdir(exist_ok=True)
    (media / "hoodie.jpg").write_bytes(b"\xff\xd8\xff picture")
    (media / "notes.html").write_text("<script>")
    (media / "out.jpg").symlink_to(api.shop.path / "secret.key")
    answer = api.client.get("/media/hoodie.jpg")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    again = api.client.get("/media/hoodie.jpg", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    wrong = ("notes.html", "out.jpg", "..%2fsecret.key", "%2e%2e/aisle.db", "x" * 5000 + ".jpg", "a%00.jpg", "")
    for name in wrong:
        assert api.client.get(f"/media/{name}").status_code == 404, name
