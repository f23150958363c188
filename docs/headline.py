"""Draws the README's figure of what a body adds, from the committed results of the longest runs.

python docs/headline.py
"""

from pathlib import Path

from findings.headline import svg

if __name__ == "__main__":
    Path(__file__).with_name("body.svg").write_text(svg(), encoding="utf-8")
