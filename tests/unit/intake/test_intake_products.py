"""Feeds in every format, and every fault a feed can have."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from aisle.errors import IntakeError, InvalidProduct
from aisle.intake import sources
from aisle.intake.columns import parse_mapping
from aisle.intake.notes import Notes
from aisle.intake.products import product_from_mapping, read_products
from aisle.types import Money, Product, Reject

TSV = (
    "id\titem_group_id\ttitle\tdescription\timage_link\tavailability\tprice\tsale_price\tproduct_type\tcolor\tgender"
    "\tproduct_detail\tfabric weight\n"
    'M1\tM\tRed hoodie\t"Warm.\nDry."\timages/a.jpg\tin stock\t52.00 USD\t40 USD\tMen>Tops > Hoodies\tRed\tMen'
    "\tclimate:Cold/Windy;eco:Yes\t300 g\n"
    "M2\tM\tBlue hoodie\t\t\tout_of_stock\t52.00 USD\t\tMen > Tops > Hoodies\tBlue\tMen/Women/Unisex\t\t\n"
)


def read(path: Path, **options: object) -> tuple[list[Product], list[Reject]]:
    rows = list(read_products(path, **options))  # type: ignore[arg-type]
    return [r for r in rows if isinstance(r, Product)], [r for r in rows if isinstance(r, Reject)]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_merchant_tsv_gives_every_field(tmp_path: Path) -> None:
    products, rejects = read(write(tmp_path, "feed.tsv", TSV))
    assert not rejects
    first, second = products
    assert (first.item_id, first.group_id, first.title) == ("M1", "M", "Red hoodie")
    assert first.description == "Warm.\nDry."
    assert first.price == Money(Decimal(52))
    assert first.sale_price == Money(Decimal(40))
    assert first.product_type == "Men > Tops > Hoodies"
    assert first.gender == "male"
    assert first.availability == "in_stock"
    assert first.attributes == {"climate": ("Cold", "Windy"), "eco": ("Yes",), "fabric_weight": ("300 g",)}
    assert second.gender == "unisex"
    assert second.availability == "out_of_stock"
    assert second.image_link == ""


def test_the_same_products_come_from_every_format(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "title": "Café ☕ mug", "price": "12.50 EUR", "brand": "Ünique", "color": "Red"},
        {"id": "2", "title": "قميص أزرق", "price": "9 EUR", "brand": "B", "color": ""},
    ]
    names = list(rows[0])

    def table(mark: str) -> str:
        return "".join(mark.join(line) + "\n" for line in (names, *(list(r.values()) for r in rows)))

    xml = "".join("<item>" + "".join(f"<g:{k}>{v}</g:{k}>" for k, v in r.items()) + "</item>" for r in rows)
    ns = 'xmlns:g="http://base.google.com/ns/1.0"'
    pl.DataFrame(rows).write_parquet(tmp_path / "f.parquet")
    files = [
        write(tmp_path, "f.tsv", table("\t")),
        write(tmp_path, "f.csv", table(",")),
        write(tmp_path, "semicolon.csv", table(";")),
        write(tmp_path, "tabs.txt", table("\t")),
        write(tmp_path, "f.jsonl", "".join(json.dumps(r) + "\n\n" for r in rows)),
        write(tmp_path, "f.json", json.dumps(rows, indent=1)),
        write(tmp_path, "wrapped.json", json.dumps({"products": rows})),
        write(tmp_path, "f.xml", f'<?xml version="1.0"?><rss {ns} version="2.0"><channel>{xml}</channel></rss>'),
        write(tmp_path, "utf16.csv", table(",").encode("utf-16")),
        write(tmp_path, "bom.csv", b"\xef\xbb\xbf" + table(",").encode()),
        write(tmp_path, "mac.csv", table(",").replace("\n", "\r").encode()),
        write(tmp_path, "noending", table("\t")),
        write(tmp_path, "f.tsv.gz", gzip.compress(table("\t").encode())),
        write(tmp_path, "f.parquet.gz", gzip.compress((tmp_path / "f.parquet").read_bytes())),
        tmp_path / "f.parquet",
    ]
    expected, _ = read(files[0])
    assert [p.title for p in expected] == ["Café ☕ mug", "قميص أزرق"]
    for file in files:
        assert read(file) == (expected, []), file.name


def test_atom_with_links_details_and_the_pages_own_title(tmp_path: Path) -> None:
    feed = (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><title>Shop</title>\n'
        '<entry><title>page title</title><g:title>Mug</g:title><link rel="self" href="https://no.example"/>'
        '<link href="https://s.example/1"/><id>tag:1</id><g:id>1</g:id>'
        "<g:additional_image_link>https://s.example/a.jpg</g:additional_image_link>"
        "<g:additional_image_link>https://s.example/b.jpg</g:additional_image_link>"
        "<g:product_detail><g:section_name>General</g:section_name><g:attribute_name>Holds</g:attribute_name>"
        "<g:attribute_value>300 ml</g:attribute_value></g:product_detail>"
        "<g:shipping><g:country>US</g:country></g:shipping></entry></feed>"
    )
    [mug], rejects = read(write(tmp_path, "feed.atom", feed))
    assert not rejects
    assert (mug.item_id, mug.title, mug.link) == ("1", "Mug", "https://s.example/1")
    assert mug.image_link == "https://s.example/a.jpg"
    assert mug.additional_image_links == ("https://s.example/b.jpg",)
    assert mug.attributes["holds"] == ("300 ml",)


def test_plain_columns_are_recognised_or_mapped(tmp_path: Path) -> None:
    path = write(
        tmp_path, "p.csv", "upc,name,manufacturer,short_description,long_description\n007,DVD,Sony,Short,Long\n"
    )
    [dvd], _ = read(path)
    assert (dvd.item_id, dvd.title, dvd.brand, dvd.description) == ("007", "DVD", "Sony", "Short\nLong")

    path = write(tmp_path, "q.csv", "Code;Bezeichnung;Ort\n1;Tasse;Ulm\n")
    mapping = parse_mapping(["item_id=code", "title=Bezeichnung", "attributes.place=Ort"])
    [cup], _ = read(path, mapping=mapping)
    assert (cup.title, cup.attributes) == ("Tasse", {"place": ("Ulm",)})
    with pytest.raises(IntakeError, match="no column 'Farbe'"):
        read_products(path, mapping={"color": "Farbe"})
    with pytest.raises(IntakeError, match="did you mean 'title'"):
        read_products(path, mapping={"titel": "Bezeichnung"})
    with pytest.raises(IntakeError, match="OURS=THEIRS"):
        parse_mapping(["title"])


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ({"id": "1", "title": "x", "price": "abc"}, "price", "not a price"),
        ({"id": "1", "title": "x", "price": "-3 USD"}, "price", "between 0"),
        ({"id": "1", "title": "x", "price": "3 USD", "sale_price": "2 EUR"}, "sale_price", "EUR"),
        ({"id": "1", "title": "x", "price": True}, "price", "not a price"),
        ({"id": "1", "title": "x", "price": float("nan")}, "", ""),
        ({"id": "1", "title": "x", "availability": "perhaps"}, "availability", "unknown"),
        ({"id": "1", "title": "x", "quantity": "many"}, "quantity", "pieces"),
        ({"id": "1", "title": " \x00 "}, "title", "needs a title"),
        ({"id": "", "title": "x"}, "item_id", "needs an id"),
        ({"id": "i" * 257, "title": "x"}, "item_id", "256"),
    ],
)
def test_a_bad_value_names_its_field(row: dict[str, object], field: str, reason: str) -> None:
    if not field:
        assert product_from_mapping(row).price is None
        return
    with pytest.raises(InvalidProduct, match=reason) as caught:
        product_from_mapping(row)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("text", "expected"),
    [("In Stock", "in_stock"), ("https://schema.org/InStock", "in_stock"), ("SoldOut", "out_of_stock"),
     ("pre-order", "preorder"), ("back order", "backorder"), ("", "in_stock")],
)  # fmt: skip
def test_availability_is_understood_in_many_spellings(text: str, expected: str) -> None:
    assert product_from_mapping({"id": "1", "title": "x", "availability": text}).availability == expected


def test_no_stock_and_no_availability_means_out_of_stock() -> None:
    assert product_from_mapping({"id": "1", "title": "x", "quantity": 0}).availability == "out_of_stock"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Men", "male"), ("WOMEN", "female"), ("Men's", "male"), ("Girls", "female"), ("Men/Women", "unisex"),
     ("divers", "divers")],
)  # fmt: skip
def test_gender(text: str, expected: str) -> None:
    assert product_from_mapping({"id": "1", "title": "x", "gender": text}).gender == expected


def test_json_values_of_any_kind_are_read() -> None:
    product = product_from_mapping(
        {
            "item_id": 17850.0,
            "title": "x",
            "price": {"value": "5.00", "currency": "GBP"},
            "salePrice": 4,
            "currency": "GBP",
            "additional_image_links": ["https://a.example/1.jpg", None],
            "attributes": {"fit": ["Slim", "Slim"], "washable": True},
            "product_detail": "General:Type:Player,General:Memory:Flash",
            "weight": 1.5,
        }
    )
    assert product.item_id == "17850"
    assert (str(product.price), str(product.sale_price)) == ("5.00 GBP", "4.00 GBP")
    assert product.attributes == {
        "type": ("Player",), "memory": ("Flash",), "fit": ("Slim",), "washable": ("yes",), "weight": ("1.5",)
    }  # fmt: skip


def test_text_is_cleaned_and_every_script_is_kept() -> None:
    product = product_from_mapping(
        {
            "id": "1",
            "title": "  Cafe\u0301\x07 👩‍👩‍👧\u202e  قميص  ",
            "description": "<p>One &amp; <b>two</b></p><script>alert('x')</script><br>5 < 6<!-- no -->",
        }
    )
    assert product.title == "Café 👩‍👩‍👧 قميص"
    assert product.description == "One & two\n5 < 6"


@pytest.mark.parametrize(
    "hostile", ["<script>" * 60_000, "<!--" * 100_000, "<" * 400_000, " \n" * 200_000, "&amp;" * 80_000]
)
def test_hostile_markup_takes_no_time(hostile: str) -> None:
    assert len(product_from_mapping({"id": "1", "title": "x", "description": hostile}).description) <= 20_000


def test_a_10_mb_description_is_cut_with_a_note(tmp_path: Path) -> None:
    notes = Notes()
    path = write(tmp_path, "big.csv", 'id,title,description\n1,Big,"' + "word \n" * 1_700_000 + '"\n2,Small,fine\n')
    products, rejects = read(path, notes=notes)
    assert not rejects
    assert [len(p.description) for p in products] == [19_999, 4]
    assert notes.lines() == ("description cut at 20,000 characters: 1 (first: 1)",)


def test_dangerous_links_are_dropped(tmp_path: Path) -> None:
    notes = Notes()
    row = {"id": "1", "title": "x", "link": "javascript:alert(1)", "image_link": "data:image/png;base64,xx"}
    product = product_from_mapping(row, notes=notes)
    assert (product.link, product.image_link) == ("", "")
    assert len(notes) == 1


def test_bad_rows_are_refused_with_their_line_and_the_others_go_on(tmp_path: Path) -> None:
    text = 'id,title,price\n1,A,1\n2,"B\nb",abc\n\n3,C\n4,D,1,extra\n5,E,1,\n6,F,1\n'
    products, rejects = read(write(tmp_path, "f.csv", text))
    assert [p.item_id for p in products] == ["1", "5", "6"]
    assert [(r.file, r.line, r.field) for r in rejects] == [("f.csv", 3, "price"), ("f.csv", 6, ""), ("f.csv", 7, "")]
    assert rejects[0].value == "abc"


def test_a_quote_that_never_closes_costs_one_row(tmp_path: Path) -> None:
    text = 'id\ttitle\tcolor\n1\t"Big\tRed\n2\t19" screen\tBlue\n3\t"Lost\n' + "".join(
        f"{i}\tT\tc\n" for i in range(4, 40)
    )
    products, rejects = read(write(tmp_path, "f.tsv", text))
    assert [p.item_id for p in products] == ["1", "2", *map(str, range(4, 40))]
    assert products[0].title == '"Big'
    assert [(r.line, r.reason) for r in rejects] == [(4, "a quote opens in this line and does not close")]


def test_nul_bytes_and_foreign_bytes_cost_at_most_their_row(tmp_path: Path) -> None:
    text = b"id,title\n1,Caf\xc3\xa9 cr\xc3\xa8me\n2,Caf\xe9\n3,a\x00b\n"
    products, rejects = read(write(tmp_path, "mixed.csv", text))
    assert [p.title for p in products] == ["Café crème", "ab"]
    assert [(r.line, r.reason[:20]) for r in rejects] == [(3, "bytes that are not U")]
    products, _ = read(write(tmp_path, "latin.csv", "id,title\n1,Müller\n".encode("latin-1")))
    assert products[0].title == "Müller"


def test_a_second_row_of_an_id_is_refused_unless_it_is_the_same(tmp_path: Path) -> None:
    notes = Notes()
    path = write(tmp_path, "f.csv", "id,title\n1,A\n1,A\n1,B\n2,C\n")
    products, rejects = read(path, notes=notes)
    assert [p.title for p in products] == ["A", "C"]
    assert [(r.line, r.field) for r in rejects] == [(4, "item_id")]
    assert notes.lines() == ("repeated row skipped: 1 (first: 1)",)


def test_order_lines_give_products_without_their_buyers(tmp_path: Path) -> None:
    text = (
        "InvoiceNo,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "1,MUG,6,12/1/2010 8:26,2.55,17850,UK\n1,CUP,-6,12/1/2010 8:26,1,17850,UK\n2,MUG,1,12/2/2010 8:26,3,1,UK\n"
    )
    products, rejects = read(write(tmp_path, "orders.csv", text))
    assert not rejects
    assert [(p.item_id, p.quantity, p.attributes) for p in products] == [("MUG", None, {}), ("CUP", None, {})]


def test_json_nested_a_thousand_deep_is_only_a_bad_value(tmp_path: Path) -> None:
    deep = "[" * 1000 + "]" * 1000
    path = write(tmp_path, "f.jsonl", f'{{"id":"1","title":{deep}}}\n{{"id":"2","title":"B","other":{deep}}}\n')
    products, rejects = read(path)
    assert [p.item_id for p in products] == ["2"]
    assert [r.field for r in rejects] == ["title"]


def test_attributes_are_bounded() -> None:
    row = {"id": "1", "title": "x", **{f"c{i}": "v" * 900 for i in range(80)}}
    attributes = product_from_mapping(row).attributes
    assert len(attributes) == 50
    assert {len(v) for values in attributes.values() for v in values} == {500}


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{i} "{f"&lol{i - 1 or str()};" * 10}">' for i in range(1, 10))
    + "]><rss><channel><item><id>1</id><title>&lol9;</title></item></channel></rss>"
)
OUTSIDE = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><item><id>1</id><title>&x;</title></item></rss>'


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("empty.csv", b"", "empty"),
        ("blank.csv", b"\n\n\n", "no header"),
        ("noid.csv", b"title,price\nA,1\n", "no id column"),
        ("notitle.csv", b"id,price\nA,1\n", "no title column"),
        ("binary.csv", bytes(range(256)) * 40, "not text"),
        ("photo.csv", b"\xff\xd8\xff\xe0" + b"abc" * 100, "not text"),
        ("bomb.xml", BOMB.encode(), "entities"),
        ("outside.xml", OUTSIDE.encode(), "entities"),
        ("cut.xml", b"<rss><channel><item><id>1</id><title>x</title></item>", "line 1: not well-formed"),
        ("root.xml", b"\nhello", "line 2: not well-formed"),
        ("other.xml", b"<html><body/></html>", "no <item>"),
        ("f.jsonl", b"not json\n", "line 1: not JSON"),
        ("f.json", b"[1, 2]", "without objects"),
        ("cut.parquet", b"PAR1 and then nothing", "Parquet"),
        ("cut.csv.gz", gzip.compress(b"id,title\n" + b"1,A\n" * 1000)[:-12], "cut off"),
        ("bad.csv.gz", b"\x1f\x8b\x08rest", "damaged"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_before_the_first_row(
    tmp_path: Path, name: str, content: bytes, match: str
) -> None:
    with pytest.raises(IntakeError, match=match) as caught:
        read_products(write(tmp_path, name, content))
    assert name in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match="check the path"):
        read_products(tmp_path / "none.csv")
    with pytest.raises(IntakeError, match="not a file"):
        read_products(tmp_path)


def test_a_truncated_parquet_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"id": ["1"] * 1000, "title": ["A"] * 1000}).write_parquet(tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    with pytest.raises(IntakeError, match="Parquet"):
        read_products(write(tmp_path, "b.parquet", whole[: len(whole) // 2]))


def test_a_gzip_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "FREE_UNPACKED_BYTES", 1 << 20)
    bomb = gzip.compress(b"id,title\n" + b"a" * (8 << 20))
    with pytest.raises(IntakeError, match="unpacks to more than"):
        read_products(write(tmp_path, "bomb.csv.gz", bomb))


def test_the_header_alone_is_an_empty_feed(tmp_path: Path) -> None:
    assert read(write(tmp_path, "f.csv", "id,title\n")) == ([], [])
