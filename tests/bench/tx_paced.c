/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx_paced.c - the case tx-paced-1000x2mbit: 1,000 streams of 2 Mbit/s, packets of 1400 bytes.
 *
 * In: the peer, which takes the time of each packet in its XDP program. Out: for each system
 *   cpus       processors that were busy, of all
 *   us_median, us_p999  how far the time between two packets of a stream was from 5.6 ms, over
 *              all packets of all streams
 *   gbit_per_s that arrived; and lost, as in the other cases
 *
 * All streams begin one after the other within 5.6 ms, and are due at even distances.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tx.h"

#define CASE "tx-paced-1000x2mbit"
#define STREAMS 1000u
#define SIZE 1400u
#define RATE 2e6 /* bits of payload a second, of a stream */
#define GAP (SIZE * 8 / RATE)
#define SECONDS 2.0
#define WARM_SECONDS 0.1
#define ROUNDS 3u
#define MESSAGES 256u
#define FQ "tc qdisc replace dev " TX_NEAR " root fq limit 20000 flow_limit 200"

static const struct tx_traffic traffic = {SIZE, STREAMS, 1};

enum metric { CPUS, MEDIAN, P999, GBIT, LOST, METRICS };

static const struct {
	const char *name;
	const char *unit;
} metrics[METRICS] = {
	[CPUS] = {"cpus", "CPUs"},  [MEDIAN] = {"us_median", "us"},
	[P999] = {"us_p999", "us"}, [GBIT] = {"gbit_per_s", "Gbit/s"},
	[LOST] = {"lost", "ppm"},
};

struct paced {
	const char *name;
	double tick; /* seconds from one look at what is due to the next */
	bool kernel; /* paces: each stream has a socket that is told its rate */
	int (*open)(struct paced *paced);
	int (*run)(struct paced *paced, double seconds);
	void (*close)(struct paced *paced);
	uint64_t sent;
	bool failed;
	char why[200];
	struct bench_series series[METRICS];
};

/* ---- sockets ---- */

static int fds[STREAMS]; /* one for all, or one each */
static uint32_t fd_count;

/* Why a command failed is its last line. */
static int run_command(struct paced *paced, const char *command)
{
	char line[160] = "";
	FILE *pipe;

	snprintf(line, sizeof(line), "%s 2>&1", command);
	pipe = popen(line, "re");
	if (!pipe)
		return -errno;
	*line = 0;
	while (fgets(line, sizeof(line), pipe))
		line[strcspn(line, "\n")] = 0;
	if (!pclose(pipe))
		return 0;
	snprintf(paced->why, sizeof(paced->why), "%s: %.140s", command, line);
	return -ENOTSUP;
}

/* With its headers, as fq counts. */
static int open_stream(uint32_t stream)
{
	const unsigned int rate = (SIZE + TX_HEADERS) / GAP;
	const struct sockaddr_in to = tx_address(stream);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	fds[fd_count++] = fd;
	if (setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)) ||
	    connect(fd, (const void *)&to, sizeof(to)))
		return -errno;
	return 0;
}

