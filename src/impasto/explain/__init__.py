"""One page that explains a picture: what the network saw, what each layer holds, what pulled where.

Every figure is made from runs on the two pictures at hand. The files here, each using only those
above it:

    figures   numbers and maps from tensors
    runs      the optimisations, each kept on disk, so that a stopped report goes on
    findings  what the runs came to: every number of the page
    drawing   pictures and heat maps as data inside the page
    charts    line charts and the network's drawing
    page      the template, filled
    report    what is asked for, and the files that come of it
"""

from impasto.explain.report import Report, explain, prepare, write
from impasto.explain.runs import KEPT, Effort, Run, Study, obtained

__all__ = ["KEPT", "Effort", "Report", "Run", "Study", "explain", "obtained", "prepare", "write"]
