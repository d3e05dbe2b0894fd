/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lock.c - locks between processes: a file below /run/xdplace, held by flock(2).
 *
 * The kernel drops the lock with the process that held it, however it ended. The file carries
 * the id of the context's map xp_lanes, which no other context has while this one lives. A file
 * that nobody holds may be removed by anyone at any time: who locks one looks whether it is still
 * the one of that name.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "context.h"

#define LOCK_ROOT "/run/xdplace"

static void lock_path(const struct xdplace *ctx, const char *what, char *path, size_t size)
{
	snprintf(path, size, LOCK_ROOT "/%u.%s", ctx->lanes_id, what);
}

/* Whoever only looks whether a lock is held holds it for a moment: ask more than once. */
#define TRIES 3
#define TRY_US 1000

/* The holder removes the file before it lets go: what was locked may no longer be the file. */
static bool still_there(int fd, const char *path)
{
	struct stat held, named;

	return !fstat(fd, &held) && !stat(path, &named) && held.st_ino == named.st_ino &&
	       held.st_dev == named.st_dev;
}

static int try_lock(int fd, bool wait)
{
	int tries = 1, err;

	while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB))) {
		err = errno;
		if (err == EINTR)
			continue;
		if (err != EWOULDBLOCK || tries++ == TRIES)
			return err;
		usleep(TRY_US);
	}
	return 0;
}

int xp_lock(const struct xdplace *ctx, const char *what, bool wait)
{
	char path[64];
	int fd, err;

	lock_path(ctx, what, path, sizeof(path));
	if (mkdir(LOCK_ROOT, 0755) && errno != EEXIST)
		return xp_fail(errno, "make directory " LOCK_ROOT " for lock files: %s",
			       strerror(errno));
	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			return xp_fail(errno, "open lock file %s: %s", path, strerror(errno));
		err = try_lock(fd, wait);
		if (!err && still_there(fd, path))
			return fd;
		close(fd);
		if (err == EWOULDBLOCK)
			return -EBUSY;
		if (err)
			return xp_fail(err, "lock %s: %s", path, strerror(err));
	}
}

/* Remove what processes that were killed have left behind. */
void xp_lock_sweep(void)
{
	char path[sizeof(LOCK_ROOT) + 257];
	struct dirent *entry;
	DIR *dir;
	int fd;

	dir = opendir(LOCK_ROOT);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), LOCK_ROOT "/%s", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		if (!flock(fd, LOCK_EX | LOCK_NB) && still_there(fd, path))
			unlink(path);
		close(fd);
	}
	closedir(dir);
}

void xp_unlock(const struct xdplace *ctx, const char *what, int fd)
{
	char path[64];

	if (fd < 0)
		return;
	lock_path(ctx, what, path, sizeof(path));
	unlink(path);
	close(fd);
}

int xp_lock_lane(const struct xdplace *ctx, uint32_t lane)
{
	char what[16];

	snprintf(what, sizeof(what), "lane%u", lane);
	return xp_lock(ctx, what, false);
}

void xp_unlock_lane(const struct xdplace *ctx, uint32_t lane, int fd)
{
	char what[16];

	snprintf(what, sizeof(what), "lane%u", lane);
	xp_unlock(ctx, what, fd);
}
