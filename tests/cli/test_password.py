"""``hyperfocal password``."""

from __future__ import annotations

import stat
from pathlib import Path

from click.testing import CliRunner, Result

from hyperfocal.auth.passwords import PasswordFile
from hyperfocal.cli.main import main


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["password", *arguments], input=typed)


def test_passwords_are_set_changed_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "users"
    made = run(str(path), "ada", typed="one\none\n")
    assert made.exit_code == 0, made.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = PasswordFile(str(path)).hash_of("ada")
    assert first is not None
    assert "one" not in path.read_text()
    path.write_text("# people\n" + path.read_text())
    path.chmod(0o640)
    run(str(path), "bob", "--stdin", typed="two\n")
    run(str(path), "ada", "--stdin", typed="three\n")
    file = PasswordFile(str(path))
    assert file.hash_of("ada") not in (None, first)
    assert file.hash_of("bob") is not None
    assert path.read_text().startswith("# people\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert run(str(path), "bob", "--remove").exit_code == 0
    assert PasswordFile(str(path)).hash_of("bob") is None


def test_mistakes_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "users"
    assert "a name has" in run(str(path), "a:b", "--stdin", typed="x\n").output
    assert "empty" in run(str(path), "ada", "--stdin", typed="\n").output
    assert run(str(path), "ada", typed="one\ntwo\n").exit_code != 0
    assert "has no user" in run(str(path), "ada", "--remove").output
    assert not path.exists()
    path.write_text("no sense\n")
    assert "line 1" in run(str(path), "ada", "--stdin", typed="x\n").output
    assert path.read_text() == "no sense\n"
    assert (
        "cannot be written"
        in run(str(tmp_path / "none" / "users"), "ada", "--stdin", typed="x\n").output
    )
