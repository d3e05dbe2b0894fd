/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * follow_read.c - in: a capture file. Out: its packets given to the placement program one by one,
 * their completions taken before the ring could be full.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "cli.h"
#include "follow.h"

#define PROGRESS_EVERY 4096u /* packets between looks at the clock */

struct reading {
	struct follow *follow;
	struct follow_worker *worker;
	struct capture *capture;
	const char *path;
	uint32_t batch; /* packets that can not fill the ring */
	uint64_t packets;
	uint64_t refused;
	int refusal; /* the first one's -errno */
	uint64_t start_ms;
};

static void show_progress(struct reading *reading)
{
	if (reading->follow->progress && reading->packets % PROGRESS_EVERY == 0)
		follow_progress(reading->worker, 1, follow_now_ms() - reading->start_ms);
}

/* The kernel refuses frames that are too short or too long; anything else is no packet's fault. */
static int give(struct reading *reading, const void *frame, size_t len)
{
	int err = xdplace_run(reading->follow->ctx, 0, frame, len);

	reading->packets++;
	if (err >= 0)
		return 0;
	if (err != -EINVAL && err != -EMSGSIZE && err != -E2BIG && err != -ENOMEM)
		return err;
	if (!reading->refused++)
		reading->refusal = err;
	return 0;
}

/* 0: end of the file or told to stop; else an exit code after saying why. */
static int read_packets(struct reading *reading)
{
	const void *frame;
	size_t len;
	int more, err;

	while (!cli_stop && !reading->follow->failed) {
		more = capture_next(reading->capture, &frame, &len);
		if (!more)
			return 0;
		if (more < 0) {
			cli_warn("read %s: after %llu packets: %s", reading->path,
				 (unsigned long long)reading->packets,
				 capture_fault(reading->capture));
			return CLI_FAILED;
		}
		err = give(reading, frame, len);
		if (err)
			return cli_error(err, "run the program on packet %llu of %s",
					 (unsigned long long)reading->packets, reading->path);
		if (reading->packets % reading->batch == 0)
			err = follow_drain(reading->worker);
		if (err < 0)
			return cli_error(err, "take completions");
		show_progress(reading);
	}
	return 0;
}

static void tell_losses(const struct reading *reading)
{
	uint64_t cut = capture_truncated(reading->capture);

	if (cut)
		cli_warn("%llu packets were cut short when they were captured (snap length): their "
			 "data can not be followed",
			 (unsigned long long)cut);
	if (reading->refused)
		cli_warn("%llu packets were refused by the kernel (%s): not followed",
			 (unsigned long long)reading->refused, strerror(-reading->refusal));
}

int follow_read(struct follow *follow, struct capture *capture, const char *path,
		struct follow_worker *worker)
{
	struct reading reading = {
		.follow = follow, .worker = worker, .capture = capture, .path = path};
	int code, err;

	reading.batch = xdplace_config(follow->ctx)->ring / XP_SLOW_ROOM;
	reading.start_ms = follow_now_ms();
	follow->progress = isatty(STDERR_FILENO);
	code = read_packets(&reading);
	follow->stopping = true;
	err = follow_drain(worker);
	if (!err)
		err = follow_flush(worker);
	follow_leave(worker);
	if (follow->progress)
		follow_progress_end();
	if (err)
		code = cli_error(err, "end the flows");
	tell_losses(&reading);
	return code;
}
