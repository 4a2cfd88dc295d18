"""The studio: a page in the browser on which a photograph is repainted, watched, steered and kept.

It writes nothing of the engine twice: what a setting may be comes from config.py, what it is for
from words.py, the work is queue/'s. From what is known to what is shown:

    widgets    settings as a page offers them: label, help, range, choices
    access     who may come in, and who somebody is
    shelf      paintings: the built-in ones, and a person's own
    brush      what was painted with the brush to a mask, and back
    lines      the command and the Python lines that make a picture again
    forecast   how long a picture will take, and how much memory, before
    clips      a clip repainted: all that is asked of video/
    kinds      what the queue's workers do besides pictures: film, report, measures, a clip
    desk       all that a person does here, without a page
    views      jobs as the page's script hears of them
    groups     many photographs that came together, as one
    downloads  results to take away: in another format, or many in one archive
    routes     pictures, status and buttons over HTTP, each for its owner only
    parts      Gradio's parts, and a few of our own
    *_tab, api the tabs, and what programs may call
    page       the page itself
    server     the page, its routes and the workers together
"""
