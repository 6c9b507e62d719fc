"""Descriptors are counted, and so are those that are free."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest

from descartes_local.descriptors import free_descriptors, let_go, limit_of_descriptors, open_descriptors


@pytest.fixture
def limit() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_each_one_counts() -> None:
    before = open_descriptors()
    assert before == len(os.listdir("/proc/self/fd")) - 1
    more = [os.dup(0) for _ in range(300)]
    assert open_descriptors() == before + 300
    for descriptor in more:
        os.close(descriptor)
    assert open_descriptors() == before


@pytest.mark.usefixtures("limit")
def test_what_is_free_goes_by_the_soft_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (500, hard))
    assert limit_of_descriptors() == 500
    count, free = open_descriptors(), free_descriptors()
    assert count is not None
    assert free is not None
    assert count + free == 500


def test_one_that_is_closed_already_keeps_no_other_open() -> None:
    before, others = open_descriptors(), [os.dup(0) for _ in range(3)]
    os.close(others[0])
    let_go(others)
    assert open_descriptors() == before
