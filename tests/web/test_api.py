"""The HTTP API as its callers see it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import BaseModel
from small_shop import Api

from aisle.web import frame_models, models
from aisle.web.learning_models import LabelledAnswer, LabelsAnswer, TrainingsAnswer


def good(response: Any, model: type[BaseModel], status: int = 200) -> Any:
    """The body of an answer that is what the OpenAPI says."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    model.model_validate_json(response.content, strict=True)
    return response.json()


def problem(response: Any, status: int, field: str | None = None) -> Any:
    """The body of a problem."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    models.Problem.model_validate(body)
    assert body["status"] == status
    assert body["detail"]
    if field is not None:
        assert body["field"] == field
    return body


def until(check: Any, seconds: float = 10.0) -> Any:
    """The first true value of `check`, asked again and again."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
    return found


# -------------------------------------------------------------------- search


def test_search_finds_counts_and_explains(api: Api) -> None:
    body = good(api.client.get("/v1/search?query=hoodie", headers=api.search), models.SearchAnswer)
    assert body["n_hits"] == 1
    hit = body["hits"][0]
    assert hit["group_id"] == "H1"
    assert hit["price"] == "52.00 USD"
    assert hit["n_variants"] == 4
    assert sorted(hit["colors"]) == ["Blue", "Red"]
    assert hit["reasons"]
    assert all(reason["text"] for reason in hit["reasons"])
    assert body["list_id"]
    assert {v["value"]: v["count"] for v in body["facets"]["color"]} == {"Red": 1, "Blue": 1}


def test_reasons_come_in_the_language_asked_for(api: Api) -> None:
    texts = [
        api.client.get(f"/v1/search?query=hoodie&language={language}", headers=api.search).json()["hits"][0]["reasons"]
        for language in ("en", "zh")
    ]
    assert texts[0] != texts[1]


def test_a_price_in_the_query_is_understood_and_filters(api: Api) -> None:
    body = good(api.client.get("/v1/search?query=watch under $60", headers=api.search), models.SearchAnswer)
    assert [hit["title"] for hit in body["hits"]] == ["Aim Analog Watch"]
    assert body["understood"][0]["kind"] == "price"
    assert 59 < body["understood"][0]["high"] <= 60


def test_get_post_and_algolia_names_agree(api: Api) -> None:
    def ids(response: Any) -> list[str]:
        return [hit["item_id"] for hit in good(response, models.SearchAnswer)["hits"]]

    ask = api.client
    plain = ids(ask.get("/v1/search?query=yoga&filters=price < 15&hits_per_page=2&sort=price_asc", headers=api.search))
    assert plain == ["G2", "G0"]
    posted = {"query": "yoga", "filters": "price < 15", "hits_per_page": 2, "sort": "price_asc"}
    assert ids(ask.post("/v1/search", json=posted, headers=api.search)) == plain
    algolia = {"query": "yoga", "numericFilters": ["price<15"], "hitsPerPage": 2, "sort": "price_asc"}
    assert ids(ask.post("/v1/search", json=algolia, headers=api.search)) == plain
    either = {"facetFilters": [["brand:Acme", "brand:Nobody"]]}
    assert len(ids(ask.post("/v1/search", json=either, headers=api.search))) == 1
    assert len(ids(ask.get('/v1/search?facetFilters=["brand:Acme"]', headers=api.search))) == 1


def test_pages_follow_each_other(api: Api) -> None:
    pages = [
        good(
            api.client.get(f"/v1/search?sort=price_asc&page={page}&hits_per_page=3", headers=api.search),
            models.SearchAnswer,
        )
        for page in (0, 1, 2)
    ]
    ids = [hit["item_id"] for page in pages for hit in page["hits"]]
    assert len(ids) == len(set(ids)) == pages[0]["n_hits"]
    assert [hit["position"] for page in pages for hit in page["hits"]] == list(range(len(ids)))


