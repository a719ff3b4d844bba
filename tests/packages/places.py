"""Where things are: importing it lets the tests import the modules of cross/pack."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "cross/pack"))
