/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stand.c - measure one placement program by BPF_PROG_TEST_RUN.
 *
 * In: a program, and the traffic it gets. Out: nanoseconds of a packet. A run is short, a slice
 * of SLICE packets, so that the consumer, which works between slices and is not timed, keeps up
 * and areas come round hot. Of each slice the first packets are not timed either: they pay for
 * the way into the kernel. The time is taken in the kernel, by the program that takes turns.
 *
 * The kernel's dispatcher of XDP programs is rewritten, with two RCU grace periods, for every
 * test run of a program that is attached nowhere. So the program that takes turns is attached, to
 * the loopback device of a namespace that nobody else is in.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "program.h"
#include "program.skel.h"

#define SLICE_FIRST 16u /* not timed */
#define SLICE 40u /* timed: with them less than 64 areas, even if every flow wants a new one */
#define SLICES_MAX 1024u
#define START_ROUNDS 4u /* packets of each flow before anything is timed */
#define START_LEAST 8192u
#define EMPTY_REPEAT 100000
#define LOOPBACK 1

static int run_frame(int prog, const struct program_system *system, unsigned int repeat,
		     uint32_t *retval, uint32_t *ns)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = system->frame,
		    .data_size_in = system->frame_len, .repeat = repeat);
	int err = bpf_prog_test_run_opts(prog, &opts);

	if (err)
		return err;
	*retval = opts.retval;
	*ns = opts.duration;
	return 0;
}

static int drain(const struct program_system *system)
{
	int count;

	if (!system->placed)
		return 0;
	while ((count = bench_placed_drain(system->placed)) > 0)
		;
	return count;
}

/* `packets` turns of the system, then its consumer. */
static int run_slice(struct program_stand *stand, struct program_system *system,
		     unsigned int packets)
{
	struct bench_turn *turn = &stand->skel->bss->bench_turn;
	uint32_t retval, ns;
	int err;

	turn->count = 0;
	turn->first = SLICE_FIRST;
	turn->last = packets - 1;
	err = run_frame(bpf_program__fd(stand->skel->progs.turn), system, packets, &retval, &ns);
	if (err)
		return err;
	if (retval != XDP_DROP)
		return -EPROTO;
	system->packets += packets;
	return drain(system);
}

/* The turn goes on to this system, where it was left. */
static int enter(struct program_stand *stand, const struct program_system *system)
{
	__u32 zero = 0;

	stand->skel->bss->bench_turn = system->turn;
	if (bpf_map_update_elem(bpf_map__fd(stand->skel->maps.bench_target), &zero, &system->prog,
				BPF_ANY))
		return -errno;
	return 0;
}

static void leave(struct program_stand *stand, struct program_system *system)
{
	system->turn = stand->skel->bss->bench_turn;
}

static int run_slices(struct program_stand *stand, struct program_system *system, uint64_t packets)
{
	uint64_t done;
	int err = enter(stand, system);

	for (done = 0; !err && done < packets; done += SLICE)
		err = run_slice(stand, system, SLICE);
	leave(stand, system);
	return err;
}

static int start_flows(struct program_stand *stand, struct program_system *system,
		       const struct program_traffic *traffic)
{
	uint64_t packets = (uint64_t)START_ROUNDS * traffic->flows;

	return run_slices(stand, system, packets < START_LEAST ? START_LEAST : packets);
}

/* A flow is set up by data; its ACKs then carry the sequence number that comes next. */
static int start_acks(struct program_stand *stand, struct program_system *system,
		      const struct program_traffic *traffic)
{
	const struct program_traffic data = {1, BENCH_HEADERS + 100, 100, 0, 0};
	uint32_t seq;
	int err = program_start(stand, system, &data);

	if (err)
		return err;
	seq = system->turn.seq;
	system->frame_len = bench_frame(system->frame, traffic->frame, 0, 80, &system->turn);
	system->turn.seq = seq;
	return start_flows(stand, system, traffic);
}

