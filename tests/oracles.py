"""Slow implementations that share nothing with skmix: loops, two passes, SciPy's densities.

Covariances come in scikit-learn's shapes; `dense` gives them all the same one.
"""

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
