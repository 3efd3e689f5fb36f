"""Write the table of figures in README.md, from the JSON files that benchmarks wrote.

    python docs/readme_figures.py

The table stands between the marks ``<!-- figures -->`` and ``<!-- /figures -->``. A test compares
it with what this script would write.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

from benchmark_rows import load, markdown, matches, show  # noqa: E402

README = HERE.parent / "README.md"
# Each line: what, the page, then for skmix and for the other the file, the table, the row, the
# value and its format; and what the other is.
FIGURES = [
    (
        "one EM iteration, 200 000 x 20 rows, 50 diagonal components",
        "benchmarks/index.md",
        (
            "compare_sklearn",
            "iteration",
            {"case": "diagonal, 200 000 x 20, K=50", "dtype": "float64"},
        ),
        ("skmix: ms", "{:.4g} ms"),
        ("ratio", "scikit-learn {:.3g} times as long"),
    ),
    (
        "one EM iteration, 100 000 x 32 rows, 16 full components",
        "benchmarks/index.md",
        ("compare_sklearn", "iteration", {"case": "full, 100 000 x 32, K=16", "dtype": "float64"}),
        ("skmix: ms", "{:.4g} ms"),
        ("ratio", "scikit-learn {:.3g} times as long"),
    ),
    (
        "seeds at the best likelihood, diabetes data, K=3",
        "benchmarks/index.md",
        ("optima", "small", {"shape": "diabetes, 145 x 3, K=3"}),
        ("skmix: share", "{:.0%}"),
        ("scikit-learn: share", "scikit-learn {:.0%}"),
    ),
    (
        "latent class analysis of mushrooms, K=10, default fit",
        "guide/latent_classes.md",
        ("latent_classes", "speed", {"case": "mushroom, 8124 x 22, K=10"}),
        ("fit_seconds", "{:.1f} s"),
        ("stepmix_fit_seconds", "StepMix, 20 starts, {:.0f} s"),
    ),
    (
        "test accuracy on MNIST, chosen by cross-validation",
        "guide/classify.md",
        ("classify_images", "accuracy", {"set": "mnist", "model": "chosen"}),
        ("accuracy", "{:.4f}"),
        None,
    ),
    (
        "palette of 64 colours, flower.jpg",
        "guide/compress.md",
        ("compress_images", "palettes", {"pictures": "flower.jpg", "colours": "64"}),
        ("skmix_db", "{:.2f} dB"),
        ("pillow_db", "Pillow {:.2f} dB"),
    ),
    (
        "cameraman, blurred and noisy, sharpened",
        "guide/images.md",
        ("invert_photos", "photos", {"photo": "set12[0]"}),
        ("deblur_db", "{:.2f} dB"),
        ("wiener_db", "Wiener filter {:.2f} dB"),
    ),
]


def table():
    """The table in Markdown."""
    body = []
    for what, page, (name, table_name, where), ours, theirs in FIGURES:
        found = load(name, table_name)
        (row,) = (row for row in found["rows"] if matches(row, where))
        other = show(row[theirs[0]], theirs[1]) if theirs else ""
        body.append([f"[{what}](docs/{page})", show(row[ours[0]], ours[1]), other])
    return markdown(["", "skmix", "beside"], body)


def updated(text):
    """The text of README.md with the table of now."""
    return re.sub(
        r"(<!-- figures -->\n).*?(\n<!-- /figures -->)",
        lambda match: f"{match[1]}\n{table()}\n{match[2]}",
        text,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")
