"""Trees: a walk, and how a column was made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..query.answers import ColumnVersion, Explanation, Link, Making, Node, Operator, Walk
from ..query.edges import Place, covers
from .words import DECIDING, by, cut, how, time

SEE_ABOVE = "  (see above)"
_END = {"literal": "(a literal)", "generated": "(generated)", "unknown": "(unknown)"}


@dataclass
class Branch:
    """A line of a tree, with a remark, and what hangs below it."""

    text: str
    remark: str = ""
    children: list[Branch] = field(default_factory=list)

    def lines(self) -> Iterable[str]:
        """In a loop, as a column may come through thousands of steps."""
        waiting = [("", self)]
        while waiting:
            indent, branch = waiting.pop()
            yield f"{indent}{branch.text}{'  ' + branch.remark if branch.remark else ''}"
            waiting += ((indent + "  ", child) for child in reversed(branch.children))

    def rich(self) -> Any:
        from rich.text import Text
        from rich.tree import Tree

        def drawn(branch: Branch) -> Tree:
            return Tree(Text(branch.text).append("  " + branch.remark if branch.remark else "", style="dim"), guide_style="dim")

        root = drawn(self)
        waiting = [(self, root)]
        while waiting:
            branch, tree = waiting.pop()
            tree.children += map(drawn, branch.children)
            waiting += zip(branch.children, tree.children, strict=True)
        return root


class Drawing:
    """A walk as a tree. Each place is opened once, where it comes first; after that it says so."""

    def __init__(self, walk: Walk, name: Callable[[Node], str], longest_expression: int | None) -> None:
        self._name = name
        self._longest = longest_expression
        self._walk = walk
        self._forward = walk.direction == "downstream"
        self._nodes = {node.id: node for node in walk.nodes}
        self._places = {
            node.id: Place(node.kind, (node.namespace or "", node.name) if node.name else None, node.column)
            for node in walk.nodes
        }
        self._onward: dict[object, list[Link]] = {}
        for link in walk.links:
            near = self._places[link.source if self._forward else link.target]
            self._onward.setdefault(near.dataset, []).append(link)

    def branch(self) -> Branch:
        root = Branch(self._name(self._walk.nodes[0]), f"{self._walk.direction}, as of {time(self._walk.at)}")
        opened: dict[str, Branch] = {}
        drawn: set[Link] = set()
        waiting = [(self._walk.start, root)]
        while waiting:
            node_id, branch = waiting.pop()
            first = opened.setdefault(node_id, branch)
            if first is branch:
                waiting += reversed(self._open(node_id, branch, drawn))
            elif first.children:
                branch.remark += SEE_ABOVE
        if not root.children:
            root.children.append(Branch("nothing recorded " + ("derives from it" if self._forward else "leads to it")))
        return root

    def _open(self, node_id: str, branch: Branch, drawn: set[Link]) -> list[tuple[str, Branch]]:
        """Hangs on what the place leads to; gives what is to be opened in its turn."""
        far: dict[str, list[Link]] = {}
        place = self._places[node_id]
        for link in self._onward.get(place.dataset, ()) if place.dataset else ():
            near, other = (link.source, link.target) if self._forward else (link.target, link.source)
            if near == other != node_id:  # a column kept by a MERGE, say: told where that column is opened
                continue
            if not covers(self._places[near], place):
                continue
            if link not in drawn:
                drawn.add(link)
                far.setdefault(other, []).append(link)
            elif link.edge_type != "INDIRECT":
                branch.remark = branch.remark.removesuffix(SEE_ABOVE) + SEE_ABOVE
        deciding = Branch("decided by")
        children = []
        for other, links in far.items():
            if self._walk.indirect == "show" and all(link.edge_type == "INDIRECT" for link in links):
                kinds = how(links, self._nodes[other]).removeprefix(DECIDING)
                (branch if self._forward else deciding).children.append(Branch(self._name(self._nodes[other]), kinds))
                continue
            child = Branch("itself" if other == node_id else self._name(self._nodes[other]), self._remark(other, links))
            branch.children.append(child)
            if other != node_id:
                children.append((other, child))
        branch.children += [deciding] if deciding.children else []
        return children

    def _remark(self, other: str, links: list[Link]) -> str:
        parts = [how(links, self._nodes[other])]
        expressions = (link.expression for link in links if link.expression and link.subtype not in (None, "IDENTITY"))
        if expression := next(expressions, None):
            parts.append(cut(expression, self._longest))
        if jobs := by(links):
            parts.append(f"[{jobs}]")
        if not self._nodes[other].in_force:
            parts.append("(overwritten since)")
        return "  ".join(part for part in parts if part)


class Steps:
    """How a column was made, as a tree: what it was made from hangs below it, behind the operators that decided about the rows
    on the way. Each column is opened once, where it comes first; after that it says so."""

    def __init__(self, answer: Explanation, name: Callable[[ColumnVersion], str], longest: int | None) -> None:
        self._answer = answer
        self._name = name
        self._longest = longest
        self._makings = {making.number: making for making in answer.makings}

    def branch(self, column: str) -> Branch:
        answer = self._answer
        target = self._makings[answer.target]
        version = "" if answer.version is None else f" version {answer.version}"
        job = f" by [{answer.job_name}]" if answer.job_name else ""
        root = Branch(column, f"{answer.operation}{version}{job}, {time(answer.written_at)}, execution {answer.execution_id}")
        opened: dict[int, Branch] = {}
        waiting = [(target, root)]
        while waiting:
            making, branch = waiting.pop()
            if opened.setdefault(making.number, branch) is not branch:
                branch.remark += SEE_ABOVE if making.inputs else ""
                continue
            children = []
            for taken in making.inputs:
                found = self._makings.get(taken.number)
                child = Branch("(left out: the plan has too many columns)") if found is None else self._step(found)
                self._behind(branch, taken.through).children.append(child)
                children += [(found, child)] if found is not None else []
            waiting += reversed(children)
        return root

    def _behind(self, branch: Branch, through: Sequence[Operator]) -> Branch:
        """Where a column hangs that rows came with through these operators; columns that came the same way share it."""
        for operator in through:
            text = f"through {operator.kind}"
            remark = cut(operator.description, self._longest)
            same = (child for child in branch.children if (child.text, child.remark) == (text, remark))
            found = next(same, None)
            if found is None:
                found = Branch(text, remark)
                branch.children.append(found)
            branch = found
        return branch

    def _step(self, making: Making) -> Branch:
        if making.sources:
            read = [Branch(self._name(source)) for source in making.sources]
            return read[0] if len(read) == 1 else Branch("any of", children=read)
        named = making.name or "(several columns)"
        text = named if making.expression in (None, making.name) else f"{named} = {cut(making.expression or '', self._longest)}"
        parts = [
            making.kind,
            f"by {cut(making.keys, self._longest)}" if making.keys else "",
            _END.get(making.source_kind or "", ""),
        ]
        parts.append(f"where {cut(making.condition, self._longest)}" if making.condition else "")
        return Branch(text, "  ".join(part for part in parts if part))