int program_start(struct program_stand *stand, struct program_system *system,
		  const struct program_traffic *traffic)
{
	system->turn.flows = traffic->flows;
	system->turn.train = traffic->late ? traffic->late_each : 1;
	system->turn.late = traffic->late;
	system->turn.late_each = traffic->late_each;
	if (!traffic->payload)
		return start_acks(stand, system, traffic);
	system->frame_len =
		bench_frame(system->frame, traffic->frame, traffic->payload, 80, &system->turn);
	return start_flows(stand, system, traffic);
}

double program_measure(struct program_stand *stand, struct program_system *system,
		       unsigned int slices)
{
	const struct bench_turn *turn = &stand->skel->bss->bench_turn;
	double ns[SLICES_MAX];
	unsigned int i;
	int err = enter(stand, system);

	if (slices > SLICES_MAX)
		slices = SLICES_MAX;
	for (i = 0; !err && i < slices; i++) {
		err = run_slice(stand, system, SLICE_FIRST + SLICE + 1);
		ns[i] = (double)(turn->end - turn->begin) / SLICE;
	}
	leave(stand, system);
	return err ? err : bench_median(ns, slices);
}

double program_measure_empty(struct program_stand *stand, struct program_system *system)
{
	uint32_t retval, ns;
	int err;

	err = run_frame(bpf_program__fd(stand->skel->progs.empty), system, EMPTY_REPEAT, &retval,
			&ns);
	/* The kernel cuts off what is less than a nanosecond. */
	return err ? err : ns + 0.5;
}

/* bpf_csum_diff() takes 512 bytes at once, or from 6.13 on as many as there are. */
static bool sums_whole_payload(void)
{
	struct program_system system = {.name = "probe"};
	struct program_bpf *skel = program_bpf__open();
	uint32_t retval = XDP_ABORTED;
	uint32_t ns;

	if (!skel)
		return false;
	skel->rodata->bench_csum_step = BENCH_MAX_PAYLOAD;
	system.frame_len = bench_frame(system.frame, BENCH_HEADERS + BENCH_MAX_PAYLOAD,
				       BENCH_MAX_PAYLOAD, 80, &system.turn);
	if (!program_bpf__load(skel))
		run_frame(bpf_program__fd(skel->progs.copy_csum_floor), &system, 1, &retval, &ns);
	program_bpf__destroy(skel);
	return retval == XDP_DROP;
}

static int load(struct program_stand *stand, uint32_t pages, bool page_each)
{
	bool whole = sums_whole_payload();

	stand->skel = program_bpf__open();
	if (!stand->skel)
		return -errno;
	stand->skel->rodata->bench_pages = pages;
	stand->skel->rodata->bench_page_each = page_each;
	if (whole)
		stand->skel->rodata->bench_csum_step = BENCH_MAX_PAYLOAD;
	bpf_map__set_max_entries(stand->skel->maps.bench_memory, pages);
	return program_bpf__load(stand->skel);
}

static int leave_network(struct program_stand *stand)
{
	stand->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (stand->home < 0)
		return -errno;
	return unshare(CLONE_NEWNET) ? -errno : 0;
}

int program_stand_open(struct program_stand *stand, uint32_t pages, bool page_each)
{
	int err;

	memset(stand, 0, sizeof(*stand));
	err = leave_network(stand);
	if (!err)
		err = load(stand, pages, page_each);
	if (!err)
		err = bpf_xdp_attach(LOOPBACK, bpf_program__fd(stand->skel->progs.turn),
				     XDP_FLAGS_SKB_MODE, NULL);
	if (err)
		program_stand_close(stand);
	return err;
}

void program_stand_close(struct program_stand *stand)
{
	program_bpf__destroy(stand->skel);
	stand->skel = NULL;
	if (stand->home < 0)
		return;
	if (!setns(stand->home, CLONE_NEWNET))
		close(stand->home);
	stand->home = -1;
}
