"""Training of classifiers, from a resolved recipe to an evaluated run.

``run.train`` calls, in this order: ``runs.load.load_recipe``, ``multi_run`` (only for repeats and folds),
``resolve.resolve`` (model, device and other values that need no data), ``setup.set_up_run`` (table, task, splits,
preprocessing), ``build.build`` (image cache, data module, Lightning module, values that need timings), ``fit.fit``
(``loop.run_loop``, Lightning's loop with the steps of ``module``) and ``evaluate_run.evaluate_run``.
"""
