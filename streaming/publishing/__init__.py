"""The encoded programme sent away: to RTMP and WHIP ingests, and to whoever reads MPEG-TS; a process for each."""
