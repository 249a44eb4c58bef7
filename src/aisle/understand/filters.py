"""Filter strings in Algolia's language to clauses.

color:Red AND (size:M OR size:L) AND price < 60 AND NOT brand:"Foo Bar"

filters   := condition (AND condition)*
condition := [NOT] ( "(" filters ")" | any_of | test )
any_of    := test (OR test)*            one field only
test      := field ":" value | field ":" low TO high | field (< <= = != > >=) number
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from aisle.errors import InvalidFilter
from aisle.types import Clause, Filters

MAX_CHARS = 8_192
MAX_CLAUSES = 100
MAX_DEPTH = 20

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<punct>[():]|<=|>=|!=|<|>|=)
    | (?P<word>[^\s():<>=!"']+(?:['"!][^\s():<>=!"']*)*|!)
    )""",
    re.VERBOSE,
)
_COMPARE = frozenset({"<", "<=", "=", "!=", ">", ">="})
_KEYWORDS = frozenset({"AND", "OR", "NOT"})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int


def parse_filters(text: str) -> Filters:
    """Clauses that must all hold; an empty text gives none.

    Field names are checked by the index, which knows them. Raises
    InvalidFilter with the place (1-based character) and what was expected.
    """
    if len(text) > MAX_CHARS:
        raise InvalidFilter(f"filters are longer than {MAX_CHARS} characters", field="filters")
    tokens = _tokens(text)
    if not tokens:
        return ()
    parser = _Parser(text, tokens)
    clauses = parser.all_of(0)
    parser.expect_end()
    if len(clauses) > MAX_CLAUSES:
        raise InvalidFilter(f"filters have more than {MAX_CLAUSES} conditions", field="filters")
    return tuple(clauses)


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            while text[at].isspace():
                at += 1
            what = "a quote that is not closed" if text[at] in "\"'" else f"{text[at]!r}"
            raise InvalidFilter(f"filters: {what} at character {at + 1}", field="filters")
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return tokens


