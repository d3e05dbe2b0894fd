/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * transmit_run.c - the engine `run`: one bpf(2) call makes and sends the packets of a write.
 *
 * In: a write laid down in the maps of transmit.bpf.c. Out: BPF_PROG_TEST_RUN with live frames
 * (Linux 5.18), once for each packet, in batches of XP_TX_BATCH; again only for packets that a
 * driver had no room for, until it has or the time is over. Promises: when write() returns, the
 * write is done; packets of a destination leave in order, those sent again too.
 *
 * What drivers refuse is told by tracepoints. Where they can't be used, stats.counted is false and
 * every packet that was made counts as taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_link.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "netlink.h"
#include "tx.h"
#include "transmit.skel.h"

#define MOST_RUNS 0x40000000u /* in one call */
#define FRAME_STEP 8u
#define LEAST_PAUSE_US 20u /* between calls while a driver's ring is full */
#define MOST_PAUSE_US 500u

struct run {
	struct transmit_bpf *skel;
	int prog;
	int anchor;		  /* link that keeps the program attached somewhere; -1 */
	int space;		  /* namespace of that */
	size_t destinations_size; /* bytes mapped */
	size_t entries_size;
	size_t job_size;
	uint8_t frame[XP_TX_MOST]; /* what the kernel fills each page with, once */
};

/* ---- open and close ---- */

static void *map_table(const struct bpf_map *map, size_t *size)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t bytes = (size_t)bpf_map__max_entries(map) * ((bpf_map__value_size(map) + 7) & ~7u);
	void *p;

	*size = (bytes + page - 1) & ~(page - 1);
	p = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	return p == MAP_FAILED ? NULL : p;
}

static int map_tables(struct xdplace_tx *tx, struct run *run)
{
	tx->destinations = map_table(run->skel->maps.xp_tx_dests, &run->destinations_size);
	tx->entries = map_table(run->skel->maps.xp_tx_entries, &run->entries_size);
	tx->job = map_table(run->skel->maps.xp_tx_job, &run->job_size);
	if (tx->destinations && tx->entries && tx->job)
		return 0;
	return xp_fail(errno, "transmitter: map the tables: %s", strerror(errno));
}

static int size_maps(const struct xdplace_tx *tx, struct transmit_bpf *skel)
{
	int err;

	err = bpf_map__reuse_fd(skel->maps.xp_umem, tx->memory_fd);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.xp_tx_dests, tx->opts.destinations);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.xp_tx_entries, tx->opts.entries);
	return err;
}

/* Load it, with the programs behind tracepoints or without. */
static struct transmit_bpf *load(struct xdplace_tx *tx, uint32_t csum_step, bool counted)
{
	struct transmit_bpf *skel = transmit_bpf__open();
	int err;

	if (!skel)
		return NULL;
	skel->rodata->xp_tx_config = (struct xp_tx_config){
		.bank_shift = tx->bank_shift,
		.csum_step = csum_step,
		.counted = counted,
	};
	bpf_program__set_autoload(skel->progs.xp_sent, counted);
	bpf_program__set_autoload(skel->progs.xp_lost, counted);
	err = size_maps(tx, skel);
	if (!err)
		err = transmit_bpf__load(skel);
	if (!err && counted)
		err = transmit_bpf__attach(skel);
	if (!err)
		return skel;
	transmit_bpf__destroy(skel);
	errno = -err;
	return NULL;
}

static int load_program(struct xdplace_tx *tx, struct run *run)
{
	uint32_t csum_step = xp_probe_csum_step();
	char said[160];
	int err;

	xp_libbpf_begin(&tx->logger);
	run->skel = load(tx, csum_step, true);
	tx->stats.counted = run->skel;
	if (!run->skel) {
		snprintf(said, sizeof(said), "%s", xp_libbpf_said());
		run->skel = load(tx, csum_step, false);
	}
	err = run->skel ? 0 : errno;
	xp_libbpf_end();
	if (err)
		return xp_explain_caps(-err)
			       ? -EPERM
			       : xp_fail(err, "load the transmit program: %s", xp_libbpf_said());
	if (!tx->stats.counted)
		xp_log(&tx->logger, XDPLACE_LOG_WARN,
		       "what drivers refuse can not be counted here: %s", said);
	run->prog = bpf_program__fd(run->skel->progs.xp_transmit);
	return 0;
}

