"""Slow implementations that share nothing with skmix: loops, two passes, SciPy's densities.

Covariances come in scikit-learn's shapes; `dense` gives them all the same one.
"""

import tracemalloc

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal


def dense(covariance_type, covariances, n_components, n_features):
    """Covariances of any type as matrices, (n_components, n_features, n_features)."""
    matrices = np.empty((n_components, n_features, n_features))
    for k in range(n_components):
        if covariance_type == "full":
            matrices[k] = covariances[k]
        elif covariance_type == "tied":
            matrices[k] = covariances
        elif covariance_type == "diag":
            matrices[k] = np.diag(covariances[k])
        elif covariance_type == "spherical":
            matrices[k] = covariances[k] * np.eye(n_features)
    return matrices


def weighted_log_prob(X, weights, means, matrices):
    """Log weight + log density of every component, (n_samples, n_components)."""
    log_prob = np.empty((len(X), len(weights)))
    for k, (weight, mean, matrix) in enumerate(zip(weights, means, matrices, strict=True)):
        log_prob[:, k] = np.log(weight) + multivariate_normal(mean, matrix).logpdf(X)
    return log_prob


def log_density(X, weights, means, matrices):
    """Log density of the mixture, (n_samples,)."""
    return logsumexp(weighted_log_prob(X, weights, means, matrices), axis=1)


def e_step(X, weights, means, matrices):
    """Log density (n_samples,) and responsibilities (n_samples, n_components)."""
    log_prob = weighted_log_prob(X, weights, means, matrices)
    norm = logsumexp(log_prob, axis=1)
    return norm, np.exp(log_prob - norm[:, None])


def classify(log_prob):
    """Largest term of every row, and zeros with a one where it stands, the first of equals."""
    one_hot = np.zeros(log_prob.shape)
    largest = np.empty(len(log_prob))
    for i, row in enumerate(log_prob.tolist()):
        largest[i] = max(row)
        one_hot[i, row.index(max(row))] = 1.0
    return largest, one_hot


def m_step(covariance_type, X, resp, sample_weight=None, reg_covar=0.0, shrinkage=0.0):
    """Weights, means and covariances, row by row: means first, then squares about them."""
    X = np.asarray(X, dtype=np.float64)
    n_samples, n_features = X.shape
    n_components = resp.shape[1]
    if sample_weight is None:
        sample_weight = np.ones(n_samples)
    counts = np.zeros(n_components)
    means = np.zeros((n_components, n_features))
    scatter = np.zeros((n_components, n_features, n_features))
    for k in range(n_components):
        for i in range(n_samples):
            counts[k] += sample_weight[i] * resp[i, k]
            means[k] += sample_weight[i] * resp[i, k] * X[i]
        means[k] /= counts[k]
        for i in range(n_samples):
            deviation = X[i] - means[k]
            scatter[k] += sample_weight[i] * resp[i, k] * np.outer(deviation, deviation)
    weights = counts / counts.sum()
    if covariance_type == "tied":
        covariance = scatter.sum(axis=0) / counts.sum()
        return weights, means, covariance + reg_covar * np.eye(n_features)
    empirical = [scatter[k] / counts[k] for k in range(n_components)]
    pooled = sum(weights[k] * empirical[k] for k in range(n_components))
    covariances = []
    for k in range(n_components):
        covariance = counts[k] * empirical[k] + shrinkage * pooled
        covariance = covariance / (counts[k] + shrinkage) + reg_covar * np.eye(n_features)
        if covariance_type == "diag":
            covariance = np.diag(covariance)
        elif covariance_type == "spherical":
            covariance = np.trace(covariance) / n_features
        covariances.append(covariance)
    return weights, means, np.array(covariances)


