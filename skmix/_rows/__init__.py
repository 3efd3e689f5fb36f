"""Where the rows live, and how they are visited.

A source hands out chunks of rows to the threads and adds up what comes back, the same to the bit
for any number of threads; equal rows are merged into weights. Imports numpy, scipy and what
limits threads, nothing of skmix. Open `sources.py` first, then `threads.py`, `chunked.py` for
rows that live in several places, and `parts.py` for rows that are visited in other processes.
"""
