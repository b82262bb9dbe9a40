"""Histograms of durations: the bounds of buckets grow by a constant factor, so histograms can be added.

Bucket 0 holds up to 1 ms, bucket n what is above `FACTOR ** (n - 1)` and at most `FACTOR ** n` ms.
"""

OCTAVE = 6
"""Number of buckets in which a duration doubles."""

FACTOR = 2 ** (1 / OCTAVE)

RELATIVE_ERROR = FACTOR**0.5 - 1
"""Largest relative difference between a bucket's duration and one in it: 6 %."""


def milliseconds(bucket: int) -> float:
    """The duration, in milliseconds, that represents a bucket: the geometric mean of its bounds."""
    return FACTOR ** (bucket - 0.5) if bucket else 1.0


def bucket_sql(interval: str) -> str:
    """SQL expression for an interval's bucket; NULL for NULL.

    Negative intervals, from unequal clocks, are in bucket 0.
    """
    milliseconds = f"extract(epoch FROM {interval})::float8 * 1000"
    # `greatest` would ignore NULL.
    return (
        f"CASE WHEN {interval} IS NOT NULL"
        f" THEN ceil({OCTAVE} * ln(greatest({milliseconds}, 1)) / ln(2::float8))::smallint END"
    )
