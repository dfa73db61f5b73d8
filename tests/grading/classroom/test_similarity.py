"""Similarity: copies are found under their disguise, and honest classes are left in peace."""

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.grading.classroom.fingerprints import WINDOW, fingerprint
from efficientdl.grading.classroom.similarity import (
    WHOLE_SHARE,
    handed_out,
    rarest_bits,
    similar,
)
from efficientdl.grading.classroom.tokens import LONGEST, code_tokens, comments, prose_tokens
from efficientdl.grading.release import default_root, find_release
from tests.grading.classroom.invented import STUBS, TASKS, a_class, answers, disguised, entry

KNOWN = {id: (stub,) for id, stub in STUBS.items()}
PLAIN = """def f(layers, batch):
    total = 0
    for kind, elements in layers:
        if kind in ("conv", "linear"):
            total += 4 * elements * batch
    return total
"""
DISGUISED = '''def f(stack: list, images: int) -> int:
    """Says something else."""
    acc: int = 0  # my own idea
    for what, size in stack:

        if what in ('conv',   'linear'):
            acc += 4*size * images
    return acc
'''


def texts(source):
    return [token.text if not token.chosen else "_" for token in code_tokens(source)]


def marks(source, *given):
    return {mark for mark in fingerprint(source, given) if mark[0] == "code"}


def pair_of(found):
    return [{flag.first, flag.second} for flag in found["01_costs"].flags]


def with_copy(entries, rng, tasks=None):
    """The class, its last learner a copy of the first in all tasks or in some."""
    source, own = entries[0]["answers"], entries[-1]["answers"]
    copied = {
        id: disguised(text, rng) if tasks is None or id in tasks else own[id]
        for id, text in source.items()
    }
    return [*entries[:-1], {**entries[-1], "answers": copied}]


def test_disguise_changes_no_token_and_no_mark():
    assert texts(PLAIN) == texts(DISGUISED)
    assert marks(PLAIN) == marks(DISGUISED)
    assert marks(PLAIN)


def test_what_the_author_did_not_choose_stays():
    kept = texts(
        "def f(x):\n    import math\n    y = math.ceil(x.shape[0]) + LBS\n    return max(y)"
    )
    for word in ("math", "ceil", "shape", "LBS", "max", "p0"):
        assert word in kept
    assert "y" not in kept
    assert kept.count("_") == 2


def test_an_attribute_is_no_name_of_the_author():
    assert texts("shape = x.shape")[-1] == "shape"
    assert marks(PLAIN.replace("batch", "a.total")) != marks(PLAIN.replace("batch", "a.other"))


def test_another_algorithm_has_other_marks():
    other = PLAIN.replace("total += 4 * elements * batch", "total = total + batch * elements * 4")
    assert marks(PLAIN) != marks(other)


def test_what_was_handed_out_is_no_mark():
    assert not marks(PLAIN, DISGUISED)
    longer = PLAIN + "\n\ndef more(a, b):\n    return [a[i] * b[i + 1] for i in range(len(b))]\n"
    assert marks(longer, PLAIN) == marks(longer) - marks(PLAIN)


@given(st.integers(0, 10**6))
def test_a_long_shared_run_shares_a_mark(seed):
    """The promise of winnowing: any shared run of W + K - 1 tokens leaves a mark in both."""
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(200)]
    run = " + ".join(rng.sample(words, 5))
    before, after = (" + ".join(rng.sample(words, 8)) for _ in range(2))
    assert len(code_tokens(run)) + 1 == WINDOW + 7 - 1  # and one sign that both have before it
    one, other = f"{before} + {run}", f"{run.split(' ')[0]} - {after} + {run}"
    assert marks(one) & marks(other)


def test_comments_and_odd_layout_are_marks_of_their_own():
    odd = "def f(x):\n    # the way my uncle does it\n    return  x+1 ;"
    assert {kind for kind, _ in fingerprint(odd)} >= {"comment", "layout"}
    assert not fingerprint(odd, [odd])
    assert {kind for kind, _ in fingerprint("x = 1  # ok\ny = f(x, 2)\n")} == {"code"}


@pytest.mark.parametrize(
    "source",
    ["def f(:\n    total = 1 +", "%timeit f(3)\n!ls", "x = '''open", "\x00", "(" * 5000, "",
     "é = 1\r\nf(é)",     "lambda: " * 3000, "\ud800 = 1", "if x:\n\ty=1\n        z=2",
     "f'{x!r:>{w}}' 'a' \"b\"", "\\d"],
)  # fmt: skip
def test_anything_can_be_compared(source):
    fingerprint(source)
    fingerprint(source, prose=True)
    similar([entry(i, {"a": source}) for i in range(4)])


@given(st.text(max_size=200))
def test_any_text_has_tokens_on_its_lines(text):
    lines = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    for token in [*code_tokens(text), *prose_tokens(text), *comments(text)]:
        assert 1 <= token.line <= lines


def test_what_does_not_parse_is_compared_all_the_same():
    broken = PLAIN.replace("return total", "return total)")
    renamed = broken.replace("total", "acc").replace("elements", "size")
    assert marks(broken) == marks(renamed) != set()


def test_a_very_long_answer_is_cut():
    assert len(code_tokens("x = 1\n" * LONGEST)) <= LONGEST


def test_type_hints_after_letters_of_several_bytes():
    hinted, bare = "def f(a):\n    é: int = a; ü: str = a\n", "def f(a):\n    é = a; ü = a\n"
    assert texts(hinted) == texts(bare)


