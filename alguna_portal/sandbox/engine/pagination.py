"""Lists as Alguna gives them: `limit` and `offset` in, `data` and `pagination` out."""

import math
from collections.abc import Mapping, Sequence

from .types import JSON, Answer, json_answer
from .validation import number


def page(records: Sequence[JSON], query: Mapping[str, str]) -> Answer:
    """Return the part of the records that the query string asks for; at most 100."""
    limit = number(query, "limit", default=50, least=1, most=100)
    offset = number(query, "offset", default=0, least=0, most=999_999_999)
    return json_answer(
        {
            "data": list(records[offset : offset + limit]),
            "pagination": {"per_page": limit, "total_pages": math.ceil(len(records) / limit)},
        }
    )
