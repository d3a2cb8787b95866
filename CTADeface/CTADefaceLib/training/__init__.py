"""From annotated head CTs to a model folder that the extension can use, with nnU-Net's own code.

``cta-deface train add`` collects corrected masks in an nnU-Net raw dataset (``collect``); ``cta-deface train run``
makes synthetic variants of every head (``dataset``, ``variants``, ``synthesis``), trains from a model or from scratch
(``trainer``), writes the model folder and measures both models on the heads held back (``trained_model``).
``docs/training.md`` is the tutorial.
"""
