"""Whatever the OpenAPI document allows, and what it does not, is answered without a failure of the server."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from serving import serving

QUICK = settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_no_request_makes_the_server_fail(mode: str) -> None:
    with serving() as (address, _):
        schema = schemathesis.openapi.from_url(address.removesuffix("/v1") + "/openapi.json")
        operations = [found.ok() for found in schema.get_all_operations()]
        assert len(operations) == 4
        if mode == "NEGATIVE":  # only a request with a body can be a wrong one
            operations = [operation for operation in operations if operation.method == "post"]
        statuses: set[int] = set()
        for operation in operations:
            generation = getattr(schemathesis.GenerationMode, mode)

            @QUICK
            @given(case=operation.as_strategy(generation_mode=generation))
            def fuzz(case: Any) -> None:
                if isinstance(case.body, dict) and "model" in case.body:
                    case.body["model"] = "tiny"  # a name drawn at random would end nearly all requests early
                answer = case.call(timeout=30)
                statuses.add(answer.status_code)
                assert answer.status_code < 500, (case, answer.text)

            fuzz()
        assert 400 in statuses
        assert mode == "NEGATIVE" or 200 in statuses
