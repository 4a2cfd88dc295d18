"""Moving pictures: clips in, shots, motion, films out; knows no terminal.

A frame of a clip is an array (H, W, 3) of uint8, sRGB, upright and with square pixels, and has a
time in seconds on the clip's own clock: 0 is its first frame, whatever the file's stamps begin at.
Times are Fractions, never numbers of frames over a rate: many clips have no one rate.

    extra      the packages that this wing needs, or one line that says how to get them
    decoding   what PyAV reads: MP4, MOV, Matroska, WebM
    stills     what Pillow reads: GIF, WebP and PNG that move, and folders of numbered pictures
    clip       any of these as a Clip: its size, its times, its frames one by one
    shots      where one shot ends and the next begins
    flow       motion from frame to frame, how far it can be trusted, and pictures carried along it
    sound      a clip's sound, packet by packet
    kinds      the kinds of film that can be written
    muxing     pictures and sound into a container
    reel       numbered frames on disk to a film
    stretches  finished stretches of a film, encoded early, and joined
    order      which film, how, from when to when
    painting   a frame, from where the things of earlier ones are now
    masking    a mask that moves, and the film's frames
    kept       what of a shot is on disk
    shooting   a shot, painted by whoever takes it on
    crew       the seam to whoever paints shots: this process, others, other machines
    preview    a few frames, and how long all of them will take
    film       the whole
    steadiness how steady a film is, in numbers
"""
