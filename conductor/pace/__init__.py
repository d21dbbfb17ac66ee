"""Composing keeps up with the programme, or does less by rule: never a late start.

`effort`: how much may be done for a piece, from all that was asked for down to a single candidate with a short memory;
`learning`: how long that takes, as it went so far; `choosing`: the most that is there in time.
"""
