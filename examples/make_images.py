"""Make the small pictures of the gallery, examples/README.md, by running the examples.

    python examples/make_images.py                          # of every example
    python examples/make_images.py plot_inpainting          # of those named

Each example runs in a temporary folder; its figure is made 640 pixels wide and saved in
examples/images/ with as many colours, at most 128, as fit into 60 kB. Examples on larger real data
look for them in the folder named by SKMIX_DATA and are left out without it. Pillow is needed.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).resolve().parent
WIDTH = 640
MAX_BYTES = 60_000


def names():
    return ["quickstart", *sorted(path.stem for path in FOLDER.glob("plot_*.py"))]


def run(name):
    """The figure that an example writes; None where it writes none."""
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parent)}
    with tempfile.TemporaryDirectory() as scratch:
        script = str(FOLDER / f"{name}.py")
        subprocess.run([sys.executable, script], cwd=scratch, env=environment, check=True)
        for written in Path(scratch).glob("*.png"):
            return Image.open(written).convert("RGB")


def encode(figure):
    """The bytes of the figure as a small png."""
    size = (WIDTH, round(figure.height * WIDTH / figure.width))
    small = figure.resize(size, Image.Resampling.LANCZOS)
    for n_colours in (128, 96, 64, 48, 32, 16):
        file = io.BytesIO()
        palette = small.quantize(n_colours, kmeans=1, dither=Image.Dither.NONE)
        palette.save(file, "png", optimize=True)
        if len(file.getvalue()) <= MAX_BYTES:
            break
    return file.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("examples", nargs="*", metavar="NAME", help=", ".join(names()))
    for name in parser.parse_args().examples or names():
        figure = run(name)
        if figure is None:
            print(f"{name} wrote no figure: its picture is left as it is\n", flush=True)
            continue
        path = FOLDER / "images" / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode(figure))
        print(
            f"{path.relative_to(FOLDER.parent)}: {path.stat().st_size / 1000:.0f} kB\n", flush=True
        )


if __name__ == "__main__":
    main()
