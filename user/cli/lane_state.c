/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lane_state.c - in: an open context, a lane. Out: how full its rings are and who consumes it.
 *
 * The public interface shows a lane to its consumer alone. This looks at the shared words from
 * outside and changes nothing: the one place of the CLI that uses the library's private header.
 * All words move while they are read; the figures are a glance, not an account.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "context.h"
#include "lane_state.h"

/* /proc/locks: "3: FLOCK  ADVISORY  WRITE 4711 00:19:1234 0 EOF" */
static bool parse_lock(const char *line, pid_t *pid, dev_t *device, uint64_t *inode)
{
	unsigned major_number, minor_number;

	if (sscanf(line, "%*u: FLOCK %*s WRITE %d %x:%x:%" SCNu64, pid, &major_number,
		   &minor_number, inode) != 4)
		return false;
	*device = makedev(major_number, minor_number);
	return true;
}

static pid_t find_holder(const struct stat *file)
{
	FILE *locks = fopen("/proc/locks", "re");
	pid_t pid = 0, found = 0;
	char line[256];
	uint64_t inode;
	dev_t device;

	if (!locks)
		return 0;
	while (!found && fgets(line, sizeof(line), locks))
		if (parse_lock(line, &pid, &device, &inode) && inode == file->st_ino &&
		    device == file->st_dev)
			found = pid;
	fclose(locks);
	return found;
}

/* Trying the lock would tell as well, but a consumer that starts just then would be refused. */
static pid_t consumer(const struct xdplace *ctx, uint32_t lane)
{
	struct stat file;
	char path[64];

	snprintf(path, sizeof(path), "/run/xdplace/%u.lane%u", ctx->lanes_id, lane);
	return stat(path, &file) ? 0 : find_holder(&file);
}

void lane_state(const struct xdplace *ctx, uint32_t lane, struct lane_state *state)
{
	const volatile struct xp_lane *shared = &ctx->lanes[lane];

	state->waiting = shared->produced - shared->consumed;
	state->sleeping = shared->need_wakeup;
	state->free_hot = (shared->hot_produced - shared->hot_consumed) * XP_FREE_GROUP;
	state->free_cold = (shared->cold_produced - shared->cold_consumed) * XP_FREE_GROUP;
	state->consumer = consumer(ctx, lane);
}
