"""From a folder of annotated head CTs to a bundled model folder, with nnU-Net's own code.

Commands (``python -m CTADefaceLib.training --help``): ``prepare`` writes an nnU-Net raw dataset
with synthetic variants of every head, ``train`` plans, preprocesses and trains (resumable),
``package`` writes the model folder that the extension ships.
"""
