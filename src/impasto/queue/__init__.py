"""A queue that survives: a job is a folder on disk, and whoever dies goes on where it stood.

It knows no page and no terminal. The files here, each using only those above it:

    task      what is to be done, and how far it has come; both as JSON
    store     where jobs are kept: the queue is a folder, a job a folder in it
    reporter  how work tells where it stands and hears what is wished of it
    picture   the work itself, where it is a picture
    worker    a process that takes jobs in turn
    pool      the processes, watched and started again
"""
