"""What waits for a label, once a classifier says of what it is not sure."""

import pytest

from aisle.training.tune import Wanted
from aisle.types import Event

from .conftest import QUICK_FULL


@pytest.fixture
def shop(shop):
    """Two searches of which any classifier is sure, asked often, and one that is two things at once."""
    asked = {"red blue gold sofa": 9, "grey black pink sweater": 7, "gold red please a": 2}
    shop.record_many([Event("search", f"v{n}", query=text) for text, times in asked.items() for n in range(times)])
    return shop


def queue(shop):
    return {one.text: {why.kind: why for why in one.reasons} for one in shop.label_desk("intent").queue}


def test_what_the_model_is_not_sure_of_comes_first(shop, labels_file):
    by_count = list(queue(shop))
    assert by_count == ["red blue gold sofa", "grey black pink sweater", "gold red please a"]
    shop.tune(Wanted("intent", labels_file, "full", changed=QUICK_FULL))
    found = queue(shop)
    assert next(iter(found)) == "gold red please a"
    assert set(found) == set(by_count)
    doubt = found["gold red please a"]["doubt"]
    assert set(doubt.names) == {"home", "tools"}
    assert found["gold red please a"]["asked"].value == 2
    assert len(shop.label_desk("intent", top_k=1).queue) == 1
    shop.label("intent", "gold red please a", "home")
    shop.label("intent", "red blue gold sofa", "home")
    found = queue(shop)
    assert list(found) == ["grey black pink sweater"]
    assert "alike" not in found["grey black pink sweater"]  # it stands for nobody but itself


def test_a_damaged_classifier_leaves_the_order_by_count(shop, labels_file, caplog):
    version = shop.tune(Wanted("intent", labels_file, "head", changed={"held": 0.2}))
    (shop.path / "models" / "intent" / version.version / "model.onnx").write_bytes(b"broken")
    assert list(queue(shop)) == ["red blue gold sofa", "grey black pink sweater", "gold red please a"]
    assert "not ordered by its worth" in caplog.text