class _Parser:
    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text, self._tokens, self._at = text, tokens, 0

    def all_of(self, depth: int) -> list[Clause]:
        if depth > MAX_DEPTH:
            self._fail(f"brackets nested deeper than {MAX_DEPTH}")
        clauses = self._any_of(depth)
        while self._keyword("AND"):
            clauses += self._any_of(depth)
        return clauses

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            self._fail("expected AND or the end")

    def _any_of(self, depth: int) -> list[Clause]:
        start = self._at
        found = self._one(depth)
        if not self._is_keyword("OR"):
            return found
        alternatives = [found]
        while self._keyword("OR"):
            alternatives.append(self._one(depth))
        if any(len(a) != 1 for a in alternatives):
            self._at = start
            self._fail("OR joins single conditions, not groups joined by AND")
        return [self._union([a[0] for a in alternatives], start)]

    def _union(self, clauses: list[Clause], start: int) -> Clause:
        first = clauses[0]
        self_start = self._at
        if any(c.field != first.field for c in clauses):
            self._at = start
            self._fail("OR joins values of one field only")
        if any(c.exclude for c in clauses):
            self._at = start
            self._fail("NOT cannot stand beside OR; write NOT (… OR …)")
        if any(c.low is not None or c.high is not None for c in clauses):
            self._at = start
            self._fail("OR cannot join ranges")
        self._at = self_start
        return replace(first, values=tuple(dict.fromkeys(v for c in clauses for v in c.values)))

    def _one(self, depth: int) -> list[Clause]:
        start = self._at
        negated = False
        while self._keyword("NOT"):
            negated = not negated
        if self._punct("("):
            clauses = self.all_of(depth + 1)
            if not self._punct(")"):
                self._fail('expected ")"')
        else:
            clauses = [self._test()]
        if not negated:
            return clauses
        if len(clauses) != 1:
            self._at = start
            self._fail("NOT needs a single condition, or values of one field joined by OR")
        return [replace(clauses[0], exclude=not clauses[0].exclude)]

    def _test(self) -> Clause:
        name = self._phrase("a field's name")
        if self._at >= len(self._tokens):
            self._fail(f"expected : or a comparison after {name[:40]!r}")
        sign = self._tokens[self._at]
        if sign.text == ":" and sign.kind == "punct":
            self._at += 1
            if self._peek_compare():  # Algolia also takes "price:<60"
                return self._comparison(name)
            return self._values(name)
        if sign.text in _COMPARE and sign.kind == "punct":
            return self._comparison(name)
        self._fail(f"expected : or a comparison after {name[:40]!r}")
        raise AssertionError

    def _values(self, name: str) -> Clause:
        start = self._at
        quoted = start < len(self._tokens) and self._tokens[start].kind == "quoted"
        value = self._phrase(f"a value of {name[:40]}")
        if not quoted:
            low, to, high = value.partition(" TO ")
            if to:
                bounds = _number(low), _number(high)
                if bounds[0] is None or bounds[1] is None:
                    self._at = start
                    self._fail("expected numbers around TO")
                return Clause(name, low=bounds[0], high=bounds[1])
            if value.startswith("-") and len(value) > 1 and _number(value) is None:
                return Clause(name, (value[1:],), exclude=True)
        return Clause(name, (value,))

    def _comparison(self, name: str) -> Clause:
        sign = self._tokens[self._at].text
        self._at += 1
        start = self._at
        value = self._phrase("a number")
        number = _number(value)
        if number is None:
            if sign in ("=", "!="):
                return Clause(name, (value,), exclude=sign == "!=")
            self._at = start
            self._fail(f"expected a number, not {value[:40]!r}")
            raise AssertionError
        if sign in ("=", "!="):
            return Clause(name, low=number, high=number, exclude=sign == "!=")
        if sign.startswith("<"):
            return Clause(name, high=number if sign == "<=" else math.nextafter(number, -math.inf))
        return Clause(name, low=number if sign == ">=" else math.nextafter(number, math.inf))

    # ------------------------------------------------------------------ tokens

    def _phrase(self, what: str) -> str:
        """A quoted text, or words up to the next sign or keyword ("Men > Tops" needs no quotes)."""
        parts: list[str] = []
        start = self._at
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind == "quoted":
                if parts:
                    break
                self._at += 1
                return re.sub(r"\\(.)", r"\1", token.text[1:-1])
            if token.text == ">" and parts and what.startswith("a value"):
                parts.append(">")
            elif token.kind != "word" or token.text in _KEYWORDS:
                break
            else:
                parts.append(token.text)
            self._at += 1
        following = self._tokens[self._at] if self._at < len(self._tokens) else None
        if following is not None and following.text == ":" and len(parts) > 1 and what.startswith("a value"):
            self._at -= 1
            self._fail("expected AND")
        if not parts:
            self._at = start
            self._fail(f"expected {what}")
        return " ".join(parts)

    def _peek_compare(self) -> bool:
        if self._at >= len(self._tokens):
            return False
        token = self._tokens[self._at]
        return token.kind == "punct" and token.text in _COMPARE

    def _is_keyword(self, word: str) -> bool:
        if self._at >= len(self._tokens):
            return False
        token = self._tokens[self._at]
        return token.kind == "word" and token.text == word

    def _keyword(self, word: str) -> bool:
        if self._is_keyword(word):
            self._at += 1
            return True
        return False

    def _punct(self, sign: str) -> bool:
        if self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind == "punct" and token.text == sign:
                self._at += 1
                return True
        return False

    def _fail(self, why: str) -> None:
        if self._at < len(self._tokens):
            place = f"at character {self._tokens[self._at].start + 1} ({self._tokens[self._at].text[:30]!r})"
        else:
            place = "at the end"
        raise InvalidFilter(f"filters: {why}, {place}", field="filters")


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
