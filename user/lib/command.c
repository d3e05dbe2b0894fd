/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * command.c - calls into the kernel side: commands to xp_control, reading array maps.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>

#include <bpf/bpf.h>

#include "context.h"

/*
 * On Linux 6.1 (no more on 6.6) packets can interrupt a command on its own CPU, on PREEMPT_RT
 * preempt it. They meet a lane held by somebody who can't go on before they are through: all that
 * come in one go are lane_busy, which in a tapped stream is a gap.
 */
static bool interrupted(void)
{
	static int known; /* 1: yes, 2: no; the same for all threads */
	unsigned int major = 0, minor = 0;
	struct utsname name;

	if (!known) {
		uname(&name);
		sscanf(name.release, "%u.%u", &major, &minor);
		known = major < 6 || (major == 6 && minor < 6) ? 1 : 2;
	}
	return known == 1;
}

/*
 * As a live frame a command has bottom halves disabled. It does not come back; who gives commands
 * at the same time, here or in another process, has another token.
 */
static int run_undisturbed(struct xdplace *ctx, struct xp_command *command)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = command, .data_size_in = sizeof(*command),
		    .repeat = 1, .batch_size = 1, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	struct xp_answer answer;
	int err;

	do {
		if (getrandom(&command->token, sizeof(command->token), 0) < 0)
			return -errno;
	} while (!command->token);
	err = bpf_prog_test_run_opts(ctx->control, &run);
	if (err)
		return err;
	err = bpf_map_lookup_and_delete_elem(ctx->map[XP_MAP_ANSWERS], &command->token, &answer);
	if (err)
		return err;
	command->result = answer.result;
	command->handle = answer.handle;
	return 0;
}

static int run_plainly(struct xdplace *ctx, struct xp_command *command)
{
	struct xp_command answer;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = command, .data_size_in = sizeof(*command),
		    .data_out = &answer, .data_size_out = sizeof(answer));
	int err;

	memset(&answer, 0, sizeof(answer));
	err = bpf_prog_test_run_opts(ctx->control, &run);
	if (err)
		return err;
	if (run.data_size_out != sizeof(answer))
		return -EPROTO;
	*command = answer;
	return 0;
}

int xp_command(struct xdplace *ctx, struct xp_command *command)
{
	int err = interrupted() ? run_undisturbed(ctx, command) : run_plainly(ctx, command);

	return err ? xp_fail(-err, "run command %u in the kernel: %s", command->code,
			     strerror(-err))
		   : command->result;
}

static int read_one_by_one(int fd, uint32_t first, uint32_t count, uint8_t *values, size_t size)
{
	uint32_t i, key;
	int err;

	for (i = 0; i < count; i++) {
		key = first + i;
		err = bpf_map_lookup_elem(fd, &key, values + i * size);
		if (err)
			return err;
	}
	return 0;
}

/* Batches hand out the key to go on from: for an array, the key before the next. */
int xp_map_read(int fd, uint32_t first, uint32_t count, void *values, size_t value_size)
{
	uint32_t keys[256], before = first - 1, next, n, done = 0;
	uint8_t *to = values;
	int err;

	while (done < count) {
		n = count - done < 256 ? count - done : 256;
		err = bpf_map_lookup_batch(fd, first + done ? &before : NULL, &next, keys,
					   to + done * value_size, &n, NULL);
		if ((err && err != -ENOENT) || !n)
			return read_one_by_one(fd, first + done, count - done,
					       to + done * value_size, value_size);
		done += n;
		before = first + done - 1;
	}
	return 0;
}
