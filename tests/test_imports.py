"""The floor plan: imports point down only, and --help stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import catsdogs

PACKAGE = Path(catsdogs.__file__).parent

FLOORS = [
    "errors",
    "text",
    "logo",
    "systems",
    "files",
    "untrusted",
    "config",
    "config_file",
    "console",
    "evaluation",  # a run's record holds a score
    "run_metrics",
    "run",
    "data",
    "checking",
    "network",
    "model",
    "training",
    "exporting",
    "serving",
    "reporting",
    "commands",
    "answers",
    "given",
    "api",
    "cli",
    "__main__",
]
"""From the ground floor up."""


def floor_of(module):
    return FLOORS.index(module.split(".")[1])


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module != "catsdogs":
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            yield ".".join(("catsdogs", *(part for part in parts if part != "__init__"))), path


def test_imports_point_down_only():
    found = list(modules())
    assert len(found) > 25
    upward = [
        f"{module} imports {imported}"
        for module, path in found
        for imported in imports_of(path)
        if imported.startswith("catsdogs.") and floor_of(imported) > floor_of(module)
    ]
    assert upward == []


def test_no_modules_import_each_other_in_a_circle():
    names = {module for module, _ in modules()}

    def imported_modules(path):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    yield whole if whole in names else node.module

    # what imports nothing else of what is left goes, until nothing goes: the rest are circles
    left = {module: set(imported_modules(path)) & names for module, path in modules()}
    while done := {module for module, others in left.items() if not others & set(left)}:
        left = {module: others for module, others in left.items() if module not in done}
    assert left == {}


def test_no_room_is_over_a_fifth_of_the_house_and_no_module_over_450_lines():
    rooms, long = {}, []
    for module, path in modules():
        num_lines = len(path.read_text(encoding="utf-8").splitlines())
        room = module.split(".")[1]
        rooms[room] = rooms.get(room, 0) + num_lines
        if num_lines > 450:
            long.append((module, num_lines))
    assert long == []
    assert {room: n for room, n in rooms.items() if n > sum(rooms.values()) / 5} == {}


def test_every_room_has_its_line_in_the_documentation():
    document = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = "".join(line for line in document.splitlines() if line.startswith("| `"))
    names = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py", "__main__.py"}
    names |= {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    assert len(names) > 10
    assert [name for name in sorted(names) if f"`{name}`" not in table] == []


def test_only_the_cli_knows_click():
    users = {module for module, path in modules() if "click" in imports_of(path)}
    assert users
    assert [module for module in users if not module.startswith("catsdogs.cli.")] == []


def test_every_exception_is_caught_in_one_place_alone():
    """And nowhere by a list of their types that would have to be complete."""
    places = [
        module
        for module, path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
    ]
    assert set(places) == {"catsdogs.untrusted.boundary"}


def test_tensorflow_is_imported_only_where_keras_has_no_call():
    users = {module for module, path in modules() if "tensorflow" in imports_of(path)}
    exports = {"litert", "runtimes", "saved_model", "tensorflow_graph"}  # its own formats
    network = {"catsdogs.network.backend", "catsdogs.network.device"}
    assert users == network | {f"catsdogs.exporting.{n}" for n in exports}


def test_help_imports_nothing_heavy():
    code = (
        "import sys, click.testing, catsdogs.cli as c;"
        "r = click.testing.CliRunner().invoke(c.main, ['train', '--help']);"
        "assert r.exit_code == 0, r.output;"
        "print([m for m in ('tensorflow', 'keras', 'numpy', 'PIL', 'pydantic', 'rich', 'h5py')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["predict data", "sample photos", "manifest data", "runs", "cache", "export m.html"]
)
def test_short_commands_wait_for_no_metrics_and_no_plots(
    command, workplace, class_folders, make_model
):
    """From their first import to their last line, which another module may write."""
    make_model(workplace / "models" / "catsdogs.h5")
    (workplace / "runs").mkdir()
    code = (
        "import sys\n"
        "from catsdogs.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print([m for m in ('sklearn', 'scipy', 'matplotlib', 'keras') if m in sys.modules])"
    )
    run = [sys.executable, "-c", code, *command.split()]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_training_and_prediction_wait_for_no_metrics_and_no_plots():
    code = (
        "import sys;"
        "from catsdogs.network.backend import import_backend; import_backend();"
        "import catsdogs.commands.predict, catsdogs.commands.finetune;"
        "print([m for m in ('sklearn', 'scipy.stats', 'matplotlib') if m in sys.modules]);"
        "import sklearn.metrics, matplotlib.pyplot"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
