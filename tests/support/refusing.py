"""What a refusal must look like: the right exit code, one line on stderr, nothing else."""

from __future__ import annotations

from tests.support.person import Person, Ran


def refused(person: Person, code: int, words: list[object], *named: object, **how: object) -> Ran:
    """Run a command that must be refused with this code, in one line that names these things."""
    ran = person.run(*words, check=False, **how)  # type: ignore[arg-type]
    assert ran.code == code, str(ran)
    assert ran.stdout == "", str(ran)
    assert ran.stderr.startswith("descartes: "), str(ran)
    assert ran.stderr.count("\n") == 1, str(ran)
    assert len(ran.stderr) < 1500, str(ran)
    for name in named:
        assert str(name) in ran.stderr, str(ran)
    return ran
