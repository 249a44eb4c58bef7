# ruff: noqa: E501
"""Titles and descriptions, written from what a product is."""

from __future__ import annotations

from random import Random

from aisle.demo.features import FEATURES, MATERIALS
from aisle.demo.kinds import KINDS, Kind
from aisle.demo.words import BRANDS, LINES, STYLES, Brand
from aisle.demo.world import World

USES_EN: dict[str, tuple[str, ...]] = {
    "A": ("cool mornings and long walks", "a weekend with only a small bag", "the office and the bar after it",
          "layering from autumn to spring", "lazy Sundays", "days when the forecast cannot decide"),
    "S": ("city pavements and gravel paths", "long days on your feet", "the walk to work", "weekends out of town"),
    "B": ("the daily commute", "a night away", "markets, libraries and trains", "travelling light"),
    "H": ("a reading corner", "small flats and big living rooms", "a bedroom that should feel calm", "a bare hallway"),
    "K": ("slow breakfasts", "cooking for six", "the first cup of the day", "a kitchen that is used every evening"),
    "E": ("home offices and open-plan ones", "trains, planes and park benches", "music while cooking", "daily training"),
    "O": ("a first night under the stars", "weekend tours", "the living room floor or the park", "three-day hikes"),
    "C": ("dry winter days", "sensitive skin", "a five-minute routine", "every morning and evening"),
    "T": ("rainy afternoons", "birthdays from three to ninety-nine", "a quiet hour after school", "the whole family"),
    "P": ("long train rides", "a desk by the window", "the bedside table", "people who are hard to buy for"),
}  # fmt: skip

USES_ZH: dict[str, tuple[str, ...]] = {
    "A": (
        "微凉的清晨与长途散步",
        "轻装出行的周末",
        "上班与下班后的小聚",
        "从秋到春的叠穿",
        "慵懒的周日",
        "阴晴不定的日子",
    ),
    "S": ("城市街道与碎石小径", "需要久站的一天", "步行通勤", "周末郊游"),
    "B": ("日常通勤", "短途过夜", "逛市集、去图书馆、乘火车", "轻装旅行"),
    "H": ("阅读角", "小户型与大客厅", "安静的卧室", "略显空荡的玄关"),
    "K": ("悠闲的早餐", "六人聚餐", "一天的第一杯", "每晚都开火的厨房"),
    "E": ("居家与开放式办公", "火车、飞机与公园长椅", "做饭时听音乐", "日常训练"),
    "O": ("第一次星空露营", "周末出游", "客厅地板或公园草地", "三天徒步"),
    "C": ("干燥的冬日", "敏感肌肤", "五分钟护理", "每日早晚"),
    "T": ("下雨的午后", "三岁到九十九岁的生日", "放学后的安静时光", "全家同乐"),
    "P": ("漫长的旅途", "窗边的书桌", "床头柜", "总是难挑礼物的人"),
}

OPENINGS_EN = (
    "The {line} {noun} by {brand} is made for {use}.",
    "{brand} drew this {noun_low} with {use} in mind.",
    "Meet the {line}: a {style_low} {noun_low} for {use}.",
    "A {noun_low} for {use}, from {brand}.",
    "Good company for {use}: the {brand} {line} {noun_low}.",
)
OPENINGS_PLURAL_EN = (
    "The {line} {noun_low} by {brand} are made for {use}.",
    "{brand} drew these {noun_low} with {use} in mind.",
    "Meet the {line}: {style_low} {noun_low} for {use}.",
    "{noun} for {use}, from {brand}.",
)
OPENINGS_ZH = (
    "{brand}「{line}」{noun}，专为{use}而生。",
    "这款{noun}适合{use}。",
    "{brand}在设计这款{style}{noun}时，心里想的是{use}。",
    "「{line}」系列{noun}，{use}的好伙伴。",
)
CLOSINGS_EN = {
    "A": ("True to size.", "If between sizes, take the larger one.", "Wash cool and dry in the shade."),
    "S": ("Runs half a size small.", "The insole can be taken out.", "Comes with spare laces."),
    "B": (
        "The zips are guaranteed for five years.",
        "Inside there is a pocket for keys.",
        "Fits under an aircraft seat.",
    ),
    "H": ("Delivered in a box without plastic.", "Matches the rest of the {line} series.", "No tools needed."),
    "K": ("A small recipe card is in the box.", "Part of the {line} series.", "Rinse before first use."),
    "E": ("Two-year warranty.", "Set up in less than five minutes.", "Works with all common systems."),
    "O": ("Comes with its own bag.", "Tested by two seasons of guides.", "Spare parts are in stock."),
    "C": ("Not tested on animals.", "The bottle is recycled and recyclable.", "Use within twelve months of opening."),
    "T": ("Suitable from three years.", "Meets all toy safety rules.", "Comes in a gift box."),
    "P": ("Printed in small runs.", "Makes a good present.", "Comes with a ribbon marker."),
}
CLOSINGS_ZH = {
    "A": ("尺码标准。", "介于两码之间建议选大一码。", "冷水洗涤，阴凉处晾干。"),
    "S": ("尺码偏小半码。", "鞋垫可取出。", "附赠备用鞋带。"),
    "B": ("拉链五年质保。", "内有钥匙小袋。", "可放入飞机座位下方。"),
    "H": ("无塑包装发货。", "可与「{line}」系列搭配。", "无需工具安装。"),
    "K": ("盒内附食谱卡片。", "属于「{line}」系列。", "首次使用前请冲洗。"),
    "E": ("两年质保。", "五分钟内即可设置完成。", "兼容各主流系统。"),
    "O": ("附收纳袋。", "经向导两季实测。", "备件有货。"),
    "C": ("不做动物实验。", "瓶身采用可回收再生料。", "开封后十二个月内使用。"),
    "T": ("适合三岁以上。", "符合玩具安全标准。", "礼盒装。"),
    "P": ("小批量印制。", "送礼佳选。", "附书签带。"),
}

