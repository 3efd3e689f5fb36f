"""Small matrices, many at a time.

Factors and triangles (`matrices.py`), batches of blocks (`blocks.py`), square roots that stay
exact on nearly singular matrices (`roots.py`), and the one kernel for everything conditional:
Gaussians given some of their cells (`conditioner.py`; open it first). Imports `_rows` for scratch
memory only, never a family.
"""
