"""The scripts that make the demonstration corpus import one another by bare names, as a script does."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3] / "scripts" / "demo_corpus"))