/*
 * A program that is attached nowhere is entered into the kernel's table of XDP programs for each
 * call, and every change of that table waits for an RCU grace period: some 16 ms. So it gets
 * attached, to the loopback interface of a namespace in which nothing else will ever be.
 */
static void *anchor(void *arg)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_SKB_MODE);
	struct run *run = arg;

	if (unshare(CLONE_NEWNET))
		return NULL;
	run->space = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (run->space >= 0)
		run->anchor = bpf_link_create(run->prog, 1, BPF_XDP, &opts);
	return NULL;
}

static void drop_anchor(struct xdplace_tx *tx, struct run *run)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, anchor, run))
		pthread_join(thread, NULL);
	if (run->anchor < 0)
		xp_log(&tx->logger, XDPLACE_LOG_WARN,
		       "engine run: without a namespace of its own (CAP_SYS_ADMIN) each write "
		       "takes "
		       "some 16 ms more");
}

static int call(struct run *run, uint32_t runs, uint32_t frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = run->frame, .data_size_in = frame,
		    .repeat = runs, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = XP_TX_BATCH);

	return bpf_prog_test_run_opts(run->prog, &opts) ? -errno : 0;
}

/* How long a frame may be is the kernel's secret: an empty job finds out. */
static int find_most(struct xdplace_tx *tx, struct run *run)
{
	int err;

	for (tx->most = XP_TX_MOST; tx->most >= XP_TX_LEAST; tx->most -= FRAME_STEP) {
		err = call(run, 1, tx->most);
		if (err != -EINVAL)
			break;
	}
	if (!err)
		return 0;
	return xp_fail(EOPNOTSUPP, "engine run: this kernel does not lend frames to programs: %s",
		       strerror(-err));
}

static int run_open(struct xdplace_tx *tx)
{
	struct run *run = calloc(1, sizeof(*run));
	int err;

	tx->private = run;
	if (!run)
		return xp_fail(ENOMEM, "transmitter: no memory");
	run->anchor = run->space = -1;
	if (!tx->memory_map)
		return xp_fail(EPERM, "engine run: its memory has to be a BPF map, and making one "
				      "is not permitted");
	err = load_program(tx, run);
	if (!err)
		err = map_tables(tx, run);
	if (err)
		return err;
	drop_anchor(tx, run);
	return find_most(tx, run);
}

static void unmap(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}

static void run_close(struct xdplace_tx *tx)
{
	struct run *run = tx->private;

	if (!run)
		return;
	unmap(tx->destinations, run->destinations_size);
	unmap(tx->entries, run->entries_size);
	unmap(tx->job, run->job_size);
	tx->destinations = NULL;
	tx->entries = NULL;
	tx->job = NULL;
	if (run->anchor >= 0)
		close(run->anchor);
	if (run->space >= 0)
		close(run->space);
	transmit_bpf__destroy(run->skel);
	free(run);
	tx->private = NULL;
}

/* Kernels before 6.3 do not tell; there the first write does. */
static int run_prepare(struct xdplace_tx *tx, uint32_t ifindex, const char *ifname)
{
	uint64_t features;

	if (xp_link_xdp_features(ifindex, &features) || features & XP_XDP_NDO_XMIT)
		return 0;
	return xp_fail(EOPNOTSUPP,
		       "%s: its driver can not send for XDP; of a veth, the other end has to have "
		       "an XDP program or GRO (ethtool -K PEER gro on)",
		       ifname);
}

/* ---- write ---- */

static struct xp_tx_destination *destination_of(const struct xdplace_tx *tx, uint32_t entry)
{
	entry = entry < tx->count ? entry : 0;
	return &tx->destinations[tx->entries[entry].destination % tx->opts.destinations];
}

/*
 * Packets that are still to be made, as things are. In whole batches: were the last one shorter
 * than the refused ones are many, some of these would get behind others in being refused again.
 */
