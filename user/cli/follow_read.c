/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * follow_read.c - in: a capture file. Out: its packets given to the placement program one by one,
 * their completions taken before the ring could be full.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"
#include "cli.h"
#include "follow.h"
#include "mend.h"

#define PROGRESS_EVERY 4096u /* packets between looks at the clock */

struct reading {
	struct follow *follow;
	struct follow_worker *worker;
	struct capture *capture;
	struct mend *mend;
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
		return reading->packets % reading->batch ? 0 : follow_drain(reading->worker);
	if (err != -EINVAL && err != -EMSGSIZE && err != -E2BIG && err != -ENOMEM)
		return err;
	if (!reading->refused++)
		reading->refusal = err;
	return 0;
}

/* The frames of one packet. */
static int give_all(struct reading *reading, const struct capture_packet *packet)
{
	const void *frame;
	size_t len;
	int err = 0;

	mend_begin(reading->mend, packet);
	while (!err && mend_next(reading->mend, &frame, &len))
		err = give(reading, frame, len);
	return err;
}

/* 0: end of the file or told to stop; else an exit code after saying why. */
static int read_packets(struct reading *reading)
{
	struct capture_packet packet;
	int more, err;

	while (!cli_stop && !reading->follow->failed) {
		more = capture_next(reading->capture, &packet);
		if (!more)
			return 0;
		if (more < 0) {
			cli_warn("read %s: after %llu packets: %s", reading->path,
				 (unsigned long long)reading->packets,
				 capture_fault(reading->capture));
			return CLI_FAILED;
		}
		err = give_all(reading, &packet);
		if (err)
			return cli_error(err, "run the program on packet %llu of %s",
					 (unsigned long long)reading->packets, reading->path);
		show_progress(reading);
	}
	return 0;
}

/*
 * Checksums of the whole file, before anything of it is followed. What is no file can be read only
 * once: there a wrong checksum stays one.
 */
static int survey(struct reading *reading)
{
	struct capture_packet packet;
	char error[CAPTURE_ERROR];
	struct capture *capture;
	struct stat file;
	int err = 0;

	if (!strcmp(reading->path, "-") || stat(reading->path, &file) || !S_ISREG(file.st_mode))
		return 0;
	capture = capture_open(reading->path, error);
	if (!capture)
		return 0; /* it was opened before: then read it only once */
	while (!err && !cli_stop && capture_next(capture, &packet) > 0)
		err = mend_survey(reading->mend, &packet);
	capture_close(capture);
	return err;
}

static void tell(uint64_t packets, const char *what)
{
	if (packets)
		cli_warn("%llu packets %s", (unsigned long long)packets, what);
}

static void tell_losses(const struct reading *reading)
{
	const struct mend_counts *counts = mend_counts(reading->mend);

	tell(counts->unfinished, "have a wrong checksum and were never sent again: taken as the "
				 "sender's, who left it to the NIC");
	tell(counts->unheeded, "reset or end a connection that goes on: left out");
	tell(counts->astray,
	     "begin a connection without data where another one has some: left out");
	tell(counts->outdone,
	     "beyond a hole differ from what fills it: where they do, that counts");
	tell(counts->super, "of segmentation offload were divided");
	tell(counts->cut, "were cut short when they were captured (snap length): what there is of "
			  "their data is followed");
	tell(counts->lost, "were cut short when they were captured (snap length) so that they can "
			   "not be followed");
	if (reading->refused)
		cli_warn("%llu packets were refused by the kernel (%s): not followed",
			 (unsigned long long)reading->refused, strerror(-reading->refusal));
}

static int read_all(struct reading *reading)
{
	int code, err;

	err = survey(reading);
	if (err)
		return cli_errno(err, "survey %s", reading->path);
	mend_surveyed(reading->mend);
	code = read_packets(reading);
	reading->follow->stopping = true;
	err = follow_drain(reading->worker);
	if (!err)
		err = follow_flush(reading->worker);
	follow_leave(reading->worker);
	if (reading->follow->progress)
		follow_progress_end();
	if (err)
		code = cli_error(err, "end the flows");
	tell_losses(reading);
	return code;
}

int follow_read(struct follow *follow, struct capture *capture, const char *path,
		struct follow_worker *worker)
{
	struct reading reading = {
		.follow = follow, .worker = worker, .capture = capture, .path = path};
	int code;

	reading.mend = mend_new();
	if (!reading.mend)
		return cli_errno(-ENOMEM, "start");
	reading.batch = xdplace_config(follow->ctx)->ring / (XP_SLOW_ROOM + XP_PART_ROOM);
	reading.start_ms = follow_now_ms();
	follow->progress = isatty(STDERR_FILENO);
	code = read_all(&reading);
	mend_free(reading.mend);
	return code;
}
