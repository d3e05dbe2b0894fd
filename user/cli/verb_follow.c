/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * verb_follow.c - in: interfaces, a context or a capture file. Out: a file for each stream, with
 * the bytes that were placed, and a line for each flow.
 *
 * Promises: a byte is written once, at its place in the stream; what never came is left out and
 * told of as a gap; what was placed and could not be written is told of, with exit code 1;
 * nothing stays attached, however it ends.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "capture.h"
#include "cli.h"
#include "follow.h"

#define OPEN_MAX_TOTAL 16384u /* descriptors of all workers together */
#define OPEN_SPARE 16u	      /* descriptors that are left to libraries */
#define MEMORY_MIN (64ull << 20)
#define MEMORY_MAX (512ull << 20)
#define AREAS_PLENTY 16384u
#define FLOWS_PLENTY 65536u
#define FLUSH_TRIES 100000u /* without any progress */

enum option_key {
	KEY_DURATION = CLI_LONG + 100,
	KEY_IDLE,
	KEY_STATS,
};

static const struct cli_option follow_list[] = {
	{"output", 'o', "DIR", "where the files go; made if it is not there"},
	{"read", 'r', "FILE", "follow a pcap or pcapng file, - for standard input"},
	{"duration", KEY_DURATION, "TIME", "end after this"},
	{"idle", KEY_IDLE, "TIME", "end when nothing has come for this long"},
	{"stats-at-end", KEY_STATS, NULL, "op-codes and reasons, on standard error"},
	{"pin", 'p', "NAME", NULL},
	{NULL, 0, NULL, NULL},
};

static void set_follow(void *to, int key, const char *argument)
{
	struct follow_options *options = to;

	switch (key) {
	case 'p':
		cli_usage("--pin: use 'xdplace load --pin', then 'xdplace follow -n'");
	case 'o':
		options->directory = argument;
		break;
	case 'r':
		options->capture = argument;
		break;
	case KEY_DURATION:
		options->duration_ms = cli_age("--duration", argument);
		break;
	case KEY_IDLE:
		options->idle_ms = cli_age("--idle", argument);
		break;
	case KEY_STATS:
		options->stats = true;
		break;
	}
}

uint64_t follow_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- workers ---- */

int follow_worker_open(struct follow_worker *worker, struct follow *follow, uint32_t lane,
		       uint32_t open_limit)
{
	worker->follow = follow;
	worker->open_limit = open_limit;
	TAILQ_INIT(&worker->streams);
	TAILQ_INIT(&worker->open);
	STAILQ_INIT(&worker->touched);
	worker->lane = xdplace_lane_open(follow->ctx, lane);
	if (!worker->lane)
		return cli_error(-errno, "become the consumer of lane %u", lane);
	return 0;
}

void follow_worker_close(struct follow_worker *worker)
{
	xdplace_lane_close(worker->lane);
	worker->lane = NULL;
}

int follow_drain(struct follow_worker *worker)
{
	int n;

	do {
		n = follow_batch(worker);
	} while (n > 0);
	return n;
}

static bool wants_room(int err)
{
	return err > 0 || err == -EAGAIN || err == -EBUSY || err == -ENOBUFS || err == -ENOSPC;
}

int follow_flush(struct follow_worker *worker)
{
	unsigned tries = 0;
	int err, n;

	/* Ends of flows are completions, too: the ring has to be emptied in between. */
	do {
		err = xdplace_lane_flush(worker->lane);
		for (n = follow_batch(worker); n > 0; n = follow_batch(worker))
			tries = 0;
		if (n < 0)
			return n;
	} while (wants_room(err) && tries++ < FLUSH_TRIES);
	return err < 0 ? err : 0;
}

/* ---- set-up ---- */

static uint32_t descriptors_in_use(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint32_t count = 0;

	if (!dir)
		return 64;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* How many files each of `workers` may keep open. */
static uint32_t open_limit(uint32_t workers)
{
	uint32_t used = descriptors_in_use() + OPEN_SPARE;
	uint32_t limit;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return 16;
	files.rlim_cur = files.rlim_max;
	if (files.rlim_cur > OPEN_MAX_TOTAL + used)
		files.rlim_cur = OPEN_MAX_TOTAL + used;
	setrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_NOFILE, &files);
	limit = files.rlim_cur > used ? (uint32_t)(files.rlim_cur - used) / workers : 1;
	return limit ? limit : 1;
}

static const char *made_directory;

/* The process ended before anything could be followed: leave no trace. */
static void remove_directory(void)
{
	if (made_directory)
		rmdir(made_directory);
}

