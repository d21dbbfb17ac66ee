"""The document tells the truth: requests made from it, right ones and wrong ones, against a running console."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from conductor.console import sounds
from conductor.console.openapi import document
from conductor.operating.vocabulary import VERBS
from tests.conductor.console.stage import consoled

# Requests for each of some thirty operations.
EXAMPLES = 12


def fuzz(url: str) -> list[str]:
    """Return the operations that were asked, each time they were."""
    import schemathesis

    asked: list[str] = []
    schema = schemathesis.openapi.from_dict(document())
    schema.config.base_url = url
    refusing = ["400", "401", "403", "404", "405", "409", "413", "415", "429"]
    schema.config.checks.negative_data_rejection.expected_statuses = refusing
    # What is well said can still make no sense for the cues there are: 400 and 409 say so.
    schema.config.checks.positive_data_acceptance.expected_statuses = ["200", "202", "400", "404", "409", "429"]
    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]
        # One answer takes half a second where a password is wrong: tried elsewhere.
        if operation.path in ("/api/login", "/api/logout"):
            continue
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            strategy = operation.as_strategy(generation_mode=mode)

            @settings(
                max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(strategy)
            def ask(case: Any) -> None:
                response = case.call(base_url=url)
                case.validate_response(response)
                asked.append(f"{case.method} {case.path}")

            # What takes nothing cannot be asked wrongly.
            takes = operation.definition.raw.keys() & {"parameters", "requestBody"}
            if mode is schemathesis.GenerationMode.POSITIVE or takes:
                ask()
    return asked


async def test_what_the_document_says_holds_for_any_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody listens to what is played into files here.
    monkeypatch.setattr(sounds, "COMMAND", (sys.executable, "-c", "import sys; sys.stdin.read()"))
    async with consoled(tmp_path) as it:
        asked = await asyncio.to_thread(fuzz, it.url)
    assert len(set(asked)) >= len(VERBS) + 10
