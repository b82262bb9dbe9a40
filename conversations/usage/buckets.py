"""Histograms of times: buckets whose bounds grow by a constant factor, so that any two of them can be added.

Bucket 0 holds up to 1 ms, bucket n what is above `FACTOR ** (n - 1)` and at most `FACTOR ** n` ms.
"""

OCTAVE = 6
"""Buckets by which a time doubles."""

FACTOR = 2 ** (1 / OCTAVE)

RELATIVE_ERROR = FACTOR**0.5 - 1
"""How far, at most, the time that stands for a bucket is from a time in it: 6 %."""


def milliseconds(bucket: int) -> float:
    """The time that stands for a bucket: the geometric middle of its bounds."""
    return FACTOR ** (bucket - 0.5) if bucket else 1.0


def bucket_sql(interval: str) -> str:
    """The SQL expression of an interval's bucket; NULL of NULL. Less than nothing, which unequal clocks tell, is 0."""
    milliseconds = f"extract(epoch FROM {interval})::float8 * 1000"
    # `greatest` would take NULL for nothing.
    return (
        f"CASE WHEN {interval} IS NOT NULL"
        f" THEN ceil({OCTAVE} * ln(greatest({milliseconds}, 1)) / ln(2::float8))::smallint END"
    )
