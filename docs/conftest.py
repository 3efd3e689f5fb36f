"""What pytest finds in this folder: the examples of the pages, and no module of the site."""

collect_ignore_glob = ["*.py", "_build/*", "gallery/*", "api/generated/*"]
