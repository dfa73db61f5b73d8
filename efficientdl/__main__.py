"""`python -m efficientdl` is the command line."""

from efficientdl.cli import main

raise SystemExit(main())
