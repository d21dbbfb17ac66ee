"""The voices that pyo plays: tables, strings, drums, and the orchestra made of them."""

import os

# Before pyo is imported by any room here: no window toolkit.
os.environ.setdefault("PYO_GUI_WX", "0")