static int open_directory(const char *path)
{
	int fd;

	if (!mkdir(path, 0777)) {
		made_directory = path;
		atexit(remove_directory);
	} else if (errno != EEXIST) {
		exit(cli_errno(-errno, "make directory %s", path));
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		exit(cli_errno(-errno, "open directory %s", path));
	return fd;
}

static struct capture *open_capture(const char *path)
{
	char error[CAPTURE_ERROR];
	struct capture *capture = capture_open(path, error);

	if (capture)
		return capture;
	cli_warn("open %s: %s", path, error);
	exit(CLI_FAILED);
}

/* An eighth of the machine's memory, a power of two within limits. */
static uint64_t memory_share(void)
{
	uint64_t share = MEMORY_MAX;
	struct sysinfo info;

	if (sysinfo(&info))
		return MEMORY_MIN;
	while (share > MEMORY_MIN && share > (uint64_t)info.totalram * info.mem_unit / 8)
		share >>= 1;
	return share;
}

/*
 * Room for the moments in which a disk is slower than the network, and for windows as large as
 * today's TCP has them: a window is 256 areas, so areas are large as long as there are plenty.
 */
static void default_sizes(struct xdplace_opts *open)
{
	uint64_t flows;

	if (!open->ring)
		open->ring = 65536;
	if (!open->umem_size)
		open->umem_size = memory_share();
	if (!open->area_size) {
		open->area_size = 1u << XP_MIN_AREA_SHIFT;
		while (open->area_size < 1u << XP_MAX_AREA_SHIFT &&
		       open->umem_size / open->area_size > AREAS_PLENTY)
			open->area_size <<= 1;
	}
	if (!open->window)
		open->window = XP_MAX_WINDOW * open->area_size;
	/* An open flow has an area: the table must be full before the memory is. */
	flows = open->umem_size / open->area_size / 4 * 3;
	if (!open->flows && flows)
		open->flows = flows < FLOWS_PLENTY ? (uint32_t)flows : FLOWS_PLENTY;
}

/* A capture's time is not ours: nothing ages, so that each run gives the same. */
static void capture_defaults(struct xdplace_opts *open)
{
	open->lanes = 1;
	open->no_selftest = true;
	if (!open->flow_age_ms)
		open->flow_age_ms = UINT32_MAX;
	if (!open->hole_age_ms)
		open->hole_age_ms = UINT32_MAX;
	if (!open->fragment_age_ms)
		open->fragment_age_ms = UINT32_MAX;
}

static struct xdplace *open_context(struct follow_options *options, struct context_options *context,
				    char **interfaces, int count)
{
	options->own = options->capture || count;
	if (!options->own)
		return cli_open();
	default_sizes(&context->open);
	if (options->capture)
		capture_defaults(&context->open);
	return context_open(context, interfaces, count, "tap any");
}

static int run(struct follow *follow, const struct follow_options *options, struct capture *capture)
{
	uint32_t count = xdplace_config(follow->ctx)->lanes;
	struct follow_worker *workers;
	uint32_t limit, i;
	int code = 0;

	workers = calloc(count, sizeof(*workers));
	if (!workers)
		return cli_errno(-ENOMEM, "start");
	limit = open_limit(count);
	for (i = 0; i < count && !code; i++)
		code = follow_worker_open(&workers[i], follow, i, limit);
	if (!code && capture)
		code = follow_read(follow, capture, options->capture, workers);
	else if (!code)
		code = follow_live(follow, options, workers, count);
	while (i--)
		follow_worker_close(&workers[i]);
	if (follow->failed) {
		cli_warn("%s", follow->failure);
		code = CLI_FAILED;
	}
	if (!follow_summary(workers, count) && !code)
		code = CLI_FAILED;
	free(workers);
	return code;
}

static int run_counted(struct follow *follow, const struct follow_options *options,
		       struct capture *capture)
{
	struct xp_counters before, after;
	int code;

	if (xdplace_stats(follow->ctx, XP_NONE, &before))
		memset(&before, 0, sizeof(before));
	code = run(follow, options, capture);
	if (xdplace_stats(follow->ctx, XP_NONE, &after))
		return code;
	follow_shortages(&before, &after);
	if (options->stats)
		follow_stats(&before, &after);
	return code;
}

int verb_follow(int argc, char **argv)
{
	static struct context_options context;
	static struct follow follow = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct follow_options options = {0};
	struct cli_set sets[] = {{follow_list, set_follow, &options, NULL}, context_set(&context)};
	struct capture *capture = NULL;
	const struct xp_config *config;
	int first, code;

	first = cli_parse(argc, argv, sets, 2);
	if (!options.directory)
		cli_usage("-o DIR: where shall the files go?");
	if (options.capture && first < argc)
		cli_usage("interfaces, or a file to read, not both");
	if (options.capture)
		capture = open_capture(options.capture);
	follow.path = options.directory;
	follow.dir = open_directory(options.directory);
	follow.json = cli.json;
	follow.live = !options.capture;
	cli_catch_signals();
	follow.ctx = open_context(&options, &context, argv + first, argc - first);
	made_directory = NULL;
	follow.keep = !options.own;
	config = xdplace_config(follow.ctx);
	follow.stream_count = config->flows * config->lanes;
	follow.streams = calloc(follow.stream_count, sizeof(*follow.streams));
	if (!follow.streams)
		code = cli_errno(-ENOMEM, "start");
	else
		code = run_counted(&follow, &options, capture);
	free(follow.streams);
	follow_free_names(&follow);
	capture_close(capture);
	xdplace_close(follow.ctx);
	close(follow.dir);
	return cli_finish(code);
}
