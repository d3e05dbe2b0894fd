/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * follow_live.c - in: the lanes of a context that packets arrive in. Out: a thread for each lane
 * that takes its completions, until a signal, a time, a failure or the last interface's end.
 *
 * Stopping: detach first, so that no more is placed, then take what there is, then end the flows.
 * The flows of a context that somebody else made go on, unless its last interface has gone: they
 * are reported as open.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attached.h"
#include "cli.h"
#include "follow.h"

#define WAIT_MS 100
#define TICK_MS 1000
#define FEW 64	     /* completions that are not worth a write yet */
#define PAUSE_US 200 /* in which more of them gather: well below a ring's time */

struct living {
	struct follow *follow;
	const struct follow_options *options;
	struct follow_worker *workers;
	uint32_t count;
	struct attached attached;
	uint64_t start_ms, busy_ms, shown_ms;
	uint64_t packets;
	bool over; /* nothing will be placed any more */
};

/* ---- in the worker's thread ---- */

static int worker_wait(struct follow_worker *worker, int taken)
{
	int err;

	if (taken >= FEW)
		return 0;
	if (taken > 0) {
		usleep(PAUSE_US);
		return 0;
	}
	err = xdplace_lane_wait(worker->lane, WAIT_MS);
	return err < 0 && err != -EINTR ? err : 0;
}

static int worker_loop(struct follow_worker *worker)
{
	uint64_t now, tick = follow_now_ms();
	int n, err = 0;

	while (!err && !atomic_load(&worker->follow->stopping)) {
		n = follow_batch(worker);
		if (n < 0)
			return n;
		err = worker_wait(worker, n);
		now = follow_now_ms();
		/* A lane that is never idle is never waited for, but its flows age as well. */
		if (now - tick < TICK_MS)
			continue;
		tick = now;
		xdplace_lane_tick(worker->lane);
	}
	return err;
}

static void *worker_main(void *arg)
{
	struct follow_worker *worker = arg;

	int err = worker_loop(worker);

	/* The library's words are this thread's: keep them for the one that prints. */
	if (err)
		snprintf(worker->error_text, sizeof(worker->error_text), "%s", xdplace_error());
	worker->error = err;
	return NULL;
}

/* ---- in the main thread ---- */

static void stop_workers(struct living *living)
{
	uint32_t i;

	atomic_store(&living->follow->stopping, true);
	for (i = 0; i < living->count; i++) {
		if (living->workers[i].running)
			pthread_join(living->workers[i].thread, NULL);
		living->workers[i].running = false;
	}
}

static int start_workers(struct living *living)
{
	struct follow_worker *worker;
	uint32_t i;
	int err;

	for (i = 0; i < living->count; i++) {
		worker = &living->workers[i];
		err = pthread_create(&worker->thread, NULL, worker_main, worker);
		if (err) {
			stop_workers(living);
			return cli_errno(-err, "start a thread for lane %u", i);
		}
		worker->running = true;
	}
	return 0;
}

static bool worker_failed(const struct living *living)
{
	uint32_t i;

	for (i = 0; i < living->count; i++) {
		if (living->workers[i].error)
			return true;
	}
	return false;
}

static bool time_is_up(struct living *living, uint64_t now)
{
	const struct follow_options *options = living->options;
	uint64_t packets = 0;
	uint32_t i;

	for (i = 0; i < living->count; i++)
		packets += living->workers[i].packets;
	if (packets != living->packets) {
		living->packets = packets;
		living->busy_ms = now;
	}
	if (options->duration_ms && now - living->start_ms >= options->duration_ms)
		return true;
	return options->idle_ms && now - living->busy_ms >= options->idle_ms;
}

static void show_progress(struct living *living, uint64_t now)
{
	if (!living->follow->progress || now - living->shown_ms < TICK_MS)
		return;
	living->shown_ms = now;
	follow_progress(living->workers, living->count, now - living->start_ms);
}

/* Until there is a reason to stop. The exit code. */
static int watch_over(struct living *living)
{
	const struct timespec nap = {.tv_nsec = WAIT_MS * 1000000};
	uint64_t now;
	int code;

	while (!cli_stop && !living->follow->failed && !worker_failed(living)) {
		nanosleep(&nap, NULL);
		if (attached_over(&living->attached, &code)) {
			living->over = true;
			return code;
		}
		now = follow_now_ms();
		if (time_is_up(living, now))
			return 0;
		show_progress(living, now);
	}
	return 0;
}

static int finish_worker(struct living *living, struct follow_worker *worker)
{
	int err = 0;

	if (worker->error)
		cli_warn("lane %u: %s", (unsigned)(worker - living->workers),
			 *worker->error_text ? worker->error_text : strerror(-worker->error));
	/* What is left of a context that goes on is for its next consumer. */
	if (!worker->error && (living->options->own || living->over))
		err = follow_drain(worker);
	if (!worker->error && (living->options->own || living->over) && !err)
		err = follow_flush(worker);
	follow_leave(worker);
	if (err)
		return cli_error(err, "end the flows");
	return worker->error ? cli_exit_code(worker->error) : 0;
}

int follow_live(struct follow *follow, const struct follow_options *options,
		struct follow_worker *workers, uint32_t count)
{
	struct living living = {
		.follow = follow, .options = options, .workers = workers, .count = count};
	uint32_t i;
	int code, err;

	code = attached_list(&living.attached, follow->ctx, options->own);
	if (code)
		return code;
	follow->progress = isatty(STDERR_FILENO);
	living.start_ms = living.busy_ms = living.shown_ms = follow_now_ms();
	code = start_workers(&living);
	if (!code)
		code = watch_over(&living);
	attached_detach(&living.attached);
	stop_workers(&living);
	for (i = 0; i < count; i++) {
		err = finish_worker(&living, &workers[i]);
		code = code ? code : err;
	}
	if (follow->progress)
		follow_progress_end();
	attached_free(&living.attached);
	return code;
}
