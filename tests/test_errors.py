"""The tree of errors is the one that is drawn."""

import ast
import re
from pathlib import Path

import catsdogs
from catsdogs import errors


def test_the_tree_in_the_docstring_is_the_one_in_the_code():
    parents = {}
    for path in Path(catsdogs.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                names = [base.id for base in node.bases if isinstance(base, ast.Name)]
                parents.setdefault(node.name, []).extend(names)
    ours = {"CatsdogsError"}
    while more := {n for n, bases in parents.items() if n not in ours and ours & {*bases}}:
        ours |= more
    drawn, at_depth = {}, ["CatsdogsError"]
    for line in errors.__doc__.splitlines():
        if found := re.match(r"    ((?:│   )*)[├└]── (\w+)", line):
            depth = len(found[1]) // 4
            drawn[found[2]] = at_depth[depth]
            at_depth[depth + 1 :] = [found[2]]
    assert {*drawn, "CatsdogsError"} == ours
    for name, parent in drawn.items():
        assert parent in parents[name]


def test_a_sequel_comes_after_the_message():
    error = errors.DataError("no space: choose another place", key="output")
    error.sequel = "It can be resumed"
    assert error.message == "no space: choose another place"
    assert str(error) == "no space: choose another place. It can be resumed"
