"""Who may import whom, read from the import statements, lazy ones included.

Imports for type checking alone do not count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = "napari_softlayers"
ROOT = Path(__file__).resolve().parents[1] / "src" / PACKAGE

# What each room may import besides itself. Modules of the top level may import all.
CORE, RECIPES, BRIDGE, FILES = "_core", "_recipes", "_bridge", "_io"
ROOMS = {
    CORE: set(),
    RECIPES: {CORE},
    BRIDGE: {CORE, RECIPES},
    FILES: {CORE, RECIPES},
    "_widgets": {CORE, RECIPES, BRIDGE, FILES, "_api", "_segmenter"},
    "_training": {CORE},
}
BASICS = {
    "checks",
    "arrays",
    "version",
    "label_images",
    "run",
    "devices",
    "threads",
    "picture",
    "cache",
}
FIELDS = BASICS | {"numerics", "layers", "networks"}
CORE_ROOMS = {
    **dict.fromkeys(BASICS, BASICS),
    "numerics": BASICS,
    "layers": BASICS | {"numerics"},
    "networks": BASICS | {"numerics", "layers"},
    **dict.fromkeys(("matting", "segments", "palette"), FIELDS),
    "harmonies": FIELDS | {"palette"},  # names for docks, which must not load torch
}


Edge = tuple[str, str]


def module_names() -> dict[str, Path]:
    """Modules by name within the package, the package itself by its own."""
    names = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        names[".".join(parts) or PACKAGE] = path
    return names


def statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements that are run, at whatever depth."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        yield node
    elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        for child in node.orelse:
            yield from statements(child)
    else:
        for child in ast.iter_child_nodes(node):
            yield from statements(child)


def targets(node: ast.Import | ast.ImportFrom, path: Path) -> Iterator[str]:
    """Dotted names that a statement may mean: of the module, then of what is in it."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = node.module or ""
    if node.level:
        parents = path.relative_to(ROOT.parent).parts[: -node.level]
        base = ".".join([*parents, *([node.module] if node.module else [])])
    yield from (f"{base}.{alias.name}" for alias in node.names)


def imports() -> set[Edge]:
    """Pairs (importing module, imported module)."""
    modules = module_names()
    edges = set()
    for name, path in modules.items():
        for statement in statements(ast.parse(path.read_text(encoding="utf-8"))):
            for target in targets(statement, path):
                if target.split(".")[0] != PACKAGE:
                    continue
                inner = target.removeprefix(PACKAGE).removeprefix(".") or PACKAGE
                if inner not in modules:  # a name in a module
                    inner = inner.rpartition(".")[0] or PACKAGE
                assert inner in modules, f"{name} imports {target}, which is not there"
                if inner != name:
                    edges.add((name, inner))
    return edges


def breaks_a_room(edge: Edge) -> bool:
    importer, imported = (name.split(".") for name in edge)
    if importer[0] != imported[0]:
        return importer[0] in ROOMS and imported[0] not in ROOMS[importer[0]]
    if importer[0] != CORE or len(importer) == 1 or importer[1] == imported[1]:
        return False
    return imported[1] not in CORE_ROOMS[importer[1]]


def circle(edges: set[Edge]) -> list[str]:
    """Modules of a circle of imports; empty without one."""
    graph: dict[str, set[str]] = {}
    for importer, imported in edges:
        graph.setdefault(importer, set()).add(imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.fixture(scope="module")
def edges() -> set[Edge]:
    found = imports()
    assert len(found) > 300  # else the statements are not read
    return found


def test_rooms_import_only_what_is_below_them(edges):
    assert sorted(filter(breaks_a_room, edges)) == []


def test_no_circles(edges):
    assert circle(edges) == []


@pytest.mark.parametrize(
    ("edge", "broken"),
    [
        (("_io.tiff", "_bridge.read"), True),
        (("_io.tiff", "_core.run"), False),
        (("_bridge.read", "_widgets.parts.base"), True),
        (("_widgets.parts.base", "_api"), False),
        (("_widgets.parts.base", "_cli"), True),
        (("_cli", "_training.trainer"), False),
        (("_core.numerics.pcg", "_core.matting.system"), True),
        (("_core.matting.system", "_core.numerics.pcg"), False),
        (("_core.matting.system", "_core.palette.hull"), True),
        (("_core.run", PACKAGE), True),
    ],
)
def test_the_rules_themselves(edge, broken):
    assert breaks_a_room(edge) == broken


def test_a_circle_is_found():
    assert circle({("a", "b"), ("b", "c"), ("c", "a")})
    assert not circle({("a", "b"), ("b", "c"), ("a", "c")})
