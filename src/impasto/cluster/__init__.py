"""Work on many machines, by Ray; knows nothing of what the work is, and no terminal.

The files here, each using only those above it:

    extra      the packages that it takes, and how Ray is kept quiet
    versions   what has to be the same on every machine
    probe      a process of its own that tries an address, since Ray may hang or die of one
    line       on a node: how a task tells where it stands, and hears that it is to end
    session    a cluster: connected to, its nodes' versions checked, what they have
    errands    tasks on their way: as many as nodes take, again where nodes die, cancelled together
"""
