"""A papermill run that grades: what comes out is the graded notebook, with its score beside it."""

import copy
import os
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode, v4
from papermill.engines import Engine, NotebookExecutionManager

from efficientdl.grading.grader import Grading, read_key
from efficientdl.grading.handed_in import HandedIn, read_handed_in
from efficientdl.grading.release import default_root
from efficientdl.grading.report.words import OUTCOMES, message_of, points_text, standing, title_of
from efficientdl.grading.score import Graded, Score, to_json, write_score

_TIMES = dict.fromkeys(("exception", "start_time", "end_time", "duration"))
KEY_VARIABLE = "EFFICIENTDL_COURSE_KEY"


class UngradedPart(RuntimeError):
    """The grader failed in a part of a submission; everything else has been graded and saved."""


class GradingRun(Engine):
    """Grades instead of running from top to bottom."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,  # noqa: ARG003 - the release knows its kernel
        **options: Any,  # noqa: ANN401
    ) -> None:
        """Grade the notebook in `nb_man`, and put the graded one in its place.

        Raises:
            UngradedPart: An exercise could not be graded, which is the grader's fault.
        """
        path = Path(str(options.get("input_path") or ""))
        local = path.is_file()
        handed_in = read_handed_in(path) if local else _from_node(nb_man.nb)
        named = os.environ.get(KEY_VARIABLE)
        key = read_key(Path(named) if named else None)
        hidden = (path.resolve().parent,) if local else ()
        grading = Grading(handed_in, root=default_root(), key=key, hidden=hidden)
        score = grading.score()
        graded = graded_notebook(grading, score)
        graded.metadata.papermill = nb_man.nb.metadata.papermill
        for cell in graded.cells:
            cell.metadata.papermill = {**_TIMES, "status": nb_man.COMPLETED}
        nb_man.nb = graded
        if nb_man.output_path:
            write_score(Path(nb_man.output_path).with_suffix(".score.json"), score)
        if score.ungraded:
            raise UngradedPart(f"{score.ungraded} points could not be graded: grade it again")


def graded_notebook(grading: Grading, score: Score) -> NotebookNode:
    """The release with the learner's answers, what they put out, and how each came out."""
    notebook = copy.deepcopy(grading.release.learner)
    found = {task.id: task for task in score.exercises}
    words = {answer.id: answer.answer for answer in score.written}
    for cell in notebook.cells:
        ours = cell.metadata.get("efficientdl", {})
        id, role = ours.get("task"), ours.get("role")
        if role == "exercise":
            cell.source = grading.submission.answers.get(id, cell.source)
        elif role == "written":
            cell.source = words.get(id) or cell.source
        if cell.cell_type == "code":
            ran = grading.ran(cell.id)
            cell.outputs = [_calm(output) for output in ran.outputs] if ran else []
        if role == "check" and id in found:
            cell.outputs = [_verdict(found[id])]
    said = f"# Graded: {title_of(grading.release)}\n\n{standing(score)}"
    summary = v4.new_markdown_cell(said, id="graded")
    notebook.cells.insert(0, summary)
    notebook.metadata.efficientdl["score"] = nbformat.from_dict(to_json(score))
    return notebook


def _from_node(notebook: NotebookNode) -> HandedIn:
    """A notebook that papermill has fetched from elsewhere, without what papermill put into it."""
    bare = copy.deepcopy(notebook)
    tags = [cell.metadata.get("tags", []) for cell in bare.cells]
    bare.cells = [
        c for c, t in zip(bare.cells, tags, strict=True) if "injected-parameters" not in t
    ]
    name = str(bare.metadata.pop("papermill", {}).get("input_path") or "notebook.ipynb")
    return HandedIn(name.rsplit("/", 1)[-1], nbformat.writes(bare).encode())


def _calm(output: NotebookNode) -> NotebookNode:
    """An error as text: papermill takes an error in a cell for a failure of the whole run."""
    if output.output_type != "error":
        return output
    text = f"{output.ename}: {output.evalue}\n"
    return v4.new_output("stream", name="stderr", text=text)


def _verdict(task: Graded) -> NotebookNode:
    words = OUTCOMES[task.outcome].words
    lines = [f"{words}: {points_text(task.earned, task.points)}", message_of(task)]
    return v4.new_output("stream", name="stdout", text="\n".join(filter(None, lines)) + "\n")
