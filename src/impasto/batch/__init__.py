"""Many pictures: every photograph after every painting, each with the bytes of `impasto stylize`.

It knows no terminal. The files here, each using only those above it:

    listing    what people name, files, folders, patterns and tables, to one row a picture
    orders     rows to orders with names of their own, nothing of which overwrites another
    crew       whoever carries orders out: orders in, events out; the seam to other machines
    there      what is there already, and whether it is what would be made
    slots      in a worker: reading and writing while another one computes
    local      a crew of processes on this machine
    shots      in a worker: a shot of a film, for which the room video has the seam
    shot_crew  a crew of processes for a film's shots
    rehearsal  what can be found wrong before the work; how many processes pay and fit
    record     what came of each picture: a table, and contact sheets
    batch      the whole
"""
