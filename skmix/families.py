"""Components of one's own: what a mixture asks of a family of densities.

Most densities in use are exponential families: their log density is linear in features of a row.
Such a component is a subclass of :class:`LinearFamily` of about twenty lines, and
:class:`skmix.Mixture` fits it. Others answer the protocol :class:`Family` themselves:

- A **family** maps parameters to a form, and statistics to parameters. It is made once per fit,
  by ``family_factory(n_features)``. Parameters are a `NamedTuple` of arrays with a field
  `weights` of shape (n_components,).
- A **form** is what one pass over the rows needs, made once per pass: it turns a chunk of rows
  into features, features into log densities, and features with responsibilities into
  *statistics*, a list of float64 arrays that add up over chunks.

A pass visits chunks on several threads at a time. A form must therefore not change itself in
`features`, `log_density`, `row_term` or `add`; memory that it needs in each of them comes from
``scratch.array(name, shape, dtype)``, which gives every thread its own and is not initialised.

Beyond the methods of :class:`Family`, :class:`skmix.Mixture` needs of a family

- ``starts(X, sample_weight, n_components, random_state)``: yields parameters to start from, given
  distinct rows and their weights. They compete in short runs of EM, unless there is only one.

and takes, where a family has them,

- ``allow_nan``, an attribute: whether rows may have missing cells (NaN). Without it they may not.
- ``for_rows(source)``: returns the family for a fit to these rows, for what has to be known of all
  of them, such as `Form.row_term_total`. ``source.gather(say, bytes_per_row)`` lists
  what ``say(chunk, scratch)`` returns for every chunk, which has ``chunk.X`` and
  ``chunk.sample_weight`` (None stands for ones). Chunks may live in other processes.
- ``concession(params, update, total_weight)``: by how much, in nats per row, `maximize` may let
  the likelihood fall from `params` to their `update` because it heeds a prior: what the log prior
  gains, divided by `total_weight`. A fit in which the likelihood falls by more warns.
- ``magnitude(params, source)``: the mean size of the terms of a row's log density (nats), for what
  of a fall is rounding. :class:`LinearFamily` has it.
- the methods of :class:`Extrapolating`: EM is then accelerated by squared extrapolation.
"""

from ._families import Extrapolating, Family, Form, LinearFamily, LinearStatistics

__all__ = ["Extrapolating", "Family", "Form", "LinearFamily", "LinearStatistics"]
