"""The simulated shop's vocabulary: colours, styles, brands, names, in English and Simplified Chinese.

Every name is invented. A pair of strings is always (English, Chinese).
"""

from __future__ import annotations

from dataclasses import dataclass

RGB = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour as the catalogue names it and as pictures show it."""

    en: str
    zh: str
    rgb: RGB


COLOURS: tuple[Colour, ...] = (
    Colour("Black", "黑色", (46, 46, 51)),
    Colour("White", "白色", (242, 240, 236)),
    Colour("Grey", "灰色", (150, 153, 158)),
    Colour("Navy", "藏青色", (44, 60, 102)),
    Colour("Blue", "蓝色", (74, 128, 196)),
    Colour("Teal", "青色", (46, 138, 140)),
    Colour("Green", "绿色", (86, 152, 98)),
    Colour("Olive", "橄榄绿", (118, 122, 74)),
    Colour("Yellow", "黄色", (240, 200, 76)),
    Colour("Orange", "橙色", (232, 134, 62)),
    Colour("Red", "红色", (200, 62, 58)),
    Colour("Burgundy", "酒红色", (122, 40, 58)),
    Colour("Pink", "粉色", (236, 160, 178)),
    Colour("Purple", "紫色", (134, 104, 172)),
    Colour("Brown", "棕色", (134, 92, 64)),
    Colour("Beige", "米色", (218, 200, 170)),
)

PALETTES: dict[str, tuple[int, ...]] = {
    "wear": (0, 1, 2, 3, 4, 6, 7, 9, 10, 11, 12, 15),
    "sport": (0, 1, 2, 3, 4, 5, 6, 9, 10, 12, 13),
    "leather": (0, 3, 7, 10, 11, 14, 15),
    "calm": (0, 1, 2, 4, 5, 7, 8, 12, 15),
    "bright": (4, 5, 6, 8, 9, 10, 12, 13),
    "tech": (0, 1, 2, 3, 4, 6, 12, 13),
    "trail": (3, 4, 6, 7, 8, 9, 10),
    "makeup": (9, 10, 11, 12, 13, 14),
    "wood": (0, 1, 6, 8, 14, 15),
    "pack": (3, 5, 6, 8, 10, 11, 12, 13, 15),
}
"""Indexes into COLOURS that suit a kind of product."""


@dataclass(frozen=True, slots=True)
class Style:
    """A look. `words` go into titles, `lines` into descriptions."""

    key: str
    words: tuple[tuple[str, str], ...]
    lines: tuple[tuple[str, str], ...]


STYLES: tuple[Style, ...] = (
    Style(
        "classic",
        (("Classic", "经典"), ("Heritage", "传承"), ("Timeless", "隽永")),
        (
            (
                "A quiet, traditional shape that looks as right in ten years as today.",
                "传统而沉稳的造型，十年后依然耐看。",
            ),
            ("Nothing here follows fashion, and that is the point.", "不追逐潮流，正是它的可贵之处。"),
        ),
    ),
    Style(
        "sporty",
        (("Active", "运动"), ("Swift", "疾速"), ("Training", "训练")),
        (
            ("Made for days that start with a run and end on a bike.", "为晨跑开始、骑行结束的日子而设计。"),
            ("Light, quick and happy to be pushed hard.", "轻快灵活，经得起高强度使用。"),
        ),
    ),
    Style(
        "minimal",
        (("Minimal", "极简"), ("Clean", "素净"), ("Essential", "基础")),
        (
            ("Reduced to what matters: clean lines and no visible branding.", "只留必要之处：线条干净，没有多余标识。"),
            ("It keeps to itself and goes with everything.", "低调内敛，百搭不挑。"),
        ),
    ),
    Style(
        "playful",
        (("Playful", "俏皮"), ("Happy", "欢乐"), ("Pop", "波普")),
        (
            (
                "A cheerful piece that makes people smile before the first coffee.",
                "还没喝上第一杯咖啡，它就能让人会心一笑。",
            ),
            ("Bold, a little silly and hard not to like.", "大胆又带点顽皮，让人忍不住喜欢。"),
        ),
    ),
    Style(
        "rugged",
        (("Rugged", "硬朗"), ("Workshop", "工装"), ("Expedition", "远征")),
        (
            ("Built to be dropped, scraped and rained on.", "不怕摔、不怕刮，也不怕淋雨。"),
            ("Every seam and edge that wears out first has been made stronger.", "每一处容易磨损的地方都做了加固。"),
        ),
    ),
    Style(
        "elegant",
        (("Elegant", "优雅"), ("Evening", "晚宴"), ("Atelier", "雅作")),
        (
            (
                "A graceful shape with a fine finish, at home at a dinner table.",
                "造型优雅，做工细腻，宴席之间也从容得体。",
            ),
            ("The detail is small and beautifully done.", "细节虽小，却处处讲究。"),
        ),
    ),
    Style(
        "natural",
        (("Natural", "自然"), ("Earth", "大地"), ("Meadow", "原野")),
        (
            ("Soft tones and honest materials, made with little waste.", "色调柔和，用料实在，生产过程几乎不浪费。"),
            ("It brings a bit of garden and woodland into the day.", "为日常带来一点花园与林间的气息。"),
        ),
    ),
    Style(
        "urban",
        (("Urban", "都市"), ("Metro", "地铁"), ("Studio", "工作室")),
        (
            ("Drawn for small flats, busy trains and late evenings in town.", "为小户型、拥挤的地铁和城市夜晚而设计。"),
            ("A sharp, modern look that travels well.", "线条利落，现代感十足，出门也方便。"),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Brand:
    """A maker: price level (1.0 is the kind's usual price), leading styles, departments."""

    en: str
    zh: str
    level: float
    styles: tuple[int, int]
    departments: str

    @property
    def is_latin(self) -> bool:
        """Whether Chinese shops write the name in Latin letters too, as they do with makers of gear and gadgets."""
        return bool({"S", "E", "O"} & set(self.departments))

    @property
    def in_china(self) -> str:
        """The name in a Chinese catalogue."""
        return self.en if self.is_latin else self.zh


# departments: A apparel, S shoes, B bags, H home, K kitchen, E electronics, O outdoors, C beauty, T toys, P paper
BRANDS: tuple[Brand, ...] = (
    Brand("Northfell", "北岭", 1.35, (4, 1), "AOSB"),
    Brand("Kestrel Road", "隼路", 1.05, (1, 7), "AS"),
    Brand("Arlo & Finch", "雀与林", 1.15, (0, 6), "AB"),
    Brand("Mirawood", "木澜", 1.25, (6, 2), "HKA"),
    Brand("Tessaly", "黛莎", 1.6, (5, 0), "ABSC"),
    Brand("Cobalt Yard", "钴蓝院", 0.95, (7, 2), "ABE"),
    Brand("Wrenfield", "鹪野", 0.8, (0, 2), "AHP"),
    Brand("Plainday", "素日", 0.65, (2, 0), "AHKBPS"),
    Brand("Zuzu Lane", "嘟嘟巷", 0.75, (3, 7), "ATPHB"),
    Brand("Fjordlane", "峡湾里", 1.3, (2, 6), "AHKO"),
    Brand("Strideon", "步昂", 1.1, (1, 7), "SAO"),
    Brand("Harrow & Last", "哈洛鞋坊", 1.45, (0, 5), "SB"),
    Brand("Pacegrain", "砂步", 0.85, (1, 3), "SAO"),
    Brand("Oakhollow", "橡谷", 1.2, (4, 0), "SBO"),
    Brand("Satchmore", "萨奇莫", 1.1, (7, 0), "B"),
    Brand("Velin", "薇琳", 1.55, (5, 2), "BAC"),
    Brand("Lumen Harbour", "流明港", 1.15, (2, 7), "HE"),
    Brand("Hearthby", "炉边", 0.9, (0, 6), "HK"),
    Brand("Solmere", "晴澜", 1.3, (5, 6), "HC"),
    Brand("Brightwick", "明芯", 0.8, (3, 6), "HT"),
    Brand("Copperpot Lane", "铜锅巷", 1.3, (0, 4), "K"),
    Brand("Tidewell", "潮井", 0.95, (2, 1), "KO"),
    Brand("Saffron Mill", "藏红坊", 1.1, (6, 0), "K"),
    Brand("Nimbara", "云跃", 1.2, (2, 7), "E"),
    Brand("Orbivo", "奥比沃", 0.8, (7, 1), "E"),
    Brand("Vantor", "凡拓", 1.5, (7, 5), "E"),
    Brand("Quillon", "奎隆", 0.95, (4, 7), "EO"),
    Brand("Echoleaf", "回声叶", 1.0, (6, 2), "E"),
    Brand("Campwell", "野宿", 0.8, (4, 6), "O"),
    Brand("Ridgeline Nine", "九脊", 1.4, (4, 1), "OAB"),
    Brand("Steadform", "稳形", 1.0, (1, 2), "O"),
    Brand("Petalune", "花屿", 1.1, (6, 5), "C"),
    Brand("Dewberry Lab", "露莓实验室", 0.8, (2, 3), "C"),
    Brand("Maison Orrin", "奥兰之家", 1.7, (5, 0), "C"),
    Brand("Tumblebee", "翻滚蜂", 0.9, (3, 6), "T"),
    Brand("Bramble & Bear", "莓与熊", 1.2, (6, 0), "T"),
    Brand("Clockfox", "钟狐", 1.05, (7, 3), "TP"),
    Brand("Lanternhouse Press", "灯塔书社", 1.0, (0, 5), "P"),
    Brand("Papermoth", "纸蛾文具", 0.9, (2, 3), "P"),
    Brand("Greyfen Books", "灰泽书局", 0.85, (7, 6), "P"),
)

LINES: tuple[tuple[str, str], ...] = tuple(
    tuple(pair.split("/"))  # type: ignore[misc]
    for pair in [
        "Alder/桤木",
        "Aster/紫菀",
        "Atlas/云图",
        "Auburn/赭光",
        "Basil/罗勒",
        "Beacon/灯塔",
        "Birch/白桦",
        "Bramble/悬钩",
        "Brook/溪语",
        "Calder/卡德",
        "Cedar/雪松",
        "Cirrus/卷云",
        "Clover/三叶",
        "Comet/彗星",
        "Coral/珊瑚",
        "Cove/海湾",
        "Cresta/峰线",
        "Dahlia/大丽",
        "Delta/三角洲",
        "Drift/漂流",
        "Dune/沙丘",
        "Ember/余烬",
        "Fable/寓言",
        "Falcon/猎隼",
        "Fennel/茴香",
        "Fern/蕨影",
        "Flint/燧石",
        "Garnet/石榴石",
        "Glade/林间",
        "Halo/光环",
        "Harbor/港湾",
        "Haven/栖所",
        "Hazel/榛果",
        "Heron/苍鹭",
        "Indigo/靛蓝",
        "Iris/鸢尾",
        "Isla/屿",
        "Jasper/碧玉",
        "Juno/朱诺",
        "Kite/纸鸢",
        "Lark/云雀",
        "Laurel/月桂",
        "Linden/椴树",
        "Lotus/莲",
        "Luma/微光",
        "Lyric/抒情",
        "Maple/枫",
        "Marlow/马洛",
        "Mesa/台地",
        "Mica/云母",
        "Mistral/西北风",
        "Moss/苔",
        "Nova/新星",
        "Oak/橡木",
        "Onyx/玛瑙",
        "Opal/蛋白石",
        "Orchard/果园",
        "Otter/水獭",
        "Pearl/珍珠",
        "Pebble/卵石",
        "Pine/松",
        "Piper/笛手",
        "Prairie/草原",
        "Quartz/石英",
        "Quill/羽笔",
        "Raven/渡鸦",
        "Reed/芦苇",
        "River/河",
        "Rowan/花楸",
        "Sable/紫貂",
        "Sage/鼠尾草",
        "Sierra/山脊",
        "Sky/天际",
        "Slate/板岩",
        "Sol/日光",
        "Sonnet/十四行",
        "Sparrow/麻雀",
        "Spruce/云杉",
        "Stone/磐石",
        "Summit/峰顶",
        "Tamar/塔玛",
        "Thistle/蓟",
        "Tide/潮",
        "Topaz/黄玉",
        "Tundra/苔原",
        "Umber/棕土",
        "Vale/山谷",
        "Vesper/晚星",
        "Willow/柳",
        "Wren/鹪鹩",
        "Yarrow/蓍草",
        "Zephyr/和风",
        "Zinnia/百日菊",
        "Arden/雅顿",
        "Bexley/贝克",
        "Corin/柯林",
        "Dorset/多塞",
        "Elmet/榆里",
        "Farrow/法罗",
        "Galen/盖伦",
    ]
)
"""Names of product lines."""
