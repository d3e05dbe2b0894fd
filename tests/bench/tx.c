/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tx.c - the cases of sending: packets a second from one core, to one and to many destinations.
 *
 * In: the names of the cases asked for: tx-SIZE-Ndest-burstB to a peer that drops, and with
 * -received to one whose kernel receives. Out: for each system
 *   mpps          millions of packets a second that arrived at the peer
 *   cpu_s_per_gb  CPU time of sender, reader and kernel on all CPUs, for 10^9 bytes of payload that
 * arrived lost          of a million packets that the system says it sent, those that did not
 * arrive
 *
 * All send packet by packet to one destination after the other (burst 1). Only UDP GSO is faster
 * with several for one destination in a row, and is measured so as well: cases of longer bursts
 * are its own, measured in the same rounds as all others; the best of them is in the table again
 * as udp-gso-best.
 */
#include <errno.h>
#include <string.h>

#include "tx.h"

#define BURSTS 4u
#define GSO_BEST "udp-gso-best"

enum metric { MPPS, CPU, LOST, METRICS };

static const struct {
	const char *name;
	const char *unit;
} metrics[METRICS] = {
	[MPPS] = {"mpps", "Mpacket/s"},
	[CPU] = {"cpu_s_per_gb", "s/GB"},
	[LOST] = {"lost", "ppm"},
};

struct tx_case {
	uint32_t size;
	uint32_t destinations;
	enum tx_peer peer;
	unsigned int rounds;
	const char *name[BURSTS];
};

static const uint32_t bursts[BURSTS] = {1, 4, 16, 45};

#define CASE(size, dest, peer, rounds, tail)                                                       \
	{                                                                                          \
		size, dest, peer, rounds,                                                          \
		{                                                                                  \
			"tx-" #size "-" #dest "dest-burst1" tail,                                  \
				"tx-" #size "-" #dest "dest-burst4" tail,                          \
				"tx-" #size "-" #dest "dest-burst16" tail,                         \
				"tx-" #size "-" #dest "dest-burst45" tail                          \
		}                                                                                  \
	}
#define DROPPED(size, dest, rounds) CASE(size, dest, TX_DROPS, rounds, "")
#define RECEIVED(size, dest, rounds) CASE(size, dest, TX_RECEIVES, rounds, "-received")

static const struct tx_case cases[] = {
	DROPPED(1400, 64, 5),	RECEIVED(1400, 64, 3),	DROPPED(64, 1, 3),    DROPPED(512, 1, 3),
	DROPPED(1400, 1, 3),	DROPPED(8900, 1, 3),	DROPPED(64, 256, 3),  DROPPED(512, 256, 3),
	DROPPED(1400, 256, 3),	DROPPED(8900, 256, 3),	RECEIVED(64, 1, 2),   RECEIVED(512, 1, 2),
	RECEIVED(1400, 1, 2),	RECEIVED(8900, 1, 2),	RECEIVED(64, 256, 2), RECEIVED(512, 256, 2),
	RECEIVED(1400, 256, 2), RECEIVED(8900, 256, 2),
};

/* Systems are without UDP's checksum but for those with -csum: see explain(). */
struct tx_system tx_systems[] = {
	{.name = "run", .ops = &tx_xdplace_ops},
	{.name = "run-csum", .ops = &tx_xdplace_ops, .checksum = true},
	{.name = "xsk", .ops = &tx_xdplace_ops, .xsk_engine = true},
	{.name = "sendmmsg", .ops = &tx_socket_ops},
	{.name = "udp-gso", .ops = &tx_socket_ops, .segments = true},
	{.name = "msg-zerocopy", .ops = &tx_socket_ops, .zero_copy = true},
	{.name = "io-uring-zc", .ops = &tx_uring_ops},
	{.name = "afxdp", .ops = &tx_xsk_ops},
	{.name = "afxdp-csum", .ops = &tx_xsk_ops, .checksum = true},
	{.name = "dpdk", .ops = &tx_child_ops, .program = "peer-dpdk-tx"},
};
const size_t tx_system_count = sizeof(tx_systems) / sizeof(tx_systems[0]);

/* What came out for one system with one length of bursts. */
struct slot {
	bool asked;
	bool failed;
	char why[200];
	struct bench_series series[METRICS];
};

static struct slot slots[BURSTS][TX_SYSTEMS_MAX];

static void measure(const struct tx_case *what, struct tx_system *system, uint32_t burst,
		    struct slot *slot)
{
	const struct tx_traffic traffic = {what->size, what->destinations, burst};
	struct tx_trial trial;
	int err;