def test_facets_asked_for_are_the_ones_given(api: Api) -> None:
    body = good(api.client.get("/v1/search?facets=brand,color", headers=api.search), models.SearchAnswer)
    assert set(body["facets"]) == {"brand", "color"}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "x" * 10_000,
        "yoga " * 2_000,
        "\x00\x01\x02 yoga",
        '"unclosed AND (field:',
        "تيشيرت",
        "👕👕👕",
        "' OR 1=1 --",
        "%00%ff",
        "\u202eagoy",
        "a" * 500 + "*?~^",
        "under $99999999999999999999999",
    ],
)  # fmt: skip
def test_any_query_gets_an_answer(api: Api, query: str) -> None:
    good(api.client.get("/v1/search", params={"query": query}, headers=api.search), models.SearchAnswer)
    good(api.client.post("/v1/search", json={"query": query}, headers=api.search), models.SearchAnswer)
    good(api.client.get("/v1/suggest", params={"query": query}, headers=api.search), models.SuggestAnswer)


def test_a_wrong_filter_says_what_is_wrong(api: Api) -> None:
    for filters in ("nosuchfield:red", "color:", "price < abc", "((color:Red", 'color:"Red'):
        body = problem(api.client.get("/v1/search", params={"filters": filters}, headers=api.search), 400)
        assert body["type"] == "urn:aisle:problem:invalid-filter"
    problem(api.client.get("/v1/search?facetFilters=[1", headers=api.search), 400, "facetFilters")
    problem(api.client.post("/v1/search", json={"numericFilters": ["price~5"]}, headers=api.search), 400)
    problem(api.client.get("/v1/search?facets=nosuchfield", headers=api.search), 400)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("page=-1", "page"),
        ("page=abc", "page"),
        ("hits_per_page=0", "hits_per_page"),
        ("hits_per_page=100000", "hits_per_page"),
        ("sort=best", "sort"),
        (f"visitor_id={'v' * 300}", "visitor_id"),
    ],
)
def test_arguments_out_of_range_are_named(api: Api, asked: str, field: str) -> None:
    problem(api.client.get(f"/v1/search?{asked}", headers=api.search), 422, field)


def test_a_shop_may_limit_hits_a_page(api: Api) -> None:
    problem(api.client.get("/v1/search?hits_per_page=500", headers=api.search), 400, "hits_per_page")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b'{"query": "\\ud800"}', b'{"page": NaN}', b"\xff\xfe"])
def test_a_body_that_is_not_json_is_a_clear_error(api: Api, body: bytes) -> None:
    assert api.client.post("/v1/search", content=body, headers=api.search).status_code in (400, 422)
    if body != b"[]":  # no events at all is no error
        problem(api.client.post("/v1/events", content=body, headers=api.events), 400)


# ----------------------------------------------- suggestions, recommendations


def test_suggestions_forgive_a_typing_error(api: Api) -> None:
    body = good(api.client.get("/v1/suggest?query=yoga stap", headers=api.search), models.SuggestAnswer)
    assert any("Yoga Strap" in s["text"] for s in body["suggestions"][:5])


def test_suggestions_may_bring_products_with_prices(api: Api) -> None:
    asked = "/v1/suggest?query=yoga&n_products=3"
    body = good(api.client.get(asked, headers=api.search), models.SuggestAnswer)
    assert len(body["products"]) == 3
    assert {p["kind"] for p in body["products"]} == {"product"}
    assert all(p["price"].endswith(" USD") and p["item_id"] for p in body["products"])
    assert all(s["kind"] != "product" for s in body["suggestions"])
    body = good(api.client.get("/v1/suggest?query=yoga", headers=api.search), models.SuggestAnswer)
    assert body["products"] == []
    assert any(s["kind"] == "product" for s in body["suggestions"])
    problem(api.client.get("/v1/suggest?query=yoga&n_products=99", headers=api.search), 422, "n_products")


def test_a_shoppers_own_searches_are_suggested_to_nobody_else_and_erased_with_them(api: Api) -> None:
    def own(visitor: str) -> list[str]:
        answer = api.client.get(f"/v1/suggest?query=quiet&visitor_id={visitor}", headers=api.search)
        body = good(answer, models.SuggestAnswer)
        return [s["text"] for s in body["suggestions"] if s["recent"] or "quiet" in s["text"]]

    event = {"name": "search", "visitor_id": "typist", "query": "quiet watch for dad"}
    assert api.client.post("/v1/events", json=event, headers=api.events).status_code == 202
    assert own("typist") == ["quiet watch for dad"]
    assert own("somebody") == own("") == []
    assert api.client.delete("/v1/visitors/typist", headers=api.admin).status_code == 200
    assert own("typist") == []