def conditional(X, weights, means, matrices):
    """Row by row, what observed cells say of the missing ones (NaN).

    Returns the log density of the observed cells (n_samples,), responsibilities (n_samples, K),
    expected rows (n_samples, K, d) and their covariances (n_samples, K, d, d), zero for what is
    observed.
    """
    n_samples, n_features = X.shape
    log_prob = np.empty((n_samples, len(weights)))
    expected = np.empty((n_samples, len(weights), n_features))
    covariances = np.zeros((n_samples, len(weights), n_features, n_features))
    for i, row in enumerate(np.asarray(X, dtype=np.float64)):
        o = np.flatnonzero(~np.isnan(row))
        m = np.flatnonzero(np.isnan(row))
        for k, (weight, mean, matrix) in enumerate(zip(weights, means, matrices, strict=True)):
            log_prob[i, k] = np.log(weight)
            expected[i, k] = np.where(np.isnan(row), mean, row)
            covariances[i, k][np.ix_(m, m)] = matrix[np.ix_(m, m)]
            if len(o):
                log_prob[i, k] += multivariate_normal(mean[o], matrix[np.ix_(o, o)]).logpdf(row[o])
                gain = matrix[np.ix_(m, o)] @ np.linalg.inv(matrix[np.ix_(o, o)])
                expected[i, k, m] += gain @ (row[o] - mean[o])
                covariances[i, k][np.ix_(m, m)] -= gain @ matrix[np.ix_(o, m)]
    norm = logsumexp(log_prob, axis=1)
    return norm, np.exp(log_prob - norm[:, None]), expected, covariances


def completed_m_step(covariance_type, resp, expected, covariances, sample_weight=None):
    """Weights, means and covariances from expected rows and their covariances."""
    if sample_weight is not None:
        resp = resp * sample_weight[:, None]
    counts = resp.sum(axis=0)
    means = np.einsum("ik,ikd->kd", resp, expected) / counts[:, None]
    deviations = expected - means
    scatter = np.einsum("ik,ikd,ike->kde", resp, deviations, deviations)
    scatter += np.einsum("ik,ikde->kde", resp, covariances)
    weights = counts / counts.sum()
    if covariance_type == "tied":
        return weights, means, scatter.sum(axis=0) / counts.sum()
    scatter /= counts[:, None, None]
    if covariance_type == "full":
        return weights, means, scatter
    variances = np.diagonal(scatter, axis1=1, axis2=2)
    return weights, means, variances if covariance_type == "diag" else variances.mean(axis=1)


def posterior(resp, expected, covariances):
    """Mean and standard deviation of every cell over all components."""
    mean = np.einsum("ik,ikd->id", resp, expected)
    spread = np.diagonal(covariances, axis1=2, axis2=3) + (expected - mean[:, None]) ** 2
    return mean, np.sqrt(np.einsum("ik,ikd->id", resp, spread))


def categorical_log_prob(codes, weights, probabilities):
    """Log weight + log probability of the observed codes, (n_samples, n_components)."""
    log_prob = np.empty((len(codes), len(weights)))
    for i, row in enumerate(codes):
        for k, weight in enumerate(weights):
            log_prob[i, k] = np.log(weight)
            for j, code in enumerate(row):
                if code >= 0:
                    log_prob[i, k] += np.log(probabilities[j][k, code])
    return log_prob


def categorical_em_step(codes, sample_weight, weights, probabilities, alpha=0.0, hard=False):
    """One iteration by loops: total log-likelihood, new weights and probabilities."""
    log_prob = categorical_log_prob(codes, weights, probabilities)
    norm = logsumexp(log_prob, axis=1)
    resp = np.exp(log_prob - norm[:, None])
    if hard:
        norm, resp = classify(log_prob)
    resp = resp * sample_weight[:, None]
    new = []
    for j, table in enumerate(probabilities):
        counts = np.full(table.shape, alpha)
        for i, code in enumerate(codes[:, j]):
            if code >= 0:
                counts[:, code] += resp[i]
        new.append(counts / counts.sum(axis=1, keepdims=True))
    return sample_weight @ norm, resp.sum(axis=0) / sample_weight.sum(), new


def within_intervals(values, weight, n_intervals):
    """Least variance within intervals of values, by dynamic programming over all cuts."""
    order = np.argsort(values)
    x, w = values[order], weight[order]
    n = len(x)
    within = np.zeros((n + 1, n + 1))
    for start in range(n):
        mass = np.cumsum(w[start:])
        moved = x[start:] - x[start]
        mean = np.cumsum(w[start:] * moved) / mass
        within[start, start + 1 :] = np.cumsum(w[start:] * moved**2) - mass * mean**2
    best = within[0]
    for _ in range(n_intervals - 1):
        best = (best[:, None] + np.where(np.tri(n + 1, k=-1).T > 0, within, np.inf)).min(axis=0)
        best[0] = 0.0
    return max(best[n], 0.0) / w.sum()


def peak_memory(task):
    """Bytes at the peak of a task beyond those before it; NumPy reports its arrays."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        task()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
