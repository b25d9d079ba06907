/*
 * The processes that this one started and that still run. Needed once: when the kernel must leave
 * while a cell does not stop (a program that ignores the interrupt), nothing of it may stay behind.
 */
#ifndef JUPYTER_CHILDREN_H
#define JUPYTER_CHILDREN_H

/* SIGKILL to every child, with its process group where it leads one. */
void children_kill(void);

#endif
