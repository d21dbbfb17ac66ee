"""The voices that pyo plays: tables, strings, drums, and the orchestra made of them."""
