"""The documentation: its examples run, its links lead somewhere, it names what exists, generated pages are fresh.

Blocks on a page run in order, in one namespace and an empty folder. A `text` block behind a `python` block is what it
prints. `json` and `jsonl` blocks with a name are files. A `python` block below the line `<!-- model -->` needs the real
model.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.main import get_command

import surefoot
from surefoot.catalogue import ENTRIES
from surefoot.cli import app
from surefoot.cli.options import TASKS
from surefoot.tasks.loading import UNNAMED
from surefoot.tasks.readers import SCHEMES

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
RUN_ELSEWHERE = {"CONTRIBUTING.md", "docs/your-own-task.md", "docs/your-own-wordings.md"}
BLOCK = re.compile(r"^(<!-- model -->\n)?```(\w+)(?: (\S+))?\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)

sys.path.insert(0, str(ROOT / "tools"))
import make_docs  # noqa: E402


class Block(NamedTuple):
    """A fenced block; `needs_model` where the line above says so."""

    needs_model: bool
    language: str
    name: str
    body: str


def blocks_of(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [Block(bool(mark), language, name, body) for mark, language, name, body in BLOCK.findall(text)]


# Examples


@pytest.mark.parametrize("page", sorted({*NAMES} - RUN_ELSEWHERE))
def test_the_examples_of_a_page_print_what_stands_below_them(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    printed: str | None = None
    for block in blocks_of(page):
        if block.name and block.language in ("json", "jsonl"):
            write(tmp_path / block.name, block.body)
        elif block.language == "python" and not block.needs_model:
            assert not printed, "the block before prints something that the page does not show"
            exec(compile(block.body, page, "exec"), space)
            printed = capsys.readouterr().out
        elif block.language == "text" and printed is not None:
            assert printed == block.body
            printed = None
    assert not printed


def test_the_readme_example_runs_as_printed_on_the_real_model(
    smollm2: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = (block for block in blocks_of("README.md") if block.needs_model)
    code = block.body.replace("limit=20", "limit=4").replace("steps=40", "steps=2")
    code = re.sub(r"tasks = \[.*\]", 'tasks = ["demo/reviews"]', code)
    assert (code.count("limit=4,"), code.count("steps=2)"), code.count('["demo/reviews"]')) == (2, 1, 1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("surefoot.models.load.load", lambda spec: {"smollm2": smollm2}[spec])
    exec(compile(code, "README.md", "exec"), {})
    assert "SmolLM2-135M-Instruct + soft-align" in capsys.readouterr().out
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_what_contributing_says_to_add_works_when_it_is_added(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=ignored)
    write(tmp_path / "tests" / "conftest.py", (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    catalogue = tmp_path / "src" / "surefoot" / "catalogue.py"
    added = []
    for block in blocks_of("CONTRIBUTING.md"):
        if block.name == "catalogue":
            begin = "ENTRIES: tuple[Entry, ...] = (\n"
            text = catalogue.read_text(encoding="utf-8")
            assert begin in text
            catalogue.write_text(text.replace(begin, begin + block.body), encoding="utf-8")
        elif block.name:
            assert not (tmp_path / block.name).exists(), f"{block.name} is there already"
            write(tmp_path / block.name, block.body)
            added.append(block.name)
    tests = [name for name in added if name.startswith("tests/")]
    assert len(tests) == 3
    environment = os.environ | {
        "PYTHONPATH": str(tmp_path / "src"),
        "PYTEST_ADDOPTS": "",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# Links


def anchors_of(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", without_code(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def without_code(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", NAMES)
def test_every_relative_link_leads_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(ROOT / page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), f"{page} links to {target}, which is not there"
        assert not anchor or anchor in anchors_of(file), f"{page} links to {target}, a heading that is not there"


def test_every_entry_of_the_catalogue_has_its_page() -> None:
    assert [entry.page for entry in ENTRIES if not (ROOT / entry.page).is_file()] == []


# What pages name


def commands_in(page: str) -> Iterator[list[str]]:
    """The words of every `surefoot ...` line, in `sh` blocks and in code within the text."""
    for block in blocks_of(page):
        if block.language == "sh":
            for line in block.body.replace("\\\n", " ").splitlines():
                if line.strip().startswith("surefoot "):
                    yield shlex.split(line, comments=True)
    for code in re.findall(r"`(surefoot [^`\n]+)`", without_code(ROOT / page)):
        yield shlex.split(code)


@pytest.mark.parametrize("page", NAMES)
def test_every_command_and_option_that_a_page_names_exists(page: str) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for words in commands_in(page):
        name = words[1]
        if name.startswith("-"):
            assert name in ("--help", "-h")
            continue
        assert name in commands, f"{page} names `surefoot {name}`"
        options = {option for parameter in commands[name].params for option in parameter.opts}
        for word in words[2:]:
            if word.startswith("--"):
                assert word.partition("=")[0] in options | {"--help", "--debug"}, f"{page} names {word} of {name}"


@pytest.mark.parametrize("page", NAMES)
def test_every_option_in_the_text_of_a_page_is_some_commands(page: str) -> None:
    commands = get_command(app).commands.values()  # type: ignore[attr-defined]
    options = {option for command in commands for parameter in command.params for option in parameter.opts}
    scripts = [*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "tools").glob("*.py")]
    options |= {name for script in scripts for name in re.findall(r'add_argument\("(--[a-z-]+)"', script.read_text())}
    named = set(re.findall(r"`(--[a-z-]+)[^`]*`", without_code(ROOT / page)))
    assert named <= options | {"--help", "--debug"}


@pytest.mark.parametrize("page", NAMES)
def test_every_make_target_that_a_page_names_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = re.findall(r"(?:^|`)make ([^`#\n]+)", text, flags=re.MULTILINE)
    named = {word for line in lines for word in line.split() if re.fullmatch(r"[a-z-]+", word)}
    assert named <= targets


def test_getting_started_prints_the_command_that_make_demo_runs() -> None:
    recipes = (ROOT / "Makefile").read_text(encoding="utf-8")
    values = dict(re.findall(r"^(LIMIT|OUT) \?= (.+)$", recipes, flags=re.MULTILINE))
    (command,) = re.findall(r"^demo:.*\n\t\$\(BIN\)/(surefoot .+)$", recipes, flags=re.MULTILINE)
    command = command.replace("$(OUT)", values["OUT"]).replace("$(LIMIT)", values["LIMIT"])
    assert command in (ROOT / "docs/getting-started.md").read_text(encoding="utf-8").splitlines()


def test_the_help_and_the_page_of_tasks_name_every_source_of_tasks() -> None:
    named = set(SCHEMES) - UNNAMED
    assert set(re.findall(r"([a-z]+):", TASKS)) == named
    rows = re.findall(r"^\| `.*$", (ROOT / "docs/your-own-task.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {scheme for row in rows for scheme in re.findall(r"`([a-z]+):", row)} >= named


def test_make_demo_installs_what_the_commands_of_the_readme_need() -> None:
    recipes = (ROOT / "Makefile").read_text(encoding="utf-8")
    (extras,) = re.findall(r"^\$\(VENV\)/\.ready:.*?-e '?\.(?:\[([a-z,]+)\])?'?$", recipes, re.MULTILINE | re.DOTALL)
    verbs = set(re.findall(r"^surefoot ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    need = {"index": "retrieval", "ask": "retrieval", "serve": "serve"}
    assert {need[verb] for verb in verbs & set(need)} <= set(extras.split(","))


def test_the_tree_of_the_readme_lists_the_folders_that_there_are() -> None:
    (tree,) = (block.body for block in blocks_of("README.md") if block.language == "tree")
    package, top = set(), set()
    for line in tree.splitlines():
        folder, _, said = line.partition("/ ")
        assert said.strip(), f"the tree says nothing about {folder}"
        (package if line.startswith("  ") else top).add(folder.strip())
    skipped = {"__pycache__"}
    inside = {path.name for path in Path(surefoot.__file__).parent.iterdir() if path.is_dir()} - skipped
    assert package == inside
    assert all((ROOT / folder).is_dir() for folder in top)
    assert folders_in_git() - {"src"} <= top


def folders_in_git() -> set[str]:
    """The top folders of what git keeps; none where this is no checkout."""
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=False)
    return {line.partition("/")[0] for line in done.stdout.splitlines() if "/" in line and line[0] != "."}


@pytest.mark.parametrize("page", NAMES)
def test_named_json_blocks_are_json(page: str) -> None:
    for block in blocks_of(page):
        if block.language in ("json", "jsonl"):
            parts = block.body.splitlines() if block.language == "jsonl" else [block.body]
            assert all(isinstance(json.loads(part), dict) for part in parts)


# Generated pages


def test_the_generated_pages_are_fresh() -> None:
    assert make_docs.stale() == []


def test_a_changed_page_is_found_stale(tmp_path: Path) -> None:
    for path, text in make_docs.pages().items():
        write(tmp_path / path, text)
    assert make_docs.stale(tmp_path) == []
    page = tmp_path / "docs" / "cli.md"
    page.write_text(page.read_text(encoding="utf-8").replace("--limit", "--limits", 1), encoding="utf-8")
    assert make_docs.stale(tmp_path) == ["docs/cli.md"]


@pytest.mark.parametrize("columns", ["40", "200"])
def test_the_width_of_the_terminal_does_not_change_the_help(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert make_docs.cli_page() == (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def test_every_command_has_its_help_on_the_page() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        section = text.split(f"## surefoot {name}\n", 1)[1].split("\n## ", 1)[0]
        for parameter in command.params:
            assert parameter.opts[0] in section


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