static uint64_t left(const struct xdplace_tx *tx)
{
	uint64_t packets = tx->job->again - tx->job->retried;
	uint32_t i, room;

	if (!tx->job->ring)
		return packets;
	for (i = 0; i < tx->count; i++) {
		room = xp_tx_face(destination_of(tx, i))->room ?: 1;
		packets += (tx->entries[i].left + room - 1) / room;
	}
	return packets + 1; /* the last may be one without payload */
}

static uint32_t runs_for(uint64_t packets)
{
	if (packets > MOST_RUNS)
		return MOST_RUNS;
	return packets > XP_TX_BATCH ? (packets + XP_TX_BATCH - 1) & ~(uint64_t)(XP_TX_BATCH - 1)
				     : packets;
}

static void pause_us(uint32_t us)
{
	const struct timespec t = {.tv_nsec = us * 1000l};

	nanosleep(&t, NULL);
}

/* Destinations whose packets leave by this interface are not sent to any more in this write. */
static void abandon(struct xdplace_tx *tx, uint32_t ifindex)
{
	struct xp_tx_job *job = tx->job;
	struct xp_tx_entry *e;
	uint32_t turns;

	for (turns = job->ring; turns && job->at < tx->count && job->before < tx->count; turns--) {
		e = &tx->entries[job->at];
		if (xp_tx_face(destination_of(tx, job->at))->ifindex == ifindex) {
			e->error = ENOBUFS;
			xp_tx_leave(tx->entries, job, e);
		} else {
			job->before = job->at;
			job->at = e->next;
		}
	}
	job->turn = 0;
}

/* What drivers refused until the time was over: how many packets. Who goes by others goes on. */
static uint64_t give_up(struct xdplace_tx *tx)
{
	struct xp_tx_job *job = tx->job;
	const struct xp_tx_packet *p;
	struct xp_tx_destination *d;
	uint64_t n;

	for (n = 0; job->retried != job->again && n < XP_TX_BATCH; job->retried++, n++) {
		p = &job->refused[job->retried % XP_TX_BATCH];
		d = destination_of(tx, p->entry);
		d->refused++;
		d->refused_bytes += p->length;
		if (!job->error) {
			job->error = ENOBUFS;
			job->at_entry = p->entry;
		}
		abandon(tx, p->ifindex);
	}
	return n;
}

/*
 * Call until all is made and taken. A call ends early for a signal, or with packets that a driver
 * refused at its end: those are tried again after a while, for `timeout_ms` without any progress.
 */
static int send_all(struct xdplace_tx *tx, uint64_t packets, uint32_t frame, uint64_t *refused)
{
	uint64_t progress = 0, before, since = 0;
	uint32_t pause = LEAST_PAUSE_US;
	int err;

	for (; packets; packets = left(tx)) {
		before = progress;
		tx->stats.calls++;
		err = call(tx->private, runs_for(packets), frame);
		if (err && err != -EINTR)
			return err;
		progress = tx->job->packets + tx->job->failed;
		if (!tx->job->ring && tx->job->again == tx->job->retried)
			return 0;
		if (progress != before || !since) {
			since = xp_tx_now_us();
			pause = LEAST_PAUSE_US;
		} else if (xp_tx_now_us() - since > tx->opts.timeout_ms * 1000ull) {
			if (tx->job->again == tx->job->retried)
				return 0;
			*refused += give_up(tx);
			since = 0;
		}
		if (tx->job->again != tx->job->retried)
			pause_us(pause);
		pause = 2 * pause < MOST_PAUSE_US ? 2 * pause : MOST_PAUSE_US;
	}
	return 0;
}

static int run_write(struct xdplace_tx *tx, uint64_t packets, uint32_t frame)
{
	uint64_t refused = 0;
	int err;

	err = send_all(tx, packets, frame < XP_TX_LEAST ? XP_TX_LEAST : frame, &refused);
	if (err && !tx->job->error)
		tx->job->error = -err;
	xp_tx_complete(tx, refused + give_up(tx));
	return 0;
}

const struct xp_tx_engine xp_tx_run = {
	.id = XDPLACE_TX_RUN,
	.open = run_open,
	.close = run_close,
	.prepare = run_prepare,
	.write = run_write,
};
