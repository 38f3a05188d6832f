"""What Callgrind writes is read; counting itself takes a minute and is not done here."""

from pathlib import Path

from bench.instructions import totals_in


def test_the_totals_of_all_dumps_in_a_file(tmp_path: Path) -> None:
    dump = tmp_path / "17.1"
    dump.write_text("desc: Trigger: callgrind_control\n0 4\ntotals: 4250\n\ntotals: 50\n")
    assert totals_in(dump) == [4250, 50]
    dump.write_text("desc: nothing\n")
    assert totals_in(dump) == []
