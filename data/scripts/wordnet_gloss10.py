"""wordnet_gloss10.tsv.gz: 1,200 definitions of each of ten kinds of noun.

A definition is a gloss up to its first example; it is taken once, if it has four words or more.
Which 1,200, and in which order, the SHA-256 of the text decides: a draw that any language and any
version repeats.
"""

import hashlib
import re

import output
import sources

# WordNet's numbers of its files of nouns (lexnames.5WN)
KINDS = {
    4: "act",
    5: "animal",
    6: "artifact",
    8: "body",
    10: "communication",
    13: "food",
    15: "location",
    18: "person",
    20: "plant",
    27: "substance",
}
PER_CLASS = 1200


def by_draw(row: tuple[str, str]) -> str:
    return hashlib.sha256(row[1].encode("utf-8")).hexdigest()


path = sources.package("wordnet-base") / "usr/share/wordnet/data.noun"
kind_of: dict[str, str] = {}
for line in path.read_text(encoding="utf-8").splitlines():
    if line.startswith("  "):  # the licence stands at the head of the file
        continue
    head, gloss = line.split(" | ", 1)
    definition = re.split(r'; "', gloss)[0].strip()
    kind = KINDS.get(int(head.split()[1]))
    if kind and len(definition.split()) >= 4:
        kind_of.setdefault(definition, kind)

drawn = sorted(((kind, text) for text, kind in kind_of.items()), key=by_draw)
taken = dict.fromkeys(KINDS.values(), 0)
rows = []
for kind, definition in drawn:
    if taken[kind] < PER_CLASS:
        taken[kind] += 1
        rows.append(f"{kind}\t{definition}")
output.text("wordnet_gloss10.tsv.gz", "\n".join(rows))
