/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verifier_counts.c - what the programs cost the verifier, in the configurations that change
 * what it sees: knobs remove code, sizes change constants.
 *
 * In:  nothing; loads, attaches nothing.
 * Out: a line "CONFIGURATION PROGRAM INSTRUCTIONS" for each program of each configuration, where
 *      INSTRUCTIONS is how many the verifier has walked (its limit is 1000000).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <xdplace/transmit.h>

#define MAX_MAPS 64

static const struct configuration {
	const char *name;
	struct xdplace_opts opts;
} configurations[] = {
	{"default", {0}},
	{"no-checksum", {.no_checksum = true}},
	{"no-pickup", {.no_pickup = true}},
	{"xsk", {.frames_xsk = true}},
	{"large",
	 {.umem_size = 1ull << 30,
	  .area_size = 32768,
	  .flows = 1u << 17,
	  .lanes = 8,
	  .ring = 65536}},
	{"small", {.umem_size = 1 << 20, .flows = 16, .lanes = 1, .ring = 1024, .window = 65536}},
};

struct found {
	const char *name;
	uint32_t id;
};

static int match(void *arg, const struct xdplace_found *context)
{
	struct found *found = arg;

	if (strcmp(context->name, found->name))
		return 0;
	found->id = context->prog_id;
	return 1;
}

static int get_info(uint32_t id, struct bpf_prog_info *info, uint32_t *maps)
{
	uint32_t len = sizeof(*info);
	int fd, err;

	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return -errno;
	memset(info, 0, sizeof(*info));
	info->nr_map_ids = MAX_MAPS;
	info->map_ids = (uintptr_t)maps;
	err = bpf_obj_get_info_by_fd(fd, info, &len);
	close(fd);
	return err;
}

static bool share(const uint32_t *a, uint32_t a_count, const uint32_t *b, uint32_t b_count)
{
	uint32_t i, j;

	for (i = 0; i < a_count; i++)
		for (j = 0; j < b_count; j++)
			if (a[i] == b[j])
				return true;
	return false;
}

/* The programs of a context are those that share a map with its placement program. */
static int print_programs(const char *configuration, uint32_t placement)
{
	uint32_t maps[MAX_MAPS], theirs[MAX_MAPS], id = 0;
	struct bpf_prog_info info, other;
	int err;

	err = get_info(placement, &info, maps);
	if (err)
		return err;
	while (!bpf_prog_get_next_id(id, &id)) {
		if (get_info(id, &other, theirs) ||
		    !share(maps, info.nr_map_ids, theirs, other.nr_map_ids))
			continue;
		printf("%s %s %u\n", configuration, other.name, other.verified_insns);
	}
	return 0;
}

static int count(const struct configuration *configuration)
{
	const struct xdplace_tx_opts tx_opts = {.size = sizeof(tx_opts), .engine = XDPLACE_TX_RUN};
	struct xdplace_opts opts = configuration->opts;
	struct found found;
	struct xdplace_tx *tx;
	struct xdplace *ctx;
	char name[16];
	int err;

	snprintf(name, sizeof(name), "xpt-%d", (int)getpid());
	opts.size = sizeof(opts);
	opts.name = name;
	opts.no_selftest = true;
	opts.egress = XP_EGRESS_AUTO;
	ctx = xdplace_open(&opts);
	if (!ctx) {
		fprintf(stderr, "%s: %s\n", configuration->name, xdplace_error());
		return -1;
	}
	tx = xdplace_tx_open(ctx, &tx_opts); /* its program shares the UMEM */
	if (!tx)
		fprintf(stderr, "%s: %s\n", configuration->name, xdplace_error());
	found = (struct found){.name = name};
	err = xdplace_each(match, &found);
	if (err == 1)
		err = print_programs(configuration->name, found.id);
	else
		err = -ENOENT;
	if (err)
		fprintf(stderr, "%s: its programs are not found\n", configuration->name);
	xdplace_tx_close(tx);
	xdplace_close(ctx);
	return tx ? err : -1;
}

int main(void)
{
	size_t i;
	int failed = 0;

	for (i = 0; i < sizeof(configurations) / sizeof(configurations[0]); i++)
		failed |= count(&configurations[i]);
	return failed ? 1 : 0;
}