_ALWAYS = (
    "home", "similar", "together", "viewed", "trending", "complementary", "cart", "after_purchase", "rescue",
    "new_for_you",
)  # fmt: skip


@pytest.mark.parametrize("surface", _ALWAYS)
def test_every_surface_answers_anybody(api: Api, surface: str) -> None:
    for asked in ("item_id=G0&item_id=G1", "item_id=nobody-sells-this&visitor_id=never-seen&language=zh"):
        answer = api.client.get(f"/v1/recommend/{surface}?{asked}&top_k=3", headers=api.search)
        body = good(answer, models.RecommendAnswer)
        assert body["surface"] == surface
        assert body["title"]
        assert len(body["hits"]) <= 3
    assert body["hits"], "an unknown item gets what is popular"


@pytest.mark.parametrize("surface", ["buy_again", "followed"])
def test_what_would_not_be_true_is_not_said(api: Api, surface: str) -> None:
    body = good(
        api.client.get(f"/v1/recommend/{surface}?visitor_id=never-seen", headers=api.search), models.RecommendAnswer
    )
    assert body["hits"] == []
    assert body["title"]


def test_a_search_that_finds_nothing_brings_something_else(api: Api) -> None:
    body = good(api.client.get("/v1/search?query=zzzzqqqq", headers=api.search), models.SearchAnswer)
    assert body["n_hits"] == 0
    assert body["hits"] == []
    assert body["rescue"]["surface"] == "rescue"
    assert body["rescue"]["hits"]
    assert body["rescue"]["list_id"] != body["list_id"]
    found = good(api.client.get("/v1/search?query=hoodie", headers=api.search), models.SearchAnswer)
    assert found["rescue"] is None


def test_a_follow_shows_at_once_and_can_be_taken_back(api: Api) -> None:
    visitor = "follower"

    def followed() -> set[str]:
        answer = api.client.get(f"/v1/recommend/followed?visitor_id={visitor}", headers=api.storefront)
        return {hit["brand"] for hit in answer.json()["hits"]}

    brand = next(h["brand"] for h in api.client.get("/v1/search", headers=api.search).json()["hits"] if h["brand"])
    event: dict[str, Any] = {"name": "follow", "visitor_id": visitor, "params": {"brand": brand}}
    good(api.client.post("/v1/events", json=event, headers=api.storefront), models.AckAnswer, 202)
    assert followed() == {brand}
    event["params"]["undo"] = True
    good(api.client.post("/v1/events", json=event, headers=api.storefront), models.AckAnswer, 202)
    assert followed() == set()


def test_there_are_things_to_read_and_groups_once_trained(api: Api) -> None:
    good(api.client.get("/v1/content?item_id=G0", headers=api.search), frame_models.ContentAnswer)
    good(api.client.get("/v1/content?visitor_id=never-seen", headers=api.search), frame_models.ContentAnswer)
    assert good(api.client.get("/v1/groups", headers=api.search), frame_models.GroupsAnswer)["groups"] == []
    problem(api.client.get("/v1/recommend/group?group=99", headers=api.search), 404)


def test_where_and_on_what_is_kept_with_the_answer(api: Api) -> None:
    headers = {**api.storefront, "X-Aisle-Place": "GB/Leeds", "User-Agent": "Mozilla/5.0 (iPhone) Mobile"}
    api.client.get("/v1/recommend/home?visitor_id=in-leeds", headers=headers)
    kept = api.shop.export("in-leeds")["slates"][-1]["context"]
    assert (kept["place"], kept["device"]) == ("GB/Leeds", "phone")
    assert kept["time_ms"] > 0


def test_a_surface_that_needs_a_product_says_so(api: Api) -> None:
    problem(api.client.get("/v1/recommend/similar", headers=api.search), 400, "item_id")
    problem(api.client.get("/v1/recommend/nosuch", headers=api.search), 422, "surface")


