/* A run of bytes that somebody else owns: one frame of a ZeroMQ multipart message. */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <stddef.h>

struct frame {
    const void *data;
    size_t len;
};

#endif
