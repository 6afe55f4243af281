"""The rooms of the package: who may import whom, who may print, and how much lies flat. Each rule is broken once."""

import ast
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from houseprices.runs import format as run_format

PACKAGE = "houseprices"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE

# Imports run upward, or stay on their floor; in the engine they reach three modules only.
FLOORS = (
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
MAX_FLAT_MODULES = 12
SPEAKERS = ("cli", "estimators.house_price")

MOST_FILES_WITH_A_SETTING = 5

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
    """Imports from a higher floor, and those of the engine from rooms that it must not know."""
    floor_of = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
    found = []
    for name, modules in imports_of(sources).items():
        room = name.partition(".")[0]
        if room not in floor_of:
            found.append(f"{name} stands on no floor")
            continue
        for module in modules:
            other = module.partition(".")[0]
            if floor_of.get(other, 0) > floor_of[room]:
                found.append(f"{name} imports {module} from above")
            if room == "engine" and other not in ENGINE_IMPORTS:
                found.append(f"{name} imports {module}, which the engine does not know")
    return found


def voices(sources: Sources) -> list[str]:
    """Modules that print, draw with rich, touch the standard streams or exit, and are not there for it."""

    def speaks(node: ast.AST) -> bool:
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
        f"{name} speaks"
        for name, text in sources.items()
        if not any(name == speaker or name.startswith(f"{speaker}.") for speaker in SPEAKERS)
        and any(speaks(node) for node in nodes_of(text))
    ]


def too_flat(sources: Sources) -> list[str]:
    """A word if too many modules lie in no package."""
    packages = {name.partition(".")[0] for name in sources if "." in name}
    flat = sorted(name for name in sources if "." not in name and name not in packages)
    return [f"{len(flat)} flat modules: {', '.join(flat)}"] if len(flat) > MAX_FLAT_MODULES else []


def scattered_settings(sources: Sources) -> list[str]:
    """Hyperparameters of the loss whose name stands in many modules."""
    homes = [name for name, text in sources.items() if "huber_delta" in text]
    return [f"huber_delta stands in {', '.join(homes)}"] if len(homes) > MOST_FILES_WITH_A_SETTING else []


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


RULES = (circles, wrong_ways, voices, too_flat, scattered_settings, other_writers, scattered_names)


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
        (voices, {"report.page": "def f():\n    print(1)"}),
        (voices, {"kaggle.submit": "import sys\nsys.stderr.write('no')"}),
        (voices, {"kaggle.submit": "from sys import stdout"}),
        (voices, {"files": "from rich.table import Table"}),
        (voices, {"files": "import rich.progress"}),
        (voices, {"runs.job": "import sys\nsys.exit(1)"}),
        (voices, {"runs.job": "raise SystemExit(1)"}),
        (scattered_settings, {f"report.{number}": "huber_delta = 1" for number in range(MOST_FILES_WITH_A_SETTING)}),
        (other_writers, {"runs.read": "os.replace(one, other)"}),
        (other_writers, {"runs.read": "part.replace(whole)"}),
        (other_writers, {"runs.read": "part.rename(whole)"}),
        (scattered_names, {"runs.read": "file = folder / 'oof.csv'"}),
        (too_flat, {f"module_{number}": "" for number in range(MAX_FLAT_MODULES)}),
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
