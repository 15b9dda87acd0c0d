"""A Pratt parser: tokens -> syntax, after the grammar in FHIRPath N1, appendix B."""

from __future__ import annotations

from decimal import Decimal
from typing import NoReturn

from .errors import FhirPathError
from .lexer import Token, tokens
from .quantity import CALENDAR_WORDS, Quantity
from .syntax import (
    Binary,
    Call,
    Empty,
    Indexer,
    Literal,
    Member,
    Special,
    Syntax,
    TypeName,
    TypeOperation,
    Unary,
    Variable,
)
from .temporal import parse_date, parse_datetime, parse_time

# How tightly an operator holds its operands; all are left-associative.
BINDING = {
    "implies": 1,
    "or": 2, "xor": 2,
    "and": 3,
    "in": 4, "contains": 4,
    "=": 5, "~": 5, "!=": 5, "!~": 5,
    "<": 6, "<=": 6, ">": 6, ">=": 6,
    "|": 7,
    "is": 8, "as": 8,
    "+": 9, "-": 9, "&": 9,
    "*": 10, "/": 10, "div": 10, "mod": 10,
}  # fmt: skip
OPERATOR_WORDS = frozenset(word for word in BINDING if word.isalpha())
# Operators that the grammar also allows as names of elements.
NAME_WORDS = frozenset({"as", "contains", "in", "is"})
RESERVED = (OPERATOR_WORDS - NAME_WORDS) | {"true", "false"}


def parse(text: str) -> Syntax:
    """The syntax of an expression; raises FhirPathError with the position of the fault."""
    try:
        return Parser(text).expression_to_end()
    except RecursionError:
        raise FhirPathError("the expression is nested too deeply", 0) from None


class Parser:
    """Walks over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self._tokens = list(tokens(text))
        self._next = 0

    def expression_to_end(self) -> Syntax:
        """The whole text as one expression."""
        result = self._expression(0)
        if self._token.kind != "end":
            self._refuse()
        return result

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _advance(self) -> Token:
        token = self._token
        self._next += 1
        return token

    def _refuse(self) -> NoReturn:
        token = self._token
        what = "end of expression" if token.kind == "end" else repr(token.text)
        raise FhirPathError(f"unexpected {what}", token.position)

    def _at(self, symbol: str) -> bool:
        return self._token.kind == "symbol" and self._token.text == symbol

    def _accept(self, symbol: str) -> bool:
        found = self._at(symbol)
        self._next += found
        return found

    def _expect(self, symbol: str) -> None:
        if not self._accept(symbol):
            self._refuse()

    def _expression(self, least: int) -> Syntax:
        left = self._prefix()
        while (binding := self._binding()) > least:
            token = self._advance()
            if token.text in {"is", "as"}:
                left = TypeOperation(token.position, token.text, left, self._type_name())
            else:
                left = Binary(token.position, token.text, left, self._expression(binding))
        return left

    def _binding(self) -> int:
        return BINDING.get(self._token.text, 0) if self._token.kind in {"symbol", "word"} else 0

    def _prefix(self) -> Syntax:
        if self._at("-") or self._at("+"):
            token = self._advance()
            return Unary(token.position, token.text, self._prefix())
        return self._postfix(self._term())

    def _postfix(self, left: Syntax) -> Syntax:
        while True:
            if self._accept("."):
                left = self._invocation(left)
            elif self._at("["):
                position = self._advance().position
                left = Indexer(position, left, self._expression(0))
                self._expect("]")
            else:
                return left

    def _term(self) -> Syntax:
        token = self._token
        if token.kind == "symbol":
            return self._symbol_term()
        if token.kind == "word" and token.text in {"true", "false"}:
            return Literal(self._advance().position, token.text == "true")
        if token.kind in {"word", "quoted", "special"}:
            return self._invocation(None)
        if token.kind == "end":
            self._refuse()
        return self._literal()

    def _symbol_term(self) -> Syntax:
        position = self._token.position
        if self._accept("("):
            inner = self._expression(0)
            self._expect(")")
            return inner
        if self._accept("{"):
            self._expect("}")
            return Empty(position)
        if self._accept("%"):
            return Variable(position, self._variable_name())
        return self._refuse()

    def _variable_name(self) -> str:
        if self._token.kind in {"string", "quoted"}:
            return self._advance().text
        return self._name()

    def _name(self) -> str:
        token = self._token
        if token.kind == "quoted" or (token.kind == "word" and token.text not in RESERVED):
            return self._advance().text
        return self._refuse()

    def _invocation(self, target: Syntax | None) -> Syntax:
        position = self._token.position
        if self._token.kind == "special":
            return self._special(target)
        name = self._name()
        if self._accept("("):
            return Call(position, target, name, self._arguments())
        return Member(position, target, name)

    def _special(self, target: Syntax | None) -> Syntax:
        if target is not None:
            self._refuse()
        token = self._advance()
        return Special(token.position, token.text[1:])

    def _arguments(self) -> tuple[Syntax, ...]:
        if self._accept(")"):
            return ()
        found = [self._expression(0)]
        while self._accept(","):
            found.append(self._expression(0))
        self._expect(")")
        return tuple(found)

    def _type_name(self) -> TypeName:
        first = self._name()
        if self._accept("."):
            return TypeName(first, self._name())
        return TypeName(None, first)

    def _literal(self) -> Literal:
        token = self._advance()
        match token.kind:
            case "number":
                return self._number(token)
            case "string":
                return Literal(token.position, token.text)
            case "date":
                value = parse_date(token.text[1:])
            case "datetime":
                value = parse_datetime(token.text[1:])
            case _:
                value = parse_time(token.text[2:])
        if value is None:
            raise FhirPathError(f"{token.text} does not exist", token.position)
        return Literal(token.position, value)

    def _number(self, token: Token) -> Literal:
        unit = self._unit()
        if unit is not None:
            return Literal(token.position, Quantity(Decimal(token.text), unit))
        value = Decimal(token.text) if "." in token.text else int(token.text)
        return Literal(token.position, value)

    def _unit(self) -> str | None:
        token = self._token
        if token.kind == "string":
            return self._advance().text
        if token.kind == "word" and token.text in CALENDAR_WORDS:
            return CALENDAR_WORDS[self._advance().text]
        return None


def type_name(syntax: Syntax) -> TypeName:
    """Read an argument of is(), as() or ofType() as a type specifier."""
    match syntax:
        case Member(_, None, name):
            return TypeName(None, name)
        case Member(_, Member(_, None, namespace), name):
            return TypeName(namespace, name)
        case _:
            raise FhirPathError("a type is expected here", syntax.position)