def test_a_copy_is_flagged_with_the_lines_of_both():
    entries = with_copy(a_class(20, 1), random.Random(2))
    found = similar(entries, KNOWN)["01_costs"]
    (flag,) = found.flags
    assert {flag.first, flag.second} == {entries[0]["place"], entries[-1]["place"]}
    assert set(flag.learners) == {"learner-01", "learner-20"}
    assert WHOLE_SHARE <= flag.share <= 1
    assert flag.bits >= found.limit
    np.testing.assert_allclose(flag.bits, sum(p.bits for p in flag.passages))
    assert all(a.bits >= b.bits for a, b in pairwise(flag.passages))
    for passage in flag.passages:
        assert [line.text for line in passage.first] == (
            entries[0]["answers"][passage.task].rstrip("\n").split("\n")
        )
        assert any(line.shared for line in passage.first)
        assert any(line.shared for line in passage.second)


def test_the_order_of_the_entries_changes_nothing():
    entries = with_copy(a_class(15, 3), random.Random(4))
    turned = similar(list(reversed(entries)), KNOWN)
    assert turned == similar(entries, KNOWN)


def test_what_everybody_gives_is_no_evidence():
    same = answers(random.Random(5))
    assert similar([entry(i, same) for i in range(30)], KNOWN)["01_costs"].flags == ()


def test_a_learner_is_not_compared_with_himself():
    mine = answers(random.Random(6))
    twice = {**entry(1, mine), "place": "learner-01/again.ipynb"}
    found = similar([entry(1, mine), twice, *a_class(12, 7)[1:]], KNOWN)["01_costs"]
    assert found.n == 12
    assert found.flags == ()


def test_labs_are_compared_apart():
    entries = a_class(6, 8) + [
        {**e, "score": {**e["score"], "release": {"lab": "02_pruning"}}} for e in a_class(6, 9)
    ]
    found = similar(entries, KNOWN)
    assert [(lab, one.n) for lab, one in found.items()] == [("01_costs", 6), ("02_pruning", 6)]


def test_answers_in_words_count_by_their_words():
    said = "It moves more bytes for each product, so the slope of the roofline is its limit here."
    entries = a_class(20, 10)
    for number, one in enumerate(entries):
        words = said.upper() if number in (3, 9) else " ".join(f"w{number}{i}" for i in range(15))
        one["answers"] = {"why": words}
        one["score"] = {**one["score"], "written": [{"id": "why", "title": "Why"}]}
    assert any(
        mark in fingerprint(said.upper(), prose=True) for mark in fingerprint(said, prose=True)
    )
    shared = set(fingerprint(said, prose=True))
    assert shared
    assert similar(entries)["01_costs"].steps == len(shared)  # one pair has them, nobody else


@pytest.mark.slow
def test_three_hundred_submissions_cost_few_comparisons():
    """An inverted index looks at pairs that share a mark, not at all pairs of all answers."""
    rng = random.Random(11)
    pool = [answers(rng) for _ in range(60)]
    mixed = [{id: rng.choice(pool)[id] for id, _, _ in TASKS} for _ in range(300)]
    found = similar([entry(i, given) for i, given in enumerate(mixed)], KNOWN)["01_costs"]
    all_pairs = 300 * 299 // 2
    n_marks = len({(id, m) for given in pool for id in given for m in fingerprint(given[id])})
    assert found.n == 300
    assert 0 < found.steps < all_pairs * n_marks / 50


@pytest.mark.slow
def test_honest_classes_are_left_in_peace_and_copies_are_found():
    """A hundred drawn classes: no flag in 99 of them, and a whole copy is found in 95."""
    quiet = found = 0
    for draw in range(100):
        n = (12, 18, 30)[draw % 3]
        honest = a_class(n, 5000 + draw)
        copied = with_copy(honest, random.Random(draw))
        quiet += not pair_of(similar(honest, KNOWN))
        found += pair_of(similar(copied, KNOWN)) == [{honest[0]["place"], honest[-1]["place"]}]
    assert quiet >= 99
    assert found >= 95


@pytest.mark.slow
def test_a_copy_of_half_of_the_exercises_is_found_now_and_then():
    found = 0
    for draw in range(30):
        honest = a_class(24, 8000 + draw)
        copied = with_copy(honest, random.Random(draw), [id for id, _, _ in TASKS][1::2])
        found += {honest[0]["place"], honest[-1]["place"]} in pair_of(similar(copied, KNOWN))
    assert found >= 12


def test_a_copy_with_a_step_of_its_own_in_every_exercise_is_found():
    """Then few exercises agree as a whole, and the share of all of them tells."""
    entries = with_copy(a_class(30, 21), random.Random(1))
    own = entries[-1]["answers"]
    longer = {
        id: text.replace("    return ", f"    print('now', {i})\n    return ", 1)
        for i, (id, text) in enumerate(own.items())
    }
    (flag,) = similar([*entries[:-1], {**entries[-1], "answers": longer}], KNOWN)["01_costs"].flags
    assert set(flag.learners) == {"learner-01", "learner-30"}


def test_stub_and_solution_of_a_release_are_known():
    release = find_release(default_root(), "01")
    known = handed_out(release)
    assert set(known) == set(release.tasks)
    for id in release.graded:
        stub, solution = known[id]
        assert "YOUR CODE HERE" in stub
        assert "YOUR CODE HERE" not in solution
        assert "def " in solution
    solved = {id: texts[1] for id, texts in known.items()}
    assert (
        similar([entry(i, solved) for i in range(2, 4)] + a_class(12, 5)[4:], known)[
            "01_costs"
        ].flags
        == ()
    )


def test_rarest_bits_never_vanish():
    assert rarest_bits(2) == 1
    assert rarest_bits(40) == pytest.approx(np.log2(20))
