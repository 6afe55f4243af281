"""The layers of the package: who may import whom, print, move files and name them. Each rule is broken once."""

import ast
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from houseprices.runs import format as run_format

PACKAGE = "houseprices"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE

# Imports run upward, or stay on their layer; in the engine they reach three modules only.
LAYERS = (
    ("errors", "files", "progress"),
    ("data",),
    ("preprocessing",),
    ("engine",),
    ("settings",),
    ("cross_validation",),
    ("runs",),
    ("estimators",),
    ("selection",),
    ("kaggle",),
    ("report",),
    ("cli",),
    ("__init__", "__main__"),
)
ENGINE_IMPORTS = {"engine", "errors", "files", "progress"}
PRINTERS = ("cli", "estimators.house_price")

Sources = Mapping[str, str]


@functools.cache
def nodes_of(text: str) -> tuple[ast.AST, ...]:
    """Every node of a module."""
    return tuple(ast.walk(ast.parse(text)))


def sources_of(folder: Path) -> Sources:
    """{dotted name within the package, a package's by its folder: the module's text}."""
    named = {".".join(file.relative_to(folder).with_suffix("").parts): file for file in folder.rglob("*.py")}
    return {name.removesuffix(".__init__"): file.read_text("utf-8") for name, file in named.items()}


def imports_of(sources: Sources) -> dict[str, set[str]]:
    """The package's modules that each module imports: anywhere in it, for its types too."""

    def within(name: str) -> str | None:
        """The module that a dotted name means or lies in, without the package's name; None if it is foreign."""
        top, _, rest = name.partition(".")
        if top != PACKAGE:
            return None
        while rest and rest not in sources:
            rest = rest.rpartition(".")[0]
        return rest or "__init__"

    def imported(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)

    return {
        name: {module for node in nodes_of(text) for one in imported(node) if (module := within(one))}
        for name, text in sources.items()
    }


def circles(sources: Sources) -> list[str]:
    """Modules that import themselves by some way."""
    imports = imports_of(sources)

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = imports[waiting.pop()] - seen
            seen |= new
            waiting += new
        return seen

    return [f"{name} imports itself" for name in imports if name in reached(name)]


def wrong_ways(sources: Sources) -> list[str]:
    """Imports from a higher layer, and those of the engine from packages that it must not know."""
    layer_of = {package: layer for layer, packages in enumerate(LAYERS) for package in packages}
    found = []
    for name, modules in imports_of(sources).items():
        package = name.partition(".")[0]
        if package not in layer_of:
            found.append(f"{name} is in no layer")
            continue
        for module in modules:
            other = module.partition(".")[0]
            if layer_of.get(other, 0) > layer_of[package]:
                found.append(f"{name} imports {module} from above")
            if package == "engine" and other not in ENGINE_IMPORTS:
                found.append(f"{name} imports {module}, which the engine does not know")
    return found


def printers(sources: Sources) -> list[str]:
    """Modules that print, draw with rich, touch the standard streams or exit, and are not there for it."""

    def prints(node: ast.AST) -> bool:
        match node:
            case ast.Call(func=ast.Name(id="print" | "exit" | "SystemExit")):
                return True
            case ast.Attribute(value=ast.Name(id="sys"), attr="exit") | ast.Attribute(attr="_exit"):
                return True
            case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr" | "__stdout__" | "__stderr__"):
                return True
            case ast.ImportFrom(module="sys", names=names):
                return any(alias.name in ("stdout", "stderr") for alias in names)
            case ast.ImportFrom(module=str(module)):
                return module.partition(".")[0] == "rich"
            case ast.Import(names=names):
                return any(alias.name.partition(".")[0] == "rich" for alias in names)
        return False

    return [
        f"{name} prints"
        for name, text in sources.items()
        if not any(name == printer or name.startswith(f"{printer}.") for printer in PRINTERS)
        and any(prints(node) for node in nodes_of(text))
    ]


def other_writers(sources: Sources) -> list[str]:
    """Modules beside `files` that move files into place: `os.replace(one, other)`, `path.rename(other)` and their like.

    A string's `replace` has two arguments and no `os` before it, a table's `rename` has names, `dataclasses.replace` is
    called by itself.
    """

    def moves(node: ast.AST) -> bool:
        match node:
            case ast.Call(func=ast.Attribute(attr="mkdtemp" | "mkstemp")):
                return True
            case ast.Call(func=ast.Attribute(value=ast.Name(id="os" | "shutil"), attr="replace" | "rename" | "move")):
                return True
            case ast.Call(func=ast.Attribute(attr="replace" | "rename"), args=[_], keywords=[]):
                return True
        return False

    return [
        f"{name} moves files" for name, text in sources.items() if name != "files" and any(map(moves, nodes_of(text)))
    ]


def scattered_names(sources: Sources) -> list[str]:
    """Modules beside `runs.format` that name a file of a run in their code."""
    named = {
        run_format.MANIFEST, *run_format.OUTPUTS, run_format.REPORT, run_format.INTERVALS, run_format.ABLATION_TABLE,
        run_format.ABLATION_NOTE, str(run_format.LATEST),
    }  # fmt: skip
    return [
        f"{name} names {node.value}"
        for name, text in sources.items()
        if name != "runs.format"
        for node in nodes_of(text)
        if isinstance(node, ast.Constant) and node.value in named
    ]


RULES = (circles, wrong_ways, printers, other_writers, scattered_names)


@pytest.mark.parametrize("rule", RULES)
def test_the_package_keeps_the_rule(rule):
    assert rule(sources_of(SOURCE)) == []


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        (circles, {"errors": "import houseprices.files", "files": "from houseprices import errors"}),
        (
            circles,
            {
                "runs.read": "def f():\n    from houseprices.runs.write import g",
                "runs.write": "if TYPE_CHECKING:\n    from houseprices.runs.read import f",
            },
        ),
        (wrong_ways, {"data.table": "from houseprices.engine.mlp import BatchedMLP"}),
        (wrong_ways, {"runs.read": "if TYPE_CHECKING:\n    from houseprices.cli import main"}),
        (wrong_ways, {"kaggle.ledger": "from houseprices import Settings"}),
        (wrong_ways, {"engine.mlp": "def f():\n    import houseprices.data.schema"}),
        (wrong_ways, {"utilities": ""}),
        (printers, {"report.page": "def f():\n    print(1)"}),
        (printers, {"kaggle.submit": "import sys\nsys.stderr.write('no')"}),
        (printers, {"kaggle.submit": "from sys import stdout"}),
        (printers, {"files": "from rich.table import Table"}),
        (printers, {"files": "import rich.progress"}),
        (printers, {"runs.write": "import sys\nsys.exit(1)"}),
        (printers, {"runs.write": "raise SystemExit(1)"}),
        (other_writers, {"runs.read": "os.replace(one, other)"}),
        (other_writers, {"runs.read": "part.replace(whole)"}),
        (other_writers, {"runs.read": "part.rename(whole)"}),
        (scattered_names, {"runs.read": "file = folder / 'oof.csv'"}),
    ],
)
def test_a_change_that_breaks_the_rule_is_found(rule, changed: Sources):
    sources = sources_of(SOURCE)
    assert len(rule(sources | changed)) > len(rule(sources))


def test_every_module_and_every_import_is_looked_at():
    imports = imports_of(sources_of(SOURCE))
    assert {"files", "cli", "data.sample", "__init__"} <= set(imports)
    # Of three kinds: at the top, in a function, for types.
    assert {"cli.train", "errors"} <= imports["cli"]
    assert "report.page" in imports["cli.runs"]
    assert "selection.compare" in imports["cli.selection"]
