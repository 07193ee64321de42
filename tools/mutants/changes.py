"""Mutants: each is a copy of a syntax tree with one small change.

Types, decorators, the header of a class and docstrings are never changed, because tests of
behavior cannot detect such a change.
"""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.Pow: ast.Mult,
}
_CALLED = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "sorted": "list",
    "lower": "upper",
    "upper": "lower",
    "removeprefix": "removesuffix",
    "removesuffix": "removeprefix",
    "startswith": "endswith",
    "fullmatch": "match",
}
_TYPES = {"Callable", "Literal", "Mapping", "Sequence", "tuple"}
_LEFT_ALONE = {"annotation", "returns", "decorator_list", "type_params", "type_comment"}
_SHOWN = 100  # characters of a change

Change = Callable[[ast.AST], None]
"""A function that changes a node in place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A module with one change."""

    line: int
    name: str
    """Location of the change with the old and the new code, identical on every run."""
    tree: ast.Module


def mutants(source: str) -> Iterator[Mutant]:
    """Yield all mutants of a module's source. Mutants with equal names are numbered."""
    tree = ast.parse(source)
    seen: dict[str, int] = {}
    for index, (place, node) in enumerate(_walk(tree, "")):
        for change in _changes(node):
            changed = copy.deepcopy(tree)
            target = next(each for at, (_, each) in enumerate(_walk(changed, "")) if at == index)
            change(target)
            name = f"{place or 'the module'}: {_shown(node)} -> {_shown(target)}"
            seen[name] = number = seen.get(name, 0) + 1
            yield Mutant(
                line=_line(node),
                name=name if number == 1 else f"{name} ({number})",
                tree=ast.fix_missing_locations(_Valid().visit(changed)),
            )


class _Valid(ast.NodeTransformer):
    """A replacement of ``and`` and ``or`` of one side, which does not compile, by that side."""

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        return node if len(node.values) > 1 else node.values[0]


def _walk(node: ast.AST, place: str) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        place = f"{place}.{node.name}" if place else node.name
    yield place, node
    for name, value in ast.iter_fields(node):
        if name in _LEFT_ALONE or (isinstance(node, ast.ClassDef) and name == "keywords"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_no_behaviour(child):
                yield from _walk(child, place)


def _line(node: ast.AST) -> int:
    match node:
        case ast.comprehension(target=first) | ast.match_case(pattern=first):
            return first.lineno
    return getattr(node, "lineno", 0)


def _is_no_behaviour(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom():
            return True
        case ast.Assign(value=ast.Subscript(value=ast.Name(id=name))):
            return name in _TYPES
    return False


def _shown(node: ast.AST) -> str:
    match node:
        case ast.If(test=test) | ast.While(test=test):
            text = f"if {ast.unparse(test)}"
        case ast.comprehension():
            text = ast.unparse(node).strip()
        case ast.match_case(pattern=pattern):
            text = f"case {ast.unparse(pattern)}"
        case _:
            text = ast.unparse(node)
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _changes(node: ast.AST) -> Iterator[Change]:  # noqa: C901, PLR0912  a table of the kinds of node
    match node:
        case ast.Compare(ops=ops):
            for index, op in enumerate(ops):
                for other in _COMPARED[type(op)]:
                    yield _item("ops", index, other())
        case ast.BoolOp(op=op, values=values):
            yield _field("op", ast.Or() if isinstance(op, ast.And) else ast.And())
            yield from (_without("values", index) for index in range(len(values)))
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _CALCULATED:
            yield _field("op", _CALCULATED[type(op)]())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield _field("operand", ast.UnaryOp(op=ast.Not(), operand=operand))
        case ast.UnaryOp(op=ast.USub()):
            yield _field("op", ast.UAdd())
        case ast.Constant(value=value):
            yield from (_field("value", other) for other in _other_constants(value))
        case ast.If() | ast.IfExp() | ast.While():
            yield _field("test", ast.Constant(value=True))
            yield _field("test", ast.Constant(value=False))
        case ast.comprehension(ifs=ifs):
            yield from (_without("ifs", index) for index in range(len(ifs)))
        case (
            ast.Return(value=value)
            | ast.Expr(value=value)
            | ast.Assign(value=value)
            | ast.AnnAssign(value=value)
        ) if not isinstance(value, ast.Constant | None):
            yield _field("value", ast.Constant(value=None))
        case ast.Slice(lower=lower, upper=upper):
            yield from (
                _field(name, None)
                for name, bound in (("lower", lower), ("upper", upper))
                if bound is not None
            )
        case ast.Call(func=func, keywords=keywords):
            yield from _other_calls(func)
            yield from (_without("keywords", index) for index in range(len(keywords)))
        case ast.Tuple(elts=elts, ctx=ast.Load()) | ast.List(elts=elts, ctx=ast.Load()):
            yield from (_without("elts", index) for index in range(len(elts)))
        case ast.Set(elts=elts):
            yield from (_without("elts", index) for index in range(len(elts)))
        case ast.Dict(keys=keys):
            yield from (_without_entry(index) for index in range(len(keys)))
        case ast.match_case(guard=None):
            yield _field("guard", ast.Constant(value=False))


def _other_constants(value: object) -> Iterator[object]:
    match value:
        case bool():
            yield not value
        case int() | float():
            yield value + 1
            yield value - 1
        case str():
            yield f"{value}X"
        case bytes():
            yield value + b"X"


def _other_calls(func: ast.expr) -> Iterator[Change]:
    match func:
        case ast.Name(id=name) if name in _CALLED:
            yield _field("func", ast.Name(id=_CALLED[name], ctx=ast.Load()))
        case ast.Attribute(value=value, attr=name) if name in _CALLED:
            yield _field("func", ast.Attribute(value=value, attr=_CALLED[name], ctx=ast.Load()))


def _field(name: str, value: object) -> Change:
    # A copy, as nodes of the original may be in it.
    return lambda node: setattr(node, name, copy.deepcopy(value))


def _item(name: str, index: int, value: ast.AST) -> Change:
    return lambda node: getattr(node, name).__setitem__(index, value)


def _without(name: str, index: int) -> Change:
    return lambda node: getattr(node, name).__delitem__(index)


def _without_entry(index: int) -> Change:
    def change(node: ast.AST) -> None:
        _without("keys", index)(node)
        _without("values", index)(node)

    return change
