"""A table is read once in a fit, and chunks of one are refused."""

import numpy as np
import pandas as pd
import pytest

from skmix import Chunks, MixtureOutlierDetector
from skmix._interface import frames


def test_a_frame_is_read_once_in_a_fit(monkeypatch):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": rng.normal(40.0, 9.0, 60), "sex": rng.choice(["f", "m"], 60)})
    read, reads = frames.read_frame, []
    monkeypatch.setattr(
        frames, "read_frame", lambda frame: reads.append(len(frame)) or read(frame)
    )
    detector = MixtureOutlierDetector(random_state=0).fit(X)
    assert reads.count(60) == 1
    assert detector.feature_names_in_.tolist() == ["age", "sex"]
    monkeypatch.undo()
    expected = MixtureOutlierDetector(random_state=0).fit(X)
    np.testing.assert_array_equal(detector.score_samples(X), expected.score_samples(X))
    # As a later fit to an array says of it.
    detector.fit(X[["age"]].to_numpy())
    assert not hasattr(detector, "feature_names_in_") and detector.n_features_in_ == 1


def test_chunks_are_refused():
    chunks = Chunks([np.zeros((5, 2)), np.ones((5, 2))])
    with pytest.raises(TypeError, match="takes no Chunks"):
        MixtureOutlierDetector().fit(chunks)
