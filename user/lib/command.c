/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * command.c - calls into the kernel side: commands to xp_control, reading array maps.
 */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "context.h"

int xp_command(struct xdplace *ctx, struct xp_command *command)
{
	struct xp_command answer;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = command, .data_size_in = sizeof(*command),
		    .data_out = &answer, .data_size_out = sizeof(answer));
	int err;

	memset(&answer, 0, sizeof(answer));
	err = bpf_prog_test_run_opts(ctx->control, &run);
	if (err)
		return xp_fail(-err, "run command %u in the kernel: %s", command->code,
			       strerror(-err));
	if (run.data_size_out != sizeof(answer))
		return xp_fail(EPROTO, "command %u came back with %u bytes", command->code,
			       run.data_size_out);
	*command = answer;
	return answer.result;
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
