"""What reading an array from a file that was cut, changed or made up may end in."""

import tokenize
import zipfile

# Longer headers of arrays are no descriptions of plain numbers, and take long to read.
MAX_HEADER = 1000

BROKEN = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    SyntaxError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    OverflowError,
    UnicodeError,
    tokenize.TokenError,  # of numpy, which repairs headers written by Python 2
    zipfile.BadZipFile,
)
