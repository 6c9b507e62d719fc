from __future__ import annotations

from pathlib import Path

import pytest

from descartes_local.hiding import rules_of
from descartes_local.home import Home


def test_our_own_token_is_hidden_and_what_the_environment_calls_secret(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert rules_of(home, environment={}).hide("any\n") == "any\n"
    home.token.write_text("d-" * 20 + "\n")
    rules = rules_of(home, [r"id (\d+)"], ["PIN"], environment={"PIN": "9876", "A_TOKEN": "a b c d e f"})
    assert rules.hide(f"{'d-' * 20} id 12 9876 a b c d e f\n") == "*** id *** *** ***\n"


def test_a_wrong_pattern_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        rules_of(Home(tmp_path), ["["])
