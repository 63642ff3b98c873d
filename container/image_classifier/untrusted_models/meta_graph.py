"""One meta graph of a SavedModel as a program: its nodes, its functions, and their reachability.

Meta graphs are independent: a function of one is not visible in another.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

OperationDefinition = Callable[[str], Any]
"""Maps an operation's name to TensorFlow's `OpDef`, or to None if this TensorFlow does not have it."""


@dataclass(frozen=True)
class MetaGraph:
    """A `MetaGraphDef` with its nodes and functions by name."""

    definition: Any
    operation: OperationDefinition = field(repr=False)

    @functools.cached_property
    def nodes(self) -> dict[str, Any]:
        """The nodes of the main graph by name."""
        return {node.name: node for node in self.definition.graph_def.node}

    @functools.cached_property
    def functions(self) -> dict[str, list[Any]]:
        """The functions of the library by name; lists, since a hostile library may repeat a name."""
        found: dict[str, list[Any]] = {}
        for function in self.definition.graph_def.library.function:
            found.setdefault(function.signature.name, []).append(function)
        return found

    def all_nodes(self) -> Iterator[Any]:
        """Yield every node of the main graph and of every function."""
        yield from self.definition.graph_def.node
        for function in self.definition.graph_def.library.function:
            yield from function.node_def

    def called_by(self, node: Any) -> set[str]:
        """Return the names of the functions that a node calls, by its operation or by an attribute."""
        if node.op in self.functions:
            return {node.op}
        definition = self.operation(node.op)
        names: set[str] = set()
        for attribute in definition.attr if definition else ():
            if attribute.type == "func" and attribute.name in node.attr:
                names.add(node.attr[attribute.name].func.name)
            elif attribute.type == "list(func)" and attribute.name in node.attr:
                names.update(one.name for one in node.attr[attribute.name].list.func)
        return names - {""}

    def reached_from(self, names: Iterable[str]) -> "Reached":
        """Return what is reachable from nodes of the main graph and functions, given by name."""
        nodes, functions = set[str](), set[str]()
        waiting = list(names)
        while waiting:
            name = bare(waiting.pop())
            if name in self.nodes and name not in nodes:
                nodes.add(name)
                waiting.extend(self.nodes[name].input)
                waiting.extend(self.called_by(self.nodes[name]) - functions)
            if name in self.functions and name not in functions:
                functions.add(name)
                inner = (node for function in self.functions[name] for node in function.node_def)
                waiting.extend(set().union(*(self.called_by(node) for node in inner)) - functions)
        return Reached(frozenset(nodes), frozenset(functions))


@dataclass(frozen=True)
class Reached:
    """Names of reachable nodes of the main graph and functions."""

    nodes: frozenset[str]
    functions: frozenset[str]


def bare(name: str) -> str:
    """Return the node name of an input or a tensor: `^name` and `name:0` both give `name`."""
    return name.removeprefix("^").partition(":")[0]
