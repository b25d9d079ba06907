"""The long counts use the helpers of the short ones."""
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / area) for area in ("workspace", "protocol")]
