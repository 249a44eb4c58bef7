"""The lexical index on tantivy."""

from aisle.adapters.tantivy.lexical_index import TantivyLexicalIndex

__all__ = ["TantivyLexicalIndex"]
