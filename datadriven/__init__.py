"""Data-driven models as a pure library: counts, exact Markov, Shapley, a learned model, credits, uncertainty.

No IO and no clock. ``paths``, ``counts``, ``shapley``, ``parameters``, ``credits`` and ``bootstrap`` need numpy only,
so a worker that only reads fitted parameters needs no more; ``markov`` needs SciPy, ``learned`` scikit-learn (extra
``learn``).
"""
