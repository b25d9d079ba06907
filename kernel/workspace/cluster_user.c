/*
 * The operating system user of the servers. PostgreSQL refuses to run as root, so as root it is the package's `postgres`;
 * otherwise it is the caller. Only Linux: file system ids are by thread there, which is what enter/leave are about.
 */
#include "workspace/cluster_parts.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/xalloc.h"

#define SERVER_USER "postgres"

static bool look_up(const char *name, uid_t uid, struct passwd *pw, char *room, size_t size)
{
    struct passwd *found = NULL;
    int rc = name ? getpwnam_r(name, pw, room, size, &found) : getpwuid_r(uid, pw, room, size, &found);
    return rc == 0 && found;
}

bool server_user_find(struct server_user *u, struct err *e)
{
    char room[16384];
    struct passwd pw;
    *u = (struct server_user){.uid = geteuid(), .gid = getegid()};
    if (look_up(NULL, u->uid, &pw, room, sizeof room))
        snprintf(u->caller, sizeof u->caller, "%s", pw.pw_name);
    snprintf(u->name, sizeof u->name, "%s", u->caller);
    if (u->uid != 0)
        return true;
    if (!look_up(SERVER_USER, 0, &pw, room, sizeof room) || pw.pw_uid == 0) {
        err_set(e, ERR_CONFIG, "no operating system user '" SERVER_USER "' to run PostgreSQL as");
        err_hint(e, "install the package postgresql, or start the workspace as an ordinary user");
        return false;
    }
    u->switched = true;
    u->uid = pw.pw_uid;
    u->gid = pw.pw_gid;
    snprintf(u->name, sizeof u->name, "%s", SERVER_USER);
    return true;
}

void server_user_enter(const struct server_user *u)
{
    if (!u->switched)
        return;
    setfsgid(u->gid);
    setfsuid(u->uid);
    if ((uid_t)setfsuid((uid_t)-1) != u->uid)
        bug("cannot take the file system id of user %s", u->name);
}

void server_user_leave(const struct server_user *u)
{
    if (!u->switched)
        return;
    setfsuid(geteuid());
    setfsgid(getegid());
}

bool server_user_reaches(const struct server_user *u, const char *dir, struct err *e)
{
    struct stat st;
    server_user_enter(u);
    bool ok = stat(dir, &st) == 0;
    int saved = errno;
    server_user_leave(u);
    if (ok)
        return true;
    err_set(e, ERR_CONFIG, "the PostgreSQL servers run as user '%s', who cannot reach '%s': %s", u->name, dir,
            strerror(saved));
    err_hint(e, "make every folder above it searchable (chmod o+x), or set LAKEBASE_STATE_DIR to another place");
    return false;
}