static int open_sockets(struct paced *paced)
{
	int err = 0;

	if (!paced->kernel) {
		fds[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		fd_count = fds[0] >= 0;
		return fd_count ? 0 : -errno;
	}
	err = run_command(paced, FQ);
	while (!err && fd_count < STREAMS)
		err = open_stream(fd_count);
	return err;
}

static void close_sockets(struct paced *paced)
{
	struct paced unused;

	while (fd_count)
		close(fds[--fd_count]);
	if (paced->kernel)
		run_command(&unused, "tc qdisc del dev " TX_NEAR " root");
}

/* Packet `number` of all streams, in the order in which they are due. */
static void fill(struct mmsghdr *message, struct iovec *piece, struct sockaddr_in *to,
		 uint64_t number)
{
	uint32_t size;
	uint32_t stream = number % STREAMS;

	*piece = (struct iovec){tx_data(&size) + stream * TX_DATA, SIZE};
	*to = tx_address(stream);
	message->msg_hdr = (struct msghdr){
		.msg_name = to, .msg_namelen = sizeof(*to), .msg_iov = piece, .msg_iovlen = 1};
}

static int send_together(struct paced *paced, uint32_t count)
{
	struct mmsghdr message[MESSAGES];
	struct iovec piece[MESSAGES];
	struct sockaddr_in to[MESSAGES];
	uint32_t i;
	int done;

	for (i = 0; i < count; i++)
		fill(&message[i], &piece[i], &to[i], paced->sent + i);
	done = sendmmsg(fds[0], message, count, 0);
	if (done < 0)
		return -errno;
	paced->sent += done;
	return 0;
}

static int send_one(struct paced *paced)
{
	uint32_t stream = paced->sent % STREAMS;
	uint32_t size;

	if (send(fds[stream], tx_data(&size) + stream * TX_DATA, SIZE, 0) < 0)
		return -errno;
	paced->sent++;
	return 0;
}

static int send_due(struct paced *paced, uint64_t due)
{
	uint64_t left;
	int err = 0;

	while (!err && paced->sent < due) {
		left = due - paced->sent;
		err = paced->kernel ? send_one(paced)
				    : send_together(paced, left < MESSAGES ? left : MESSAGES);
	}
	return err;
}

static void sleep_until(double when)
{
	const struct timespec ts = {when, fmod(when, 1) * 1e9};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static int run_sockets(struct paced *paced, double seconds)
{
	double start = bench_now();
	double when = start;
	int err = 0;

	paced->sent = 0;
	while (!err && when < start + seconds) {
		when += paced->tick;
		sleep_until(when);
		err = send_due(paced, (when - start) * STREAMS / GAP);
	}
	/* What the kernel holds back for its time. */
	if (!err && paced->kernel)
		usleep(paced->tick * 2e6);
	return err;
}

/* ---- the case ---- */

static struct paced systems[] = {
	{.name = "sendmmsg-timer",
	 .tick = 0.001,
	 .open = open_sockets,
	 .run = run_sockets,
	 .close = close_sockets},
	{.name = "so-max-pacing-rate",
	 .tick = 0.02,
	 .kernel = true,
	 .open = open_sockets,
	 .run = run_sockets,
	 .close = close_sockets},
};
#define SYSTEMS (sizeof(systems) / sizeof(systems[0]))

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static int take_gaps(struct paced *paced)
{
	uint32_t i, count;
	const uint32_t *gap = tx_peer_gaps(&count);
	double *off = calloc(count, sizeof(*off));

	if (!count || !off) {
		free(off);
		return -EIO;
	}
	for (i = 0; i < count; i++)
		off[i] = fabs(gap[i] / 1e3 - GAP * 1e6);
	qsort(off, count, sizeof(*off), compare);
	bench_sample(&paced->series[MEDIAN], off[count / 2]);
	bench_sample(&paced->series[P999], off[count - 1 - count / 1000]);
	free(off);
	return 0;
}

static int measure_open(struct paced *paced)
{
	uint64_t before = tx_peer_arrived();
	double start, busy, took, arrived;
	int err = paced->run(paced, WARM_SECONDS);

	tx_settle(before + paced->sent);
	tx_peer_forget();
	before = tx_peer_arrived();
	busy = tx_cpu_seconds(0);
	start = bench_now();
	if (!err)
		err = paced->run(paced, SECONDS);
	took = bench_now() - start;
	busy = tx_cpu_seconds(0) - busy;
	if (err)
		return err;
	tx_settle(before + paced->sent);
	arrived = tx_peer_arrived() - before;
	bench_sample(&paced->series[CPUS], busy / took);
	bench_sample(&paced->series[GBIT], arrived * SIZE * 8 / took / 1e9);
	bench_sample(&paced->series[LOST], (1 - arrived / paced->sent) * 1e6);
	return take_gaps(paced);
}

static void measure(struct paced *paced)
{
	int err = paced->open(paced);

	if (!err)
		err = measure_open(paced);
	paced->close(paced);
	if (!err)
		return;
	paced->failed = true;
	if (!*paced->why)
		snprintf(paced->why, sizeof(paced->why), "%s", strerror(-err));
}

static void report(void)
{
	size_t metric;
	struct paced *paced;

	for (metric = 0; metric < METRICS; metric++) {
		for (paced = systems; paced < systems + SYSTEMS; paced++) {
			if (bench_only && !strstr(paced->name, bench_only))
				continue;
			bench_report(CASE, paced->name, metrics[metric].name, metrics[metric].unit,
				     &paced->series[metric]);
			if (paced->failed)
				bench_report_why(paced->why);
		}
	}
	bench_report_table(stdout);
}

static void run_rounds(void)
{
	struct paced *paced;
	unsigned int round;

	for (round = 0; round < ROUNDS; round++)
		for (paced = systems; paced < systems + SYSTEMS; paced++)
			if (!paced->failed && (!bench_only || strstr(paced->name, bench_only)))
				measure(paced);
}

int bench_tx_paced(void)
{
	int err;

	if (!bench_wanted(CASE) || !tx_possible(CASE))
		return 0;
	err = tx_data_open();
	bench_pin_cpu(0);
	bench_real_time();
	prctl(PR_SET_TIMERSLACK, 1);
	if (!err)
		err = tx_peer_open(TX_TIMES, &traffic);
	if (err)
		return err;
	run_rounds();
	tx_peer_close();
	tx_data_close();
	report();
	bench_note(CASE ": sendmmsg-timer looks every ms at what is due");
	return 0;
}