	*system->why = 0;
	err = tx_try(system, &traffic, &trial);
	if (err) {
		/* What never worked would fail again. */
		slot->failed = !slot->series[MPPS].count;
		snprintf(slot->why, sizeof(slot->why), "%s",
			 *system->why ? system->why : strerror(-err));
		return;
	}
	bench_sample(&slot->series[MPPS], trial.mpps);
	bench_sample(&slot->series[CPU], trial.cpu_s_per_gb);
	bench_sample(&slot->series[LOST], trial.lost);
}

static void run_round(const struct tx_case *what)
{
	struct slot *slot;
	size_t i, system;

	for (system = 0; system < tx_system_count; system++) {
		for (i = 0; i < BURSTS; i++) {
			slot = &slots[i][system];
			if (slot->asked && !slot->failed)
				measure(what, &tx_systems[system], bursts[i], slot);
		}
	}
}

static void report_slot(const char *name, const char *system, size_t metric, struct slot *slot)
{
	bench_report(name, system, metrics[metric].name, metrics[metric].unit,
		     &slot->series[metric]);
	if (slot->failed)
		bench_report_why(slot->why);
}

/* The most packets a second that a system that cares about bursts has with any length of them. */
static void report_best(const struct tx_case *what, size_t system)
{
	struct slot *best = &slots[0][system]; /* if none was measured, with its excuse */
	struct bench_series copy;
	double most = 0, mpps;
	size_t i, metric;

	for (i = 0; i < BURSTS; i++) {
		if (!slots[i][system].asked)
			return;
		copy = slots[i][system].series[MPPS];
		mpps = bench_median(copy.sample, copy.count);
		if (!(mpps > most)) /* not measured: NAN */
			continue;
		most = mpps;
		best = &slots[i][system];
	}
	for (metric = 0; metric < METRICS; metric++)
		report_slot(what->name[0], GSO_BEST, metric, best);
}

static void report(const struct tx_case *what)
{
	size_t i, metric, system;
	struct slot *slot;

	/* First what others are compared with. */
	for (system = 0; system < tx_system_count; system++)
		if (tx_systems[system].segments)
			report_best(what, system);
	for (i = 0; i < BURSTS; i++) {
		for (metric = 0; metric < METRICS; metric++) {
			for (system = 0; system < tx_system_count; system++) {
				slot = &slots[i][system];
				if (!slot->asked)
					continue;
				report_slot(what->name[i], tx_systems[system].name, metric, slot);
			}
		}
	}
	bench_report_table(stdout);
}

/* Is there anything to be measured? */
static bool ask(const struct tx_case *what)
{
	bool any = false;
	size_t i, system;

	memset(slots, 0, sizeof(slots));
	for (i = 0; i < BURSTS; i++) {
		if (!bench_wanted(what->name[i]))
			continue;
		for (system = 0; system < tx_system_count; system++) {
			if (i && !tx_systems[system].segments)
				continue;
			if (bench_only && !strstr(tx_systems[system].name, bench_only))
				continue;
			slots[i][system].asked = true;
			any = true;
		}
	}
	return any;
}

static void explain(void)
{
	bench_note("tx-*: sender, driver and the dropping peer's program on CPU 0; -received: the "
		   "peer's stack on CPU 0, a reader on CPU 1");
	bench_note("tx-*: mpps counts what arrived; lost is of a million that the sender says it "
		   "sent");
	bench_note("tx-*: a veth's kernel sockets leave UDP's checksum to a NIC that there is not: "
		   "nobody computes it; run, xsk, afxdp and dpdk send without; -csum compute it");
	bench_note("tx-*: veth with tx-udp-segmentation off: packets of udp-gso are really cut");
}

static int run_case(const struct tx_case *what)
{
	const struct tx_traffic traffic = {what->size, what->destinations, 1};
	unsigned int round;
	int err = tx_data_open();

	if (!err)
		err = tx_peer_open(what->peer, &traffic);
	if (err)
		return err;
	for (round = 0; round < what->rounds; round++)
		run_round(what);
	tx_peer_close();
	report(what);
	return 0;
}

int bench_tx(void)
{
	size_t i;
	int err = 0;

	for (i = 0; !err && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!ask(&cases[i]) || !tx_possible(cases[i].name[0]))
			continue;
		bench_pin_cpu(0);
		bench_real_time();
		err = run_case(&cases[i]);
		explain();
	}
	tx_data_close();
	return err;
}
