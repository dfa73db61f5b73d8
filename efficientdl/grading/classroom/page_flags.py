"""The page's part on submissions that share what is rare: what to read, and how to take it."""

from collections.abc import Iterator, Sequence

from efficientdl.grading.classroom.markup import code_line, percent, said, text
from efficientdl.grading.classroom.similarity import Flag, Line, Passage, Similarity

_MOST_FLAGS = 30
_MOST_PASSAGES = 3
_MOST_LINES = 40


def flags_section(found: Similarity) -> Iterator[str]:
    """Every flag with its passages side by side, after a warning on what a flag is."""
    yield "<h3>Submissions to read side by side</h3>"
    yield (
        '<p class="lead">These share what is rare in this class; new names and other comments do '
        "not hide it. That can have good reasons: a study group, one source that both read, a "
        "habit from the same course. It is a reason to read both, never a verdict. A copy of an "
        "answer that most people give cannot be seen at all.</p>"
    )
    if not found.flags:
        yield f'<p class="lead">No pair of {found.n} submissions stands out.</p>'
        return
    if len(found.flags) > _MOST_FLAGS:
        yield f"<p>{len(found.flags)} pairs stand out; the {_MOST_FLAGS} most telling follow.</p>"
    for number, flag in enumerate(found.flags[:_MOST_FLAGS], 1):
        yield _flag(number, flag, found)


def _flag(number: int, flag: Flag, found: Similarity) -> str:
    one, other = flag.learners
    shown, more = flag.passages[:_MOST_PASSAGES], flag.passages[_MOST_PASSAGES:]
    also = ""
    if more:
        also = f'<p class="sum">Also in: {"; ".join(text(p.title) for p in more)}.</p>'
    return (
        f"<article><h4>{number}. {said(one)} and {said(other)}</h4>"
        f'<p class="sum">They share {percent(flag.share)} of what is rare in the less peculiar of '
        f"the two: {flag.bits:.0f} bits, where {found.limit:.0f} make a flag, in "
        f"{_count(len(flag.passages), 'exercise')}, {flag.whole} of them as a whole.</p>"
        f'<p class="sum">{said(flag.first)}<br>{said(flag.second)}</p>'
        f"{''.join(_passage(passage, flag) for passage in shown)}{also}</article>"
    )


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _passage(passage: Passage, flag: Flag) -> str:
    caption = f"{passage.title}, {passage.bits:.0f} bits; shared lines begin with ="
    head = "".join(f'<th scope="col">{said(learner)}</th>' for learner in flag.learners)
    cells = "".join(f"<td>{_lines(side)}</td>" for side in (passage.first, passage.second))
    return (
        f'<div class="scroll pair" role="region" aria-label="{text(caption)}" tabindex="0">'
        f"<table><caption>{text(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody><tr>{cells}</tr></tbody></table></div>"
    )


def _lines(lines: Sequence[Line]) -> str:
    """Lines with their numbers; of a long answer, those around what is shared."""
    near = {line.number + step for line in lines if line.shared for step in (-1, 0, 1)}
    kept = list(lines) if len(lines) <= _MOST_LINES else [ln for ln in lines if ln.number in near]
    written: list[str] = []
    before = 0
    for line in kept[:_MOST_LINES]:
        if line.number != before + 1:
            written.append("  …")
        said_line = f"{line.number:3d} {code_line(line.text)}"
        written.append(f"<mark>= {said_line}</mark>" if line.shared else f"  {said_line}")
        before = line.number
    if len(kept) > _MOST_LINES:
        written.append("  …")
    return f"<pre>{chr(10).join(written)}</pre>"
