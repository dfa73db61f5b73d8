"""en_es_web_rv1909.tsv.gz: the verses that are short, at most 16 words, in both languages.

The two Bibles come as SWORD modules; the package pysword reads them. Notes and headings are left
out of a verse; its text stays as it is.
"""

import functools
import re
import sys

import output
import sources

sys.path.insert(0, str(sources.package("pysword") / "pysword-0.2.8"))

from pysword import bible as sword
from pysword.modules import SwordModules

MAX_WORDS = 16

# Without this, every verse unpacks its whole book again, which takes minutes.
for reader in vars(sword).values():
    if isinstance(reader, type) and "_decompressed_text" in vars(reader):
        reader._decompressed_text = functools.cache(reader._decompressed_text)


def clean(marked: str) -> str:
    """The verse's words: notes and headings out, tags away, spaces tidied."""
    text = re.sub(r"<note.*?</note>", "", marked, flags=re.DOTALL)
    text = re.sub(r"<(title|head).*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))
    text = re.sub(r"([\u201c\u2018])\s+", r"\1", text)  # opening quotation marks
    return re.sub(r"\s+([,.;:!?\u2019\u201d])", r"\1", text).strip()


def verses(package: str, module: str) -> dict[tuple[str, int, int], str]:
    """Every verse that is there, by book, chapter and number."""
    modules = SwordModules(str(sources.package(package) / "usr/share/sword"))
    modules.parse_modules()
    bible = modules.get_bible_from_module(module)
    found = {}
    for books in bible.get_structure().get_books().values():
        for book in books:
            for chapter, length in enumerate(book.chapter_lengths, start=1):
                for verse in range(1, length + 1):
                    place = {"books": [book.name], "chapters": [chapter], "verses": [verse]}
                    text = clean(bible.get(**place, clean=False, join=""))
                    if text:
                        found[book.name, chapter, verse] = text
    return found


english = verses("sword-text-web", "engWEB2015eb")
spanish = verses("sword-text-sparv", "spaRV1909eb")
short = [
    f"{english[place]}\t{spanish[place]}"
    for place in english
    if place in spanish
    and max(len(english[place].split()), len(spanish[place].split())) <= MAX_WORDS
]
output.text("en_es_web_rv1909.tsv.gz", "\n".join(short))
