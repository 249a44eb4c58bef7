# ruff: noqa: E501
"""The kinds of product the simulated shop sells: one row a kind, one leaf category each."""

from __future__ import annotations

from dataclasses import dataclass

from aisle.demo.features import FEATURES, MATERIALS
from aisle.demo.words import PALETTES

SIZES: dict[str, tuple[str, ...]] = {
    "none": (),
    "wear": ("S", "M", "L", "XL"),
    "shoe": ("38", "40", "42", "44"),
    "volume": ("350 ml", "500 ml"),
    "pan": ("20 cm", "24 cm", "28 cm"),
    "weight": ("2 kg", "4 kg", "8 kg"),
    "pack": ("250 g", "1 kg"),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of product.

    `price` is its usual price; `gender` is "" or the genders it is made for (m, w, u);
    `season` is the month of its peak (0: none); `repurchase_days` is 0 unless it is used up;
    `n_usual` weighs how many of it the shop carries; `companions` go with it.
    """

    key: str
    department: str
    en: str
    zh: str
    category_en: str
    category_zh: str
    synonyms: tuple[str, ...]
    price: float
    sizes: tuple[str, ...]
    gender: str
    palette: tuple[int, ...]
    materials: tuple[str, ...]
    features: tuple[str, ...]
    season: int
    repurchase_days: int
    n_usual: float
    companions: tuple[str, ...]


DEPARTMENTS: dict[str, tuple[str, str]] = {
    "A": ("Clothing", "服装"),
    "S": ("Shoes", "鞋靴"),
    "B": ("Bags", "箱包"),
    "H": ("Home", "家居"),
    "K": ("Kitchen", "厨房"),
    "E": ("Electronics", "数码电器"),
    "O": ("Outdoors", "户外运动"),
    "C": ("Beauty", "美妆个护"),
    "T": ("Toys", "玩具"),
    "P": ("Books & Paper", "图书文具"),
}

# key|dept|en|zh|category|分类|synonyms|price|sizes|gender|palette|materials|features|season|repurchase|weight|companions
_TABLE = """
hoodie|A|Hoodie|连帽卫衣|Tops > Hoodies|上装 > 卫衣|hooded sweatshirt,hoody|58|wear|mwu|wear|cotton orgcotton polyester|fleece relaxed pockets slimfit|11|0|1.5|trousers cap sneaker
tee|A|T-Shirt|T恤|Tops > T-Shirts|上装 > T恤|tee,tshirt|26|wear|mwu|wear|cotton orgcotton linen merino|breathable striped slimfit relaxed quickdry|7|0|1.8|shorts trousers cap
shirt|A|Shirt|衬衫|Tops > Shirts|上装 > 衬衫|button-down,blouse|54|wear|mw|wear|cotton linen orgcotton|wrinklefree slimfit striped relaxed|5|0|1.2|trousers jacket watch
sweater|A|Sweater|毛衣|Tops > Sweaters|上装 > 毛衣|jumper,pullover|76|wear|mwu|wear|merino cotton orgcotton|relaxed striped lightweight slimfit|12|0|1.2|scarf trousers boot
jacket|A|Jacket|夹克|Outerwear > Jackets|外套 > 夹克|coat,windbreaker|128|wear|mw|wear|nylon polyester denim down|waterproof insulated packable pockets|11|0|1.4|scarf beanie boot
trousers|A|Trousers|长裤|Bottoms > Trousers|下装 > 长裤|pants,chinos|64|wear|mw|wear|cotton linen denim polyester|stretch slimfit pockets relaxed|0|0|1.4|shirt tee sneaker
shorts|A|Shorts|短裤|Bottoms > Shorts|下装 > 短裤|short pants|38|wear|mw|sport|polyester cotton linen nylon|quickdry stretch pockets lightweight|7|0|1.0|tee sandal cap
dress|A|Dress|连衣裙|Dresses|连衣裙|gown,frock|88|wear|w|wear|linen cotton orgcotton polyester|relaxed striped wrinklefree pockets|6|0|1.2|handbag sandal lipstick
skirt|A|Skirt|半身裙|Bottoms > Skirts|下装 > 半身裙|midi skirt|56|wear|w|wear|denim cotton linen|stretch pockets relaxed striped|6|0|0.8|shirt sandal handbag
socks|A|Socks|袜子|Accessories > Socks|配饰 > 袜子|sock|14|none|u|sport|cotton merino orgcotton|cushioned striped breathable|0|90|0.8|sneaker boot running
beanie|A|Beanie|毛线帽|Accessories > Beanies|配饰 > 毛线帽|winter hat,woolly hat|24|none|u|wear|merino cotton polyester|fleece reversible striped|12|0|0.7|scarf jacket
cap|A|Cap|棒球帽|Accessories > Caps|配饰 > 棒球帽|baseball cap,hat|26|none|u|sport|cotton canvas polyester|adjustable quickdry lightweight|7|0|0.7|tee shorts
scarf|A|Scarf|围巾|Accessories > Scarves|配饰 > 围巾|shawl|36|none|u|wear|merino cotton linen|soft striped handmade|12|0|0.8|beanie jacket sweater
sneaker|S|Sneakers|休闲鞋|Sneakers|休闲鞋|trainers,sneaker|84|shoe|mwu|wear|leather canvas suede|vegan cushioned lightweight|0|0|1.4|socks trousers tee
running|S|Running Shoes|跑步鞋|Running Shoes|跑步鞋|runners,jogging shoes|112|shoe|mw|sport|knit polyester|cushioned breathable grip lightweight|4|0|1.2|socks shorts smartwatch
boot|S|Boots|靴子|Boots|靴子|hiking boots,winter boots|138|shoe|mw|leather|leather suede rubber|waterproof insulated grip|11|0|1.1|socks trousers jacket
sandal|S|Sandals|凉鞋|Sandals|凉鞋|flip flops|48|shoe|mw|leather|leather rubber suede|cushioned vegan adjustable|7|0|0.8|shorts dress
backpack|B|Backpack|双肩包|Backpacks|双肩包|rucksack,daypack|82|none|u|wear|nylon canvas polyester leather|laptop waterproof antitheft packable|9|0|1.2|bottle notebook powerbank
tote|B|Tote Bag|托特包|Tote Bags|托特包|shopper,tote|44|none|u|wear|canvas orgcotton leather|foldable pockets handmade|0|0|0.9|wallet book_fiction
handbag|B|Handbag|手提包|Handbags|手提包|purse,shoulder bag|118|none|w|leather|leather suede canvas|vegan adjustable compact|0|0|1.0|wallet dress lipstick
wallet|B|Wallet|钱包|Wallets|钱包|card holder,billfold|38|none|u|leather|leather canvas nylon|rfid compact vegan|12|0|0.8|handbag watch
lamp|H|Table Lamp|台灯|Lighting > Table Lamps|灯具 > 台灯|desk lamp,bedside light|68|none||calm|ceramic steel wood glass|dimmable usb adjustable|11|0|1.0|chair book_fiction
cushion|H|Cushion|抱枕|Textiles > Cushions|家纺 > 抱枕|throw pillow,pillow|29|none||calm|velvet linen cotton|washable striped soft|0|0|1.0|throw chair
throw|H|Throw Blanket|盖毯|Textiles > Throws|家纺 > 盖毯|blanket,plaid|54|none||calm|merino cotton orgcotton|soft washable striped|12|0|0.9|cushion candle
vase|H|Vase|花瓶|Decor > Vases|装饰 > 花瓶|flower vase|36|none||calm|ceramic glass stoneware|handmade stackable|4|0|0.8|candle lamp
candle|H|Candle|蜡烛|Decor > Candles|装饰 > 蜡烛|scented candle|22|none||calm|soy|scented handmade floral|12|45|0.9|vase throw
clock|H|Wall Clock|挂钟|Decor > Wall Clocks|装饰 > 挂钟|clock|46|none||wood|wood steel plastic|silent handmade|0|0|0.6|lamp
chair|H|Chair|椅子|Furniture > Chairs|家具 > 椅子|dining chair,seat|148|none||calm|wood bamboo velvet|ergonomic stackable foldable|9|0|0.9|cushion lamp
mug|K|Mug|马克杯|Drinkware > Mugs|杯具 > 马克杯|coffee mug,cup|18|volume||calm|ceramic stoneware|dishwasher handmade insulated stackable|12|0|1.1|coffee tea kettle
bottle|K|Water Bottle|水壶|Drinkware > Water Bottles|杯具 > 水壶|flask,drinking bottle|28|volume||sport|steel glass plastic|insulated leakproof lightweight|6|0|1.0|backpack yogamat
pan|K|Frying Pan|平底锅|Cookware > Frying Pans|锅具 > 平底锅|skillet|62|pan||leather|iron steel aluminium|nonstick induction|11|0|0.8|knife book_cook
kettle|K|Kettle|烧水壶|Cookware > Kettles|锅具 > 烧水壶|tea kettle|58|none||calm|steel iron|induction silent compact|11|0|0.7|mug tea
bowl|K|Bowl|碗|Tableware > Bowls|餐具 > 碗|salad bowl,dish|21|none||calm|stoneware ceramic wood bamboo|dishwasher stackable handmade|0|0|0.9|mug pan
knife|K|Chef's Knife|厨师刀|Tools > Knives|厨具 > 刀具|kitchen knife|74|none||wood|steel|ergonomic handmade dishwasher|12|0|0.6|pan book_cook
coffee|K|Coffee Beans|咖啡豆|Pantry > Coffee|食品 > 咖啡|coffee,espresso|17|pack||pack|bean|darkroast organic handmade|0|21|0.9|mug kettle
tea|K|Tea|茶叶|Pantry > Tea|食品 > 茶叶|loose tea,green tea|13|none||pack|leaf|organic floral handmade|0|30|0.8|mug kettle
headphones|E|Headphones|头戴耳机|Audio > Headphones|音频 > 头戴耳机|headset,over-ear|164|none||tech|aluminium plastic leather|noisecancel wireless foldable fastcharge|12|0|1.1|powerbank backpack
earbuds|E|Earbuds|真无线耳机|Audio > Earbuds|音频 > 真无线耳机|in-ear headphones,earphones|89|none||tech|plastic aluminium|noisecancel wireless waterproof fastcharge|12|0|1.0|running smartwatch
speaker|E|Speaker|音箱|Audio > Speakers|音频 > 音箱|bluetooth speaker|96|none||tech|plastic aluminium wood|wireless waterproof compact|6|0|0.9|powerbank tent
smartwatch|E|Smart Watch|智能手表|Wearables > Smart Watches|可穿戴 > 智能手表|fitness watch|189|none||tech|aluminium steel rubber|gps waterproof fastcharge|1|0|0.8|running earbuds
watch|E|Watch|手表|Wearables > Watches|可穿戴 > 手表|wristwatch|142|none|mwu|leather|leather steel canvas|waterproof handmade compact|12|0|0.9|wallet shirt
keyboard|E|Keyboard|键盘|Computing > Keyboards|电脑配件 > 键盘|computer keyboard|94|none||tech|aluminium plastic|mechanical wireless backlit compact|9|0|0.8|mouse lamp
mouse|E|Mouse|鼠标|Computing > Mice|电脑配件 > 鼠标|computer mouse|42|none||tech|plastic aluminium|wireless ergonomic silent|9|0|0.7|keyboard
powerbank|E|Power Bank|充电宝|Power > Power Banks|电源 > 充电宝|portable charger,battery|39|none||tech|aluminium plastic|fastcharge usb compact|7|0|0.7|headphones backpack
tent|O|Tent|帐篷|Camping > Tents|露营 > 帐篷|camping tent|229|none||trail|nylon polyester canvas|twoperson fourseason ultralight waterproof|6|0|0.8|sleepingbag lantern
sleepingbag|O|Sleeping Bag|睡袋|Camping > Sleeping Bags|露营 > 睡袋|mummy bag|119|none||trail|down polyester nylon|fourseason ultralight packable|6|0|0.7|tent lantern
lantern|O|Lantern|露营灯|Camping > Lanterns|露营 > 露营灯|camping light|36|none||trail|steel plastic|dimmable usb waterproof|6|0|0.7|tent powerbank
yogamat|O|Yoga Mat|瑜伽垫|Fitness > Yoga Mats|健身 > 瑜伽垫|exercise mat|44|none||sport|rubber foam|thick foldable grip|1|0|0.8|bottle shorts
dumbbell|O|Dumbbell|哑铃|Fitness > Weights|健身 > 哑铃|hand weight|32|weight||sport|iron rubber|adjustable ergonomic|1|0|0.6|yogamat bottle
cream|C|Face Cream|面霜|Skin Care > Face Creams|护肤 > 面霜|moisturiser,moisturizer|34|none||pack|plant|hydrating fragrancefree spf organic|1|40|1.0|lipstick shampoo
shampoo|C|Shampoo|洗发水|Hair Care > Shampoo|护发 > 洗发水|hair wash|16|none||pack|plant|repair fragrancefree organic floral|0|35|0.8|cream
lipstick|C|Lipstick|口红|Makeup > Lipsticks|彩妆 > 口红|lip colour|24|none|w|makeup|plant|matte hydrating vegan|2|75|0.9|cream perfume
perfume|C|Perfume|香水|Fragrance > Perfume|香氛 > 香水|fragrance,eau de parfum|92|none|mwu|pack|glass|floral woody vegan|12|0|0.8|lipstick
plush|T|Plush Bear|毛绒熊|Plush Toys|毛绒玩具|teddy bear,stuffed animal|28|none||calm|plush orgcotton|soft washable handmade|12|0|0.9|book_fiction blocks
blocks|T|Building Blocks|积木|Building Toys|积木玩具|toy bricks|34|none||bright|wood plastic bamboo|educational family stackable|12|0|0.8|puzzle plush
puzzle|T|Puzzle|拼图|Puzzles|拼图|jigsaw|22|none||bright|card wood|educational family illustrated|12|0|0.8|boardgame
boardgame|T|Board Game|桌游|Board Games|桌游|family game|39|none||bright|card wood|family educational illustrated|12|0|0.8|puzzle
book_fiction|P|Novel|小说|Books > Fiction|图书 > 小说|fiction book,story|16|none||pack|paper|hardcover signed illustrated|7|0|1.0|mug throw
book_cook|P|Cookbook|菜谱书|Books > Cooking|图书 > 烹饪|recipe book|28|none||pack|paper|hardcover illustrated signed|12|0|0.7|pan knife
book_travel|P|Travel Guide|旅行指南|Books > Travel|图书 > 旅行|guide book|21|none||pack|paper|illustrated compact|5|0|0.7|backpack notebook
notebook|P|Notebook|笔记本|Stationery > Notebooks|文具 > 笔记本|journal,diary|15|none||pack|paper leather|dotted lined hardcover|9|120|0.9|pen backpack
pen|P|Fountain Pen|钢笔|Stationery > Pens|文具 > 钢笔|ink pen,pen|42|none||wood|steel wood aluminium|refillable handmade compact|9|0|0.6|notebook
"""


def _kind(row: str) -> Kind:
    cells = row.split("|")
    department = cells[1]
    top = DEPARTMENTS[department]
    materials, features = tuple(cells[11].split()), tuple(cells[12].split())
    if unknown := (set(materials) - MATERIALS.keys()) | (set(features) - FEATURES.keys()):
        raise ValueError(f"kind {cells[0]}: unknown traits {unknown}")
    return Kind(
        key=cells[0], department=department, en=cells[2], zh=cells[3],
        category_en=f"{top[0]} > {cells[4]}", category_zh=f"{top[1]} > {cells[5]}",
        synonyms=tuple(cells[6].split(",")), price=float(cells[7]), sizes=SIZES[cells[8]], gender=cells[9],
        palette=PALETTES[cells[10]], materials=materials, features=features, season=int(cells[13]),
        repurchase_days=int(cells[14]), n_usual=float(cells[15]), companions=tuple(cells[16].split()),
    )  # fmt: skip


KINDS: tuple[Kind, ...] = tuple(_kind(row) for row in _TABLE.strip().splitlines())
KIND_INDEX: dict[str, int] = {kind.key: number for number, kind in enumerate(KINDS)}