BOOK_EN = {
    "book_fiction": (
        ("The {a} {b}", "A {b} in {c}", "{b} of {c}", "What the {b} Knew", "The Last {b} of {c}", "{a} {b}s"),
        ("Silent", "Second", "Winter", "Paper", "Borrowed", "Invisible", "Salt", "Hollow", "Golden", "Crooked"),
        ("Lighthouse", "Clockmaker", "Orchard", "Letter", "Harbour", "Cartographer", "Garden", "Violin", "Ferry", "Beekeeper"),
        ("Arden", "the North Sea", "Marlow Street", "November", "Old Lisbon", "the Marshes", "Glass", "Tamar Bay"),
    ),
    "book_cook": (
        ("{a} {b}", "The {a} Table: {b}", "{b} from {c}", "{a} {b} for Every Day"),
        ("Simple", "Slow", "Green", "One-Pan", "Sunday", "Quick", "Honest", "Spicy"),
        ("Suppers", "Bread", "Soups", "Noodles", "Vegetables", "Cakes", "Dumplings", "Feasts"),
        ("the Garden", "the Coast", "a Small Kitchen", "Four Seasons", "the Valley", "the Spice Road"),
    ),
    "book_travel": (
        ("{a} {c}", "{c} on Foot", "{b} of {c}", "A {a} Weekend in {c}"),
        ("Slow", "Hidden", "Wild", "Walkable", "Coastal", "Unhurried"),
        ("Trails", "Harbours", "Cafés", "Night Trains", "Islands", "Villages"),
        ("Portugal", "Hokkaido", "the Alps", "Yunnan", "Scotland", "Patagonia", "the Aegean", "Vietnam", "Norway"),
    ),
}  # fmt: skip
BOOK_ZH = {
    "book_fiction": (
        ("《{a}的{b}》", "《{c}的{b}》", "《{b}知道什么》", "《{c}最后的{b}》"),
        ("沉默", "冬日", "纸上", "借来", "看不见", "金色", "弯曲", "第二次"),
        ("灯塔", "钟表匠", "果园", "来信", "港口", "制图师", "花园", "提琴", "渡船", "养蜂人"),
        ("雅顿", "北海", "马洛街", "十一月", "旧里斯本", "沼泽", "玻璃城", "塔玛湾"),
    ),
    "book_cook": (
        ("《{a}{b}》", "《来自{c}的{b}》", "《每天的{a}{b}》"),
        ("简单", "慢煮", "绿色", "一锅", "周日", "快手", "地道", "香辣"),
        ("晚餐", "面包", "汤", "面条", "蔬菜", "蛋糕", "饺子", "宴席"),
        ("花园", "海岸", "小厨房", "四季", "山谷", "香料之路"),
    ),
    "book_travel": (
        ("《{a}{c}》", "《徒步{c}》", "《{c}的{b}》", "《{c}的{a}周末》"),
        ("慢游", "隐秘", "野性", "漫步", "海岸", "悠然"),
        ("小径", "港湾", "咖啡馆", "夜行列车", "海岛", "村落"),
        ("葡萄牙", "北海道", "阿尔卑斯", "云南", "苏格兰", "巴塔哥尼亚", "爱琴海", "越南", "挪威"),
    ),
}
GENDER_EN = ("", "Men's ", "Women's ")
GENDERS_ZH = (("", ""), ("男士", "男款"), ("女士", "女款"))
MODELS = ("RX", "NV", "AQ", "KT", "Z", "M")
"""What model numbers begin with in Chinese titles."""