def test_a_click_changes_the_very_next_home(api: Api) -> None:
    visitor = "click-then-home"

    def home() -> list[str]:
        answer = api.client.get(f"/v1/recommend/home?visitor_id={visitor}&top_k=5", headers=api.storefront)
        return [reason["kind"] for hit in answer.json()["hits"] for reason in hit["reasons"]]

    before = home()
    event = {"name": "add_to_cart", "visitor_id": visitor, "session_id": "s", "items": [{"item_id": "G0"}]}
    good(api.client.post("/v1/events", json=event, headers=api.storefront), models.AckAnswer, 202)
    found = api.client.get(f"/v1/visitors/{visitor}", headers=api.admin)
    assert "G0" in found.text
    assert isinstance(before, list)
    assert home()


# ---------------------------------------------------------------- the product


def test_an_item_by_variant_and_by_group(api: Api) -> None:
    body = good(api.client.get("/v1/items/H1-Blue-M", headers=api.search), models.ItemAnswer)
    assert (body["item_id"], body["color"], body["size"]) == ("H1-Blue-M", "Blue", "M")
    assert len(body["variants"]) == 4
    assert body["attributes"] == {"style": ["casual", "warm"]}
    assert good(api.client.get("/v1/items/H1", headers=api.search), models.ItemAnswer)["group_id"] == "H1"
    problem(api.client.get("/v1/items/nobody-sells-this", headers=api.search), 404)
    problem(api.client.get("/v1/items/%00%ff/..%2f", headers=api.search), 404)


def test_a_product_upserted_is_found_and_deleted_is_gone(api: Api) -> None:
    row = {"id": "up/1", "title": "Zebra Striped Umbrella", "price": "9.50 USD", "color": "Green", "wind_proof": "yes"}
    body = good(api.client.put("/v1/products", json=row, headers=api.admin), models.ChangesAnswer)
    assert body["n_added"] == 1
    assert (
        good(api.client.post("/v1/products", json=[row], headers=api.admin), models.ChangesAnswer)["n_unchanged"] == 1
    )

    def hits() -> list[str]:
        answer = api.client.get("/v1/search?query=zebra umbrella&facets=color", headers=api.search).json()
        return [hit["item_id"] for hit in answer["hits"]]

    until(lambda: hits() == ["up/1"])
    good(api.client.get("/v1/items/up/1", headers=api.search), models.ItemAnswer)
    good(api.client.delete("/v1/products/up/1", headers=api.admin), models.ChangesAnswer)
    until(lambda: not hits())
    problem(api.client.get("/v1/items/up/1", headers=api.search), 404)
    problem(api.client.delete("/v1/products/up/1", headers=api.admin), 404)


def test_one_bad_product_refuses_the_batch(api: Api) -> None:
    rows = [{"id": "half-1", "title": "Half a batch"}, {"id": "half-2", "title": "Bad price", "price": "abc"}]
    body = problem(api.client.put("/v1/products", json={"products": rows}, headers=api.admin), 422)
    assert "products[1]" in body["detail"]
    assert "price" in body["field"]
    problem(api.client.get("/v1/items/half-1", headers=api.search), 404)
    problem(api.client.put("/v1/products", json={"title": "no id"}, headers=api.admin), 422)


def test_the_shop_tells_of_itself(api: Api) -> None:
    body = good(api.client.get("/v1/shop", headers=api.storefront), frame_models.ShopAnswer)
    men = next(c for c in body["categories"] if c["name"] == "Men")
    assert {c["path"] for c in men["children"]} == {"Men > Tops"}
    assert men["count"] >= 2
    good(api.client.get("/v1/promotions", headers=api.search), frame_models.PromotionsAnswer)
    good(api.client.get("/v1/pages", headers=api.search), frame_models.PagesAnswer)


# --------------------------------------------------------------------- events


def event(**more: Any) -> dict[str, Any]:
    return {"name": "view_item", "visitor_id": "e1", "items": [{"item_id": "G0", "price": 14.0}], **more}


