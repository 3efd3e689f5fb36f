"""Exit with an error unless two wheels hold the same files: python .ci/same_wheel.py A B."""

import sys
import zipfile


def contents(path):
    """Return the files of a wheel."""
    with zipfile.ZipFile(path) as wheel:
        return {name: wheel.read(name) for name in wheel.namelist()}


first, second = (contents(path) for path in sys.argv[1:])
different = sorted(
    name for name in first.keys() | second.keys() if first.get(name) != second.get(name)
)
if different:
    sys.exit(f"The wheels differ in {different}.")
print(f"{len(first)} files, the same in both")
