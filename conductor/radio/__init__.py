"""Endless radio: what is drawn when nobody plans, and what is not played twice; pure, the time is given."""
