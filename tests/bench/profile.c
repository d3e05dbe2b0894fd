/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * profile.c - what a packet's time is made of.
 *
 * In: nothing. Out: on stdout a table of parts, each the difference of two measurements of which
 * one leaves something out, and what the CPU's counters say where the kernel lets bpftool read
 * them. Parts overlap in a modern CPU: their sum is the whole because the last part is the rest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "program.h"
#include "program.skel.h"

#define ROUNDS 15u
#define SLICES 150u
#define COUNTER_SECONDS 1

enum probe {
	EMPTY,
	COPY, /* of the payload, hot pages */
	ACK,  /* no payload, checksums not looked at */
	ACK_CSUM,
	ONE, /* one flow, checksums not looked at */
	ONE_CSUM,
	TWO,  /* two flows in turn */
	MANY, /* a thousand */
	PROBES
};

static const struct {
	const char *name;
	struct program_traffic traffic;
	bool placed;
	bool no_checksum;
} probes[PROBES] = {
	[EMPTY] = {"empty", {1, 1514, 1460, 0, 0}, false, false},
	[COPY] = {"copy-floor", {1, 1514, 1460, 0, 0}, false, false},
	[ACK] = {"pure ACK, checksums not verified", {1, 64, 0, 0, 0}, true, true},
	[ACK_CSUM] = {"pure ACK", {1, 64, 0, 0, 0}, true, false},
	[ONE] = {"1460 bytes of one flow, checksums not verified",
		 {1, 1514, 1460, 0, 0},
		 true,
		 true},
	[ONE_CSUM] = {"1460 bytes of one flow", {1, 1514, 1460, 0, 0}, true, false},
	[TWO] = {"1460 bytes, two flows in turn", {2, 1514, 1460, 0, 0}, true, false},
	[MANY] = {"1460 bytes, 1000 flows in turn", {1000, 1514, 1460, 0, 0}, true, false},
};

struct profile {
	struct program_stand stand;
	struct program_system system[PROBES];
	struct bench_placed placed[PROBES];
	double ns[PROBES];
};

static int open_probe(struct profile *profile, enum probe i)
{
	struct program_system *system = &profile->system[i];
	struct xdplace_opts opts = {
		.size = sizeof(opts),
		.lanes = 1,
		.flow_age_ms = UINT32_MAX,
		.no_checksum = probes[i].no_checksum,
	};
	int err;

	system->name = probes[i].name;
	if (!probes[i].placed) {
		system->prog = bpf_program__fd(i == EMPTY ? profile->stand.skel->progs.empty
							  : profile->stand.skel->progs.copy_floor);
		return program_start(&profile->stand, system, &probes[i].traffic);
	}
	err = bench_placed_open(&profile->placed[i], &opts, "take tcp");
	if (err) {
		fprintf(stderr, "bench: %s\n", xdplace_error());
		return err;
	}
	system->placed = &profile->placed[i];
	system->prog = bench_placed_prog(&profile->placed[i]);
	return program_start(&profile->stand, system, &probes[i].traffic);
}

static int measure(struct profile *profile)
{
	struct bench_series alone = {.count = 0};
	unsigned int round, i;
	double ns, turn;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < PROBES; i++) {
			ns = program_measure(&profile->stand, &profile->system[i], SLICES);
			if (ns < 0)
				return ns;
			bench_sample(&profile->system[i].series, ns);
		}
		bench_sample(&alone,
			     program_measure_empty(&profile->stand, &profile->system[EMPTY]));
	}
	for (i = 0; i < PROBES; i++)
		profile->ns[i] = bench_median(profile->system[i].series.sample, ROUNDS);
	turn = profile->ns[EMPTY] - bench_median(alone.sample, ROUNDS);
	for (i = 0; i < PROBES; i++)
		profile->ns[i] -= turn;
	return 0;
}

static void print_part(const char *text, double ns)
{
	printf("  %-66s %7.1f ns\n", text, ns);
}

static void print(const struct profile *profile)
{
	const double *ns = profile->ns;
	double copy = ns[COPY] - ns[EMPTY];
	double ack = ns[ACK] - ns[EMPTY];
	unsigned int i;

	puts("Measured (BPF_PROG_TEST_RUN, consumer keeping up):");
	for (i = 0; i < PROBES; i++)
		print_part(probes[i].name, ns[i]);
	puts("\nSo a segment of 1460 bytes in order, of the flow of the packet before, takes");
	print_part("to get into a program and out again", ns[EMPTY]);
	print_part("to parse, find the flow, store the header, tell the consumer", ack);
	print_part("to copy the payload into areas in the cache", copy);
	print_part("to verify its checksums", ns[ONE_CSUM] - ns[ONE]);
	print_part("to advance the stream, take areas and hand them over (the rest)",
		   ns[ONE] - ns[EMPTY] - ack - copy);
	print_part("altogether", ns[ONE_CSUM]);
	puts("and more");
	print_part("if it is of another flow than the packet before: hash look-up",
		   ns[TWO] - ns[ONE_CSUM]);
	print_part("if there are 1000 flows: their state and areas are not in the cache",
		   ns[MANY] - ns[TWO]);
}

static uint32_t program_id(int prog)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(prog, &info, &len) ? 0 : info.id;
}

/* The program runs while bpftool, in another process, counts. */
static void counters(struct profile *profile)
{
	struct program_system *system = &profile->system[ONE_CSUM];
	double end = bench_now() + COUNTER_SECONDS + 1;
	char line[256];
	FILE *tool;

	snprintf(line, sizeof(line),
		 "PATH=$PATH:/usr/sbin:/sbin bpftool prog profile id %u duration %d cycles "
		 "instructions l1d_loads llc_misses 2>&1",
		 program_id(system->prog), COUNTER_SECONDS);
	puts("\nbpftool prog profile of `1460 bytes of one flow`:");
	fflush(stdout);
	tool = popen(line, "re");
	if (!tool)
		return;
	while (bench_now() < end)
		if (program_measure(&profile->stand, system, SLICES) < 0)
			break;
	while (fgets(line, sizeof(line), tool))
		printf("  %s", line);
	if (pclose(tool))
		puts("  (not possible here: the kernel must let it attach to programs and have "
		     "counters of the CPU)");
}

int bench_profile(void)
{
	static struct profile profile;
	int err;
	unsigned int i;

	bench_pin_cpu(0);
	err = program_stand_open(&profile.stand, 64, false);
	if (err)
		return err;
	for (i = 0; !err && i < PROBES; i++)
		err = open_probe(&profile, i);
	if (!err)
		err = measure(&profile);
	if (!err) {
		print(&profile);
		counters(&profile);
	}
	for (i = 0; i < PROBES; i++)
		bench_placed_close(&profile.placed[i]);
	program_stand_close(&profile.stand);
	return err;
}
