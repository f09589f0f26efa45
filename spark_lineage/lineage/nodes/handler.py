"""What a handler is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ...plan.nodes import Node
from ..relation import Relation
from ..walk import Walk

Handler: TypeAlias = Callable[[Node, Walk], Relation]
"""From a node, with everything below it resolved, to the rows it gives.

A handler reads its node's fields through the accessors of `Node`; where one is not there `MissingFieldError` sends the node
down the unknown path, with a reason, so a handler need not guess.
"""
