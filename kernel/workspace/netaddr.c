/*
 * Loopback addresses (see netaddr.h): whether one is free is asked by binding, as the server will. It is no
 * reservation: who loses the race to another process asks again.
 */
#include "workspace/netaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { POSTGRES_PORT = 5432, TRIES = 64 };

/* The port that was bound, or 0. port 0: any. SO_REUSEADDR as PostgreSQL sets it: connections that
 * linger from a server that stopped do not count, a listener does. */
static int try_listen(const char *address, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, address, &a.sin_addr) != 1 || (ntohl(a.sin_addr.s_addr) >> 24) != 127)
        return 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, got = 0;
    socklen_t len = sizeof a;
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 1) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &len) == 0)
        got = ntohs(a.sin_port);
    if (fd >= 0)
        close(fd);
    return got;
}

bool netaddr_free(const char *address, int port) { return port > 0 && port < 65536 && try_listen(address, port) > 0; }

/* FNV-1a: spreads addresses; nothing depends on it being hard to guess */
static uint32_t hash(const char *text)
{
    uint32_t h = 2166136261u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h;
}

static bool use(char address[NETADDR_LEN], int *port, const char *chosen, int wanted)
{
    int got = try_listen(chosen, wanted);
    if (got > 0) {
        snprintf(address, NETADDR_LEN, "%s", chosen);
        *port = got;
    }
    return got > 0;
}

bool netaddr_choose(char address[NETADDR_LEN], int *port, const char *seed, struct err *e)
{
    if (address[0] && netaddr_free(address, *port ? *port : POSTGRES_PORT)) {
        *port = *port ? *port : POSTGRES_PORT;
        return true;
    }
    uint32_t h = hash(seed);
    char first[NETADDR_LEN] = "", candidate[NETADDR_LEN];
    for (int i = 0; i < TRIES; i++, h = h * 1664525u + 1013904223u) {
        /* never .0 or .255 at the end: some tools take them for a network */
        snprintf(candidate, sizeof candidate, "127.%u.%u.%u", 64 + (h >> 24) % 64, (h >> 16) & 255, 1 + (h >> 8) % 254);
        if (i == 0)
            snprintf(first, sizeof first, "%s", candidate);
        if (use(address, port, candidate, POSTGRES_PORT))
            return true;
    }
    if (use(address, port, first, 0) || use(address, port, "127.0.0.1", 0))
        return true;
    return err_set(e, ERR_UNAVAILABLE, "no loopback address of this machine has a free port");
}
