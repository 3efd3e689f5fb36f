"""Noisy images, cleaned by a prior for their patches."""

from __future__ import annotations

from .._interface.wording import number
from ._arrays import Axes
from ._poisson import restore_counts
from ._progress import Progress
from ._restoration import Settings, restore
from ._rician import restore_magnitudes


def denoise(
    image,
    prior="photo",
    noise_std="auto",
    *,
    noise="gaussian",
    gain=1.0,
    method="auto",
    stride=2,
    remove_mean=None,
    channel_axis=None,
    stack_axis=None,
    data_range=None,
    reject_outliers=False,
    return_std=False,
    verbose=False,
):
    r"""Denoise an image by a prior for its patches.

    Parameters
    ----------
    image : array-like of shape (n_rows, n_columns), or with further axes of channels and slices
        The noisy image, in integers or floats. Where a pixel is NaN or masked (numpy's masked
        arrays) it is missing, and filled as `inpaint` does.

    prior : 'photo', estimator or None, default='photo'
        What clean patches look like. 'photo' is a mixture of 200 components of twelve photographs,
        which comes with skmix. A fitted denoiser has size² features, or size² times the number of
        channels. None learns a mixture of 20 components (fewer for less than 10 000 pixels) from
        the noisy image itself, the noise taken out.

    noise_std : float, array-like or 'auto', default='auto'
        Standard deviation of the noise, in units of the image: one number, one for each channel,
        or a map with one for each pixel or each value of the image (or of one slice of a stack).
        'auto' estimates it.

    noise : {'gaussian', 'poisson', 'rician'}, default='gaussian'
        'poisson' is for pixels that count photons: their variance is `gain` times their clean
        value, and that of Gaussian noise of `noise_std`, one number, comes on top ('auto' is
        none). Black must be 0: subtract an offset first. 'rician' is for magnitudes of complex
        numbers, such as those of magnetic resonance images, both parts of which have Gaussian
        noise of `noise_std`, one number; 'auto' estimates it.

    gain : float, default=1.0
        Units of the image per counted photon, with ``noise='poisson'``: the variance of a pixel
        divided by its mean. 1 where the pixels are counts.

    method : {'auto', 'similar', 'epll', 'mmse'}, default='auto'
        'mmse' denoises every patch once and averages the overlaps. 'epll' takes turns: patches
        are denoised, and the image is pulled towards them and towards the noisy one, with
        growing trust in the patches. 'auto' does so, adapts the prior to the result, and does so
        again; it is fast, as a patch meets few of the components in full. 'similar' goes on to
        look for similar patches in the result, and filters them by what they have in common:
        better, above all where something repeats, and it takes about twice as long.
        Priors without a mixture (`ICADenoiser`) have 'mmse' for 'auto' and 'similar'.

    stride : int, default=2
        Pixels from one patch to the next. Larger ones are faster and worse: a stride of 1 takes
        four times as long as the default and gains up to 0.1 dB by 'mmse', next to nothing by
        the others, which shift the patches from pass to pass.

    remove_mean : bool, default=None
        Whether the prior is for patches less their mean, which is put back afterwards. None
        takes what `fit_patch_prior` recorded, otherwise True.

    channel_axis : int, default=None
        The axis of the channels of a colour image; None for gray ones. A prior for gray patches
        denoises three channels in a basis of luminance and colour differences, one by one, and
        any other number of channels as they are. 'auto' and 'similar' treat the differences of
        colours more coarsely, with twice the stride and the prior as it is.

    stack_axis : int, default=None
        The axis of the slices of a stack, such as a volume, a film or a series of pictures; None
        for a single image. 'auto' and 'similar' adapt the prior to all slices together, and noise
        that is estimated is the median over them; each is then restored for itself.

    data_range : float, default=None
        The distance from black to white, in units of the image. None takes 255 for uint8, 65535
        for uint16, 1 for floats within about [-0.5, 1.5], and infers that of others from their
        values, with a warning. It counts where the prior knows its own. With Poisson noise None
        takes what the brightest areas have.

    reject_outliers : bool, default=False
        Whether to treat pixels as missing that the prior finds impossible given those around them:
        hot or dead ones of a sensor, cosmic rays, salt and pepper.

    return_std : bool, default=False
        Whether to return posterior standard deviations too.

    verbose : bool, default=False
        Whether to show how far the work is: a bar where rich is installed, otherwise a line every
        two seconds.

    Returns
    -------
    restored : ndarray of the shape and dtype of the image
        Integers are rounded, and clipped to what the dtype holds.

    std : ndarray of the shape of the image
        Posterior standard deviations of the pixels, in units of the image and in floating
        point. Only with ``return_std=True``.

    Raises
    ------
    TypeError
        If the prior is no denoiser: a mixture, a pipeline, a class.
    ValueError
        If the image is smaller than a patch or boolean, the prior does not fit, the noise is
        negative or its map of another shape, pixels are infinite, or counts or magnitudes are
        negative without Gaussian noise.

    Warns
    -----
    UserWarning
        If the noise level cannot be told from the image, `data_range` is inferred, or `gain` does
        not suit the image.

    See Also
    --------
    fit_patch_prior : Learns a prior from clean images.
    inpaint : Fills missing pixels.
    skimage.restoration.denoise_nl_means : Averages over similar patches.

    Notes
    -----
    Patches are visited in strips, so that memory does not grow with the image. EPLL minimises
    :math:`\frac{d}{2 \sigma^2} \|x - y\|^2 - \sum_i \log p(P_i x)` over images x by half-quadratic
    splitting with weights :math:`\beta \sigma^2 = 1, 4, 8, 16, 32`, d being the pixels of a
    patch. A patch is then restored by its most probable component alone; priors that are no
    Gaussian mixtures restore it by their `transform`, as 'mmse' does.

    'auto' adapts the mixture by three EM steps on patches of the restored image, in which noise of
    a quarter is taken to be left, means and covariances being held to those of the prior by 20
    pseudo-observations per component. It compares all components in 24 directions, and the eight
    likeliest in full. 'similar' finds groups of 40 similar patches within 30 pixels, twice: first
    it keeps those principal axes of noisy groups that noise alone does not have, as much of the
    image is repeated that the prior has smoothed away; then the mean of both results tells the
    groups, and the mean and covariance with which the noisy patches are filtered. The result of
    'auto' counts for 25 % of the end result. Where noise is stronger than 1.4 times the standard
    deviation of clean patches, similar patches are larger than those of the prior, up to half as
    large again. Both methods compute in single precision.

    With a map of the noise patches and pixels count in units of their own noise. Patches in which
    it differs by a third or more of the variance are restored by solving equations for each, their
    mean being inferred too; 'mmse' and `return_std` do so for every patch and component, which is
    slow with many components. In a basis of luminance and colour differences a part has the noise
    of its channels together.

    Poisson noise is made alike everywhere by the generalised Anscombe transform, removed as noise
    of standard deviation 1, and the result transformed back by the exact unbiased inverse, which a
    table of expectations gives up to 100 counts and a series beyond (Mäkitalo and Foi). Standard
    deviations are those of the transformed image times the slope of the inverse.

    Rician noise is made alike everywhere by the integral of one over its standard deviation, and
    comes back by a table of expectations of that (Foi): noise alone has a mean of 1.25 standard
    deviations, which a plain average keeps.

    An outlier is among the three highest or lowest of 5 x 5 pixels, more than four standard
    deviations of the noise away from their median, and more than six of prediction and noise away
    from what the prior predicts from the other pixels of its patches, suspects being filled there.

    The standard deviation of a pixel is the root of the mean of its posterior variances in all
    patches that it is in, that of the noise in a patch's mean included. If the prior is right,
    this is an upper bound for the error of the average of 'mmse', reached where the patches
    agree; the other methods have the same, by the prior as it is.

    References
    ----------
    D. Zoran, Y. Weiss, "From learning models of natural image patches to whole image
    restoration", ICCV 2011. :doi:`10.1109/ICCV.2011.6126278`

    E. Luo, S. H. Chan, T. Q. Nguyen, "Adaptive image denoising by mixture adaptation", IEEE
    Transactions on Image Processing 25(10), 2016. :doi:`10.1109/TIP.2016.2590318`

    M. Lebrun, A. Buades, J.-M. Morel, "A nonlocal Bayesian image denoising algorithm", SIAM
    Journal on Imaging Sciences 6(3), 2013. :doi:`10.1137/120874989`

    M. Mäkitalo, A. Foi, "Optimal inversion of the generalized Anscombe transformation for
    Poisson-Gaussian noise", IEEE Transactions on Image Processing 22(1), 2013.
    :doi:`10.1109/TIP.2012.2202675`

    A. Foi, "Noise estimation and removal in MR imaging: the variance-stabilization approach",
    IEEE International Symposium on Biomedical Imaging, 2011. :doi:`10.1109/ISBI.2011.5872758`

    Examples
    --------
    >>> import numpy as np
    >>> from skmix.image import denoise
    >>> clean = 128 + 80 * np.sin(np.add.outer(np.arange(60) / 5, np.arange(60) / 9))
    >>> noise = np.random.default_rng(0).normal(scale=20.0, size=clean.shape)
    >>> noisy = np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8)
    >>> restored = denoise(noisy)
    >>> restored.dtype
    dtype('uint8')
    >>> bool(np.mean((restored - clean) ** 2) < 0.2 * np.mean((noisy - clean) ** 2))
    True
    """
    settings = Settings.checked(method, stride, remove_mean, return_std, reject_outliers)
    axes = Axes(stack_axis, channel_axis)
    if not isinstance(noise, str) or noise not in ("gaussian", "poisson", "rician"):
        raise ValueError(f"noise must be 'gaussian', 'poisson' or 'rician', but is {noise!r}.")
    if noise != "poisson" and number(gain, "gain") != 1.0:
        raise ValueError(f"gain={gain!r} is for noise='poisson', but noise is {noise!r}.")
    with Progress("denoise", verbose) as progress:
        if noise == "poisson":
            restored, std = restore_counts(
                image, prior, gain, noise_std, axes, data_range, settings, progress
            )
        elif noise == "rician":
            restored, std = restore_magnitudes(
                image, prior, noise_std, axes, data_range, settings, progress
            )
        else:
            restored, std = restore(
                image, None, prior, noise_std, axes, data_range, settings, progress
            )
    return (restored, std) if settings.with_variance else restored
