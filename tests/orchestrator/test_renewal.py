"""A supervisor gives its place to the next one, in the same process, and nobody notices."""

from __future__ import annotations

import sys

from tests.orchestrator.supervised import Supervised


def test_it_smokes(supervised: Supervised) -> None:
    shop = supervised.session()
    shop.say("keep", "letter", "from before")
    pid = supervised.call("ping")["pid"]
    print(supervised.call("upgrade", {"python": sys.executable}))
    assert supervised.call("ping")["pid"] == pid
    print(supervised.call("status"))
    shop.kill()
    assert shop.say("names") == "http:ws:rpc:letter:letter-end"
    assert shop.say("recall", "letter") == "from before"
    print((supervised.home.log / "supervisor.log").read_text())