def _book_title(kind: Kind, rng: Random, zh: bool) -> str:
    shapes, a, b, c = (BOOK_ZH if zh else BOOK_EN)[kind.key]
    return rng.choice(shapes).format(a=rng.choice(a), b=rng.choice(b), c=rng.choice(c))


def _chinese_title(kind: Kind, brand: Brand, line: str, whom: str, traits: str, rng: Random) -> str:
    """As marketplaces write them: glued or spaced, the maker in both scripts, gear with a model number."""
    if not brand.is_latin:
        return rng.choice(
            (f"{brand.zh} {line} {whom}{traits}{kind.zh}", f"{brand.zh}{whom}{traits}{kind.zh} {line}系列")
        )
    maker = rng.choice((brand.en, f"{brand.en} {brand.zh}"))
    if kind.department in "SEO":
        model = f"{rng.choice(MODELS)}{rng.randrange(10, 99)}{rng.choice(('', '0', '0 Pro'))}"
        return rng.choice((f"{maker} {whom} {traits} {kind.zh} {model}", f"{maker} {model} {whom}{traits}{kind.zh}"))
    return f"{maker} {line} {whom}{traits}{kind.zh}"


def write(world: World, number: int) -> tuple[str, str]:
    """The title and the description (two to four sentences) of a group."""
    goods = world.goods
    zh = world.config.language == "zh"
    rng = Random(world.config.seed * 1_000_003 + number)
    kind, brand = KINDS[goods.kind[number]], BRANDS[goods.brand[number]]
    style = STYLES[int(goods.styles[number].argmax())]
    word, line = rng.choice(style.words), LINES[goods.line[number]]
    first, second = (FEATURES[kind.features[f]] for f in goods.features[number])
    material = MATERIALS[kind.materials[goods.material[number]]]
    is_book = kind.key in BOOK_EN
    title = _book_title(kind, rng, zh) if is_book else ""

    if zh:
        brand_name, noun, style_word, line_name = brand.zh, kind.zh, word[1], line[1]
        if is_book:
            title = f"{title} {first.zh}{noun} {brand_name}"
        else:
            whom = rng.choice(GENDERS_ZH[goods.gender[number]])
            traits = rng.choice((first.zh, f"{style_word}{first.zh}", f"{first.zh}{material.zh}"))
            title = _chinese_title(kind, brand, line_name, whom, traits, rng)
        openings: tuple[str, ...] = OPENINGS_ZH
        closings = CLOSINGS_ZH[kind.department]
        use = rng.choice(USES_ZH[kind.department])
        lines = [first.line_zh, material.line_zh, rng.choice(style.lines)[1]]
        if second is not first:
            lines.append(second.line_zh)
    else:
        brand_name, noun, style_word, line_name = brand.en, kind.en, word[0], line[0]
        whom = GENDER_EN[goods.gender[number]]
        if is_book:
            title = f"{title}: {first.en} {noun}, {brand_name}"
        else:
            title = rng.choice(
                (
                    f"{brand_name} {line_name} {whom}{first.en} {noun}",
                    f"{brand_name} {line_name} {whom}{style_word} {noun}, {first.en}",
                    f"{brand_name} {whom}{first.en} {noun} {line_name} in {material.en}",
                    f"{brand_name} {line_name} {whom}{material.en} {noun}",
                )
            )
        is_plural = noun.endswith("s") and not noun.endswith("ss")
        openings = OPENINGS_PLURAL_EN if is_plural else OPENINGS_EN
        closings = CLOSINGS_EN[kind.department]
        use = rng.choice(USES_EN[kind.department])
        lines = [first.line_en, material.line_en, rng.choice(style.lines)[0]]
        if second is not first:
            lines.append(second.line_en)

    opening = rng.choice(openings).format(
        line=line_name, noun=noun, brand=brand_name, use=use, style=style_word,
        noun_low=noun if noun == "T-Shirt" else noun.lower(), style_low=style_word.lower(),
    )  # fmt: skip
    opening = opening.replace(" a e", " an e").replace(" a a", " an a").replace(" a u", " an u")
    rng.shuffle(lines)
    middle = lines[: rng.randint(1, 2)]
    if first.line_en not in middle and first.line_zh not in middle:
        middle = [first.line_zh if zh else first.line_en, *middle[:1]]
    title = " ".join(title.split())
    sentences = [opening, *middle]
    if rng.random() < 0.6:
        sentences.append(rng.choice(closings).format(line=line_name))
    return title, ("" if zh else " ").join(sentences)
