/* The Jupyter kernel as one call: open, serve, close. */
#ifndef JUPYTER_KERNEL_H
#define JUPYTER_KERNEL_H

#include <stdbool.h>

#include "base/err.h"

/* Serve the front end of that connection file until it asks to shut down, a SIGTERM comes, or the
 * process that started us is gone. Blocks SIGINT and SIGTERM in this thread and those it starts;
 * call it in main, before other threads. false: the kernel could not start; *e says why. */
bool kernel_serve(const char *connection_file, struct err *e);

#endif