def test_events_alone_in_a_list_and_in_a_batch(api: Api) -> None:
    one = good(api.client.post("/v1/events", json=event(), headers=api.events), models.AckAnswer, 202)
    many = api.client.post("/v1/events", json=[event(), event()], headers=api.events)
    acks = good(many, models.AcksAnswer, 202)["acks"]
    batch = api.client.post("/v1/events", json={"events": [event()]}, headers=api.events)
    acks += good(batch, models.AcksAnswer, 202)["acks"]
    seqs = [one["seq"], *(ack["seq"] for ack in acks)]
    assert seqs == sorted(set(seqs))
    empty = api.client.post("/v1/events", json=[], headers=api.events)
    assert good(empty, models.AcksAnswer, 202) == {"acks": []}


def test_the_same_event_twice_is_one(api: Api) -> None:
    first = api.client.post("/v1/events", json=event(event_id="twice"), headers=api.events).json()
    again = api.client.post("/v1/events", json=event(event_id="twice"), headers=api.events).json()
    assert (first["duplicate"], again["duplicate"]) == (False, True)
    assert again["seq"] == first["seq"]


def test_an_event_for_an_unknown_item_is_kept(api: Api) -> None:
    stranger = event(items=[{"item_id": "never sold"}])
    good(api.client.post("/v1/events", json=stranger, headers=api.events), models.AckAnswer, 202)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "dance"},
        {"name": ""},
        {"visitor_id": ""},
        {"visitor_id": None},
        {"items": "G0"},
        {"items": [3]},
        {"items": [{"item_id": "G0", "price": "abc"}]},
        {"items": [{"item_id": "G0", "quantity": -3}]},
        {"time": "2999-01-01T00:00:00Z"},
        {"time": "yesterday"},
        {"time_ms": -1},
        {"name": "rate", "rating": 11},
    ],
)
def test_a_wrong_event_is_refused_and_named(api: Api, wrong: dict[str, Any]) -> None:
    problem(api.client.post("/v1/events", json=event(**wrong), headers=api.events), 422)
    before = api.shop.recent_events(1)
    body = problem(api.client.post("/v1/events", json=[event(), event(**wrong)], headers=api.events), 422)
    assert body["field"].startswith("events[1]")
    assert api.shop.recent_events(1) == before, "all of a batch is taken, or none"


# ---------------------------------------------------------------------- admin


def test_what_the_shopkeeper_sees(api: Api) -> None:
    api.client.post("/v1/events", json=event(event_id="seen-by-admin"), headers=api.events)
    body = good(api.client.get("/v1/admin/events?limit=5", headers=api.admin), models.EventsAnswer)
    assert body["events"][-1]["event"]["event_id"] == "seen-by-admin"
    later = api.client.get(f"/v1/admin/events?after_seq={body['last_seq']}", headers=api.admin).json()
    assert later == {"events": [], "last_seq": body["last_seq"]}
    good(api.client.get("/v1/admin/overview?days=7", headers=api.admin), models.OverviewAnswer)
    good(api.client.get("/v1/admin/models", headers=api.admin), models.ModelsAnswer)


def test_trainings_are_told_with_their_curves(make_api: Any) -> None:
    own = make_api()
    assert good(own.client.get("/v1/admin/trainings", headers=own.admin), TrainingsAnswer) == {"trainings": []}
    run = own.shop.path / "models" / ".runs" / "intent-lora"
    run.mkdir(parents=True)
    lines = [f'{{"step": {step}, "name": "train/loss", "value": {9 - step}}}\n' for step in (1, 2)]
    (run / "curves.jsonl").write_text("".join(lines) + '{"step')
    (found,) = good(own.client.get("/v1/admin/trainings", headers=own.admin), TrainingsAnswer)["trainings"]
    assert (found["name"], found["method"], found["running"], found["n_steps"]) == ("intent", "lora", True, 2)
    assert found["curves"] == [{"name": "train/loss", "steps": [1, 2], "values": [8.0, 7.0]}]


