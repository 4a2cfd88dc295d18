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
    reel       numbered frames on disk to a film
    steadiness how steady a film is, in numbers
"""
