"""`papermill --engine efficientdl in.ipynb out.ipynb`: an existing papermill pipeline grades.

The output notebook is the release with the learner's answers, what they put out, and below each
check how it came out. The score stands in its metadata, under `efficientdl.score`, and beside it
in `out.score.json`. `EFFICIENTDL_COURSE_KEY` names the file of the course key.

Papermill imports every engine when it is imported itself, so this module imports nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbformat import NotebookNode


class GradingEngine:
    """Papermill's engine of the name `efficientdl`."""

    @classmethod
    def execute_notebook(
        cls,
        nb: "NotebookNode",
        kernel_name: str,
        **options: Any,  # noqa: ANN401 - what papermill's own engines take
    ) -> "NotebookNode":
        """Grade a notebook; the graded one comes back.

        Raises:
            UngradedPart: An exercise could not be graded, which is the grader's fault.
        """
        from efficientdl.grading.graded_run import GradingRun

        return GradingRun.execute_notebook(nb, kernel_name, **options)

    @classmethod
    def nb_kernel_name(cls, nb: "NotebookNode", name: str | None = None) -> str:
        """The kernel that a notebook names."""
        from papermill.utils import nb_kernel_name

        return nb_kernel_name(nb, name)

    @classmethod
    def nb_language(cls, nb: "NotebookNode", language: str | None = None) -> str:
        """The language that a notebook names."""
        from papermill.utils import nb_language

        return nb_language(nb, language)