def test_labels_are_given_and_taken_back(make_api: Any) -> None:
    own = make_api()
    rows = [event(name="search", query="Where is  my order", visitor_id=f"v{n}", event_id=f"ask-{n}") for n in range(3)]
    own.client.post("/v1/events", json=rows, headers=own.events)
    path = "/v1/admin/labels/intent"
    body = good(own.client.get(path, headers=own.admin), LabelsAnswer)
    assert body["queue"] == [{"text": "where is my order", "reasons": [{"kind": "asked", "value": 3, "names": []}]}]
    assert {"name": "order", "count": 0} in body["names"]
    said = own.client.post(path, json={"text": "where is my order", "label": "order"}, headers=own.admin)
    assert good(said, LabelledAnswer) == {"task": "intent", "n_labels": 1}
    assert own.shop.labels("intent")[0].by == "admin"  # the key's name
    body = good(own.client.get(path, headers=own.admin), LabelsAnswer)
    assert (body["queue"], body["n_waiting"], body["names"][0]) == ([], 0, {"name": "order", "count": 1})
    back = {"text": "where is my order", "label": None}
    good(own.client.post(path, json=back, headers=own.admin), LabelledAnswer)
    problem(own.client.post(path, json=back, headers=own.admin), 404)
    assert good(own.client.get(path, headers=own.admin), LabelsAnswer)["n_waiting"] == 1


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"text": "x"}, 422, "label"),
        ({"text": 7, "label": "y"}, 422, "text"),
        ({"text": "x", "label": "y", "visitor_id": "v"}, 422, "visitor_id"),
        ({"text": " ", "label": "y"}, 400, "text"),
        ({"text": "x" * 1001, "label": "y"}, 400, "text"),
        ({"text": "x", "label": "y" * 101}, 400, "label"),
        ([], 422, None),
    ],
)
def test_what_is_no_label_is_refused(api: Api, body: Any, status: int, field: str | None) -> None:
    problem(api.client.post("/v1/admin/labels/intent", json=body, headers=api.admin), status, field)
    assert api.shop.labels("intent") == []


def test_a_task_has_a_plain_name(api: Api) -> None:
    for path in ("/v1/admin/labels/In%20tent", "/v1/admin/labels/" + "a" * 41):
        problem(api.client.get(path, headers=api.admin), 422, "task")
        problem(api.client.post(path, json={"text": "x", "label": "y"}, headers=api.admin), 422, "task")


def test_a_shopper_is_shown_and_forgotten(api: Api) -> None:
    api.client.post("/v1/events", json=event(visitor_id="forget/me"), headers=api.events)
    shown = good(api.client.get("/v1/visitors/forget/me", headers=api.admin), models.VisitorAnswer)
    assert "G0" in str(shown)
    good(api.client.delete("/v1/visitors/forget/me", headers=api.admin), models.ErasedAnswer)
    again = good(api.client.get("/v1/visitors/forget/me", headers=api.admin), models.VisitorAnswer)
    assert "G0" not in str(again)


# -------------------------------------------------------------- the server's


def test_health_and_metrics(api: Api) -> None:
    assert good(api.client.get("/health/live"), models.HealthAnswer) == {"status": "live"}
    ready = until(lambda: (r := api.client.get("/health/ready")).status_code == 200 and r)
    body = good(ready, models.HealthAnswer)
    assert body["status"] == "ready"
    assert body["index_lag"] == 0
    assert isinstance(body["degraded"], list)
    api.client.get("/v1/items/nobody-sells-this", headers=api.search)
    text = api.client.get("/metrics").text
    assert 'aisle_http_requests_total{method="GET",route="/v1/items/{item_id:path}",status="404"}' in text
    for name in ("aisle_events_accepted_total", "aisle_index_lag", "aisle_process_resident_memory_bytes"):
        assert name in text
    assert "nobody-sells-this" not in text


def test_openapi_names_every_route_and_example(api: Api) -> None:
    schema = api.client.get("/openapi.json").json()
    for path, operations in schema["paths"].items():
        for method, told in operations.items():
            assert told.get("summary"), (method, path)
            for parameter in told.get("parameters", []):
                described = parameter.get("description") or parameter["schema"].get("description")
                assert described or parameter["in"] == "path", (path, parameter["name"])
    assert "/v1/events" in schema["paths"]
    assert "HTTPValidationError" not in str(schema)
