"""What every text classifier must hold to.

class TestMine(TextClassifierContract):
    @pytest.fixture
    def classifier(self): return Mine(...)
"""

from __future__ import annotations

import numpy as np
import pytest

from aisle.ports import TextClassifier
from aisle.testing.encoder import TEXTS


class TextClassifierContract:
    """Override the fixture; inherit the tests."""

    tolerance = 1e-4
    """Largest difference of a probability between a text read alone and in a batch."""

    @pytest.fixture
    def classifier(self) -> TextClassifier:
        raise NotImplementedError("give the classifier to test")

    def test_gives_a_distribution_over_its_names(self, classifier: TextClassifier) -> None:
        assert isinstance(classifier, TextClassifier)
        chances = classifier.classify(TEXTS)
        assert chances.shape == (len(TEXTS), len(classifier.names))
        assert chances.dtype == np.float32
        assert (chances >= 0).all()
        np.testing.assert_allclose(chances.sum(1), 1.0, atol=1e-4)
        assert len(set(classifier.names)) == len(classifier.names) > 1

    def test_no_texts_give_no_rows(self, classifier: TextClassifier) -> None:
        assert classifier.classify([]).shape == (0, len(classifier.names))

    def test_a_text_means_the_same_alone_and_in_any_batch(self, classifier: TextClassifier) -> None:
        together = classifier.classify(TEXTS)
        alone = np.concatenate([classifier.classify([text]) for text in TEXTS])
        np.testing.assert_allclose(together, alone, atol=self.tolerance)

    def test_a_text_without_end_is_read_from_its_beginning(self, classifier: TextClassifier) -> None:
        assert np.isfinite(classifier.classify(["red hoodie " * 50_000])).all()
