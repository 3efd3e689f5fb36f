"""What may come of a random call: a sound result, or an error that says what is wrong."""

import inspect
import re
import traceback

import numpy as np
from estimators import numbers
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

import skmix

# What scikit-learn says of rows without naming X; its own checks ask for this text.
ROWS = re.compile("^ValueError: (Found array with|Expected 2D array|Found input variables)")
PARTS = re.compile(
    r"\b(column|feature|chunk|image|mean|weight|covariance|precision)s?\b", re.IGNORECASE
)
# A text names what is to be done, or what is given beside what was wanted.
REMEDY = re.compile(
    r"\b(must|should|needs?|needed|require[sd]?|expect(s|ed|ing)|only|at least|between|instead|"
    r"pass|use|set|give|drop|leave|write|fill|fit|call|choose|divide|subtract|rename|scale|turn|"
    r"convert|decode|is for|valid parameters|but|contains?|inconsistent|duplicate|has no|"
    r"more than|is not equal)\b",
    re.IGNORECASE,
)


def same(before, after):
    return before.keys() == after.keys() and all(before[k] is after[k] for k in before)


def short(value):
    text = " ".join(repr(value).split())
    return text if len(text) < 60 else f"{text[:45]}... ({type(value).__name__})"


def where(error):
    """The end of a traceback, without the lines of arrays."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    lines = [f"{f.filename.split('site-packages/')[-1][-45:]}:{f.lineno} {f.line}" for f in frames]
    return "\n".join([*lines, f"{type(error).__name__}: {str(error)[:500]}"])


# Log probabilities of what cannot be, errors of what cannot be told, pixels as they are given.
PASSED_ON = {"extract_patches", "reconstruct"}
MAY_BE_INFINITE = PASSED_ON | {
    "FittedTransformedDensity.score_samples", "FittedTransformedDensity.score",
    "predict_log_proba", "standard_errors", "bootstrap", "kl_divergence", "quantile",
    "bivariate_residuals",
}  # fmt: skip
MAY_BE_NAN = PASSED_ON | {
    "standard_errors", "report", "estimate_noise_std", "sample", "impute", "inverse_transform",
    "transform", "goodness_of_fit", "bivariate_residuals",
}  # fmt: skip


def unsound(function, found, owner=None):
    """Say what is not finite, though it must be."""
    if function is skmix.Chunks:  # holds what it was given
        return ""
    if found is owner and "fit" not in function.__name__:
        return ""
    if isinstance(found, list | tuple) and any(isinstance(part, BaseEstimator) for part in found):
        return "".join(unsound(function, part) for part in found)
    if isinstance(found, BaseEstimator):
        found = [
            value
            for name, value in vars(found).items()
            if name
            in ("weights_", "means_", "covariances_", "precisions_", "variances_", "codes_")
        ]
    try:
        parts = numbers(found)
    except (TypeError, ValueError):
        return ""
    names = {function.__name__, function.__qualname__}
    for part in parts:
        if part.dtype.kind != "f":
            continue
        if np.isnan(part).any() and not names & MAY_BE_NAN:
            return f"NaN in the result of {function.__name__}: {short(part)}"
        if np.isinf(part).any() and not names & MAY_BE_INFINITE:
            return f"infinity in the result of {function.__name__}: {short(part)}"
    return ""


def unclear(error, function, owner, given):
    """Say why the text of an error does not help."""
    if not any("/skmix/" in f.filename for f in traceback.extract_tb(error.__traceback__)):
        return ""  # a method that scikit-learn alone has written
    if isinstance(error, np.linalg.LinAlgError | UnicodeError):
        return "an error of linear algebra or text"
    text = str(error)
    if not REMEDY.search(text):
        return "the error says no remedy"
    names = set(given) | set(inspect.signature(function).parameters)
    if owner is not None:
        names |= set(vars(owner))
    names |= {"X", "y", function.__name__}
    if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in names):
        return ""
    if PARTS.search(text):
        return ""
    if isinstance(error, NotFittedError) or ROWS.search(f"{type(error).__name__}: {text}"):
        return ""
    return "the error names no parameter or column"
