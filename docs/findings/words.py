"""Sentences on numbers, made from the numbers: who is ahead of whom, and whether it shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from embodied_ssl.report.tables import Cell, difference
from findings.committed import Measured, plain

SHOWN, PARTLY, NOT = "shown", "partly", "not"


@dataclass(frozen=True)
class Comparison:
    """A claim: one row is ahead of another one, on one measure."""

    row: str
    than: str
    on: str
    """The measure, in words that follow "on"."""
    mine: Cell
    theirs: Cell
    lower_is_better: bool = False

    @property
    def lead(self) -> float:
        """How much better the mean is."""
        return (self.theirs.mean - self.mine.mean) if self.lower_is_better else (self.mine.mean - self.theirs.mean)

    @property
    def is_apart(self) -> bool:
        """Whether it is ahead by more than both intervals; False where there are none, of one seed."""
        return self.lead > self.mine.half + self.theirs.half

    @property
    def is_ahead_by_seed(self) -> bool:
        """Whether it is ahead by more than the interval of the difference of runs with the same seed."""
        found = difference(self.mine, self.theirs)
        return found is not None and self.lead > 0 and abs(found.mean) > found.half

    @property
    def is_against(self) -> bool:
        """Whether it is behind by more than both intervals."""
        return -self.lead > self.mine.half + self.theirs.half


@dataclass(frozen=True)
class Verdict:
    """Whether claims hold."""

    kind: str
    """`SHOWN`: ahead in all, in most with intervals apart or by seed; `PARTLY`: more often so than behind; `NOT`."""
    words: str
    """What came of them."""


def compare(measured: Measured, row: str, than: str, on: str) -> list[Comparison]:
    """The claim that a row is ahead of another; none where one of them was not measured."""
    mine, theirs = _cell(measured, row), _cell(measured, than)
    if mine is None or theirs is None:
        return []
    return [Comparison(plain(row), plain(than), on, mine, theirs, measured.results[0].lower_is_better)]


def verdict(claims: Sequence[Comparison]) -> Verdict:
    """What came of claims."""
    count, ahead = len(claims), [claim for claim in claims if claim.lead > 0]
    apart, against = ([claim for claim in claims if getattr(claim, name)] for name in ("is_apart", "is_against"))
    by_seed = [claim for claim in ahead if claim.is_ahead_by_seed and not claim.is_apart]
    of = f" in all {count} comparisons" if count > 1 else ""
    if len(apart) == count:
        return Verdict(SHOWN, f"ahead{of}, with intervals apart.")
    told = {
        "Ahead, but not apart": [claim for claim in ahead if not claim.is_apart and claim not in by_seed],
        "Behind, but not apart": [claim for claim in claims if claim.lead <= 0 and not claim.is_against],
        "Behind, with intervals apart": against,
    }
    rest = "".join(f" {what}: {_grouped(own)}." for what, own in told.items() if own)
    more = f", seed by seed in {len(by_seed)}{' more' if apart else ''}" if by_seed else ""
    sentence = (
        f"ahead in {len(ahead)} of {count} comparisons, with intervals apart in {len(apart) or 'none'}{more}.{rest}"
    )
    shown = len(apart) + len(by_seed)
    if len(ahead) == count and 2 * shown > count:
        return Verdict(SHOWN, sentence)
    return Verdict(PARTLY if shown > len(against) else NOT, sentence)


def said(measured: Measured, *rows: str) -> str:
    """The numbers of rows, each with its name."""
    own = {plain(row): cell for row in rows if (cell := _cell(measured, row))}
    return listed(f"{name} {number(cell)}" for name, cell in own.items())


def number(cell: Cell) -> str:
    """A mean with its interval, which no line breaks apart."""
    return f"{cell.text} {cell.interval}".strip().replace(" ", "\N{NO-BREAK SPACE}")


def times(mine: Cell, theirs: Cell) -> str:
    """How many times one mean is another."""
    return f"{mine.mean / theirs.mean:.1f} times"


def way(low: Cell, own: Cell, high: Cell) -> str:
    """How much of the way from one mean to another a third one has gone."""
    share = (own.mean - low.mean) / (high.mean - low.mean)
    return "all of it and more" if share > 1 else f"{100 * share:.0f} %".replace("-", "−")


def listed(parts: Iterable[str]) -> str:
    """Parts as a list in a sentence."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _cell(measured: Measured, row: str) -> Cell | None:
    """The cell of a row, by its own name or by that in figures."""
    return measured.cells.get(row) or measured.cells.get(plain(row))


def _grouped(claims: Sequence[Comparison]) -> str:
    """Which claims: by the pair of rows, what they were measured on."""
    pairs: dict[str, list[str]] = {}
    for claim in claims:
        pairs.setdefault(f"{claim.row} against {claim.than}", []).append(claim.on)
    return "; ".join(f"{pair} ({listed(on)})" for pair, on in pairs.items())
