"""What pytest finds in this folder: the examples of the pages, and no module of the site."""

from importlib.util import find_spec

collect_ignore_glob = ["*.py", "_build/*", "gallery/*", "api/generated/*"]
if find_spec("sklearn.callback") is None:  # scikit-learn has it from 1.9 on
    collect_ignore_glob.append("recipes/callbacks.md")
