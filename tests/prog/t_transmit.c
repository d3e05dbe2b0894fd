/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * t_transmit.c - the program that makes packets: each run lends it a frame, as a write would, but
 * gives the frame back instead of sending it. What drivers say is put into the mouths of the
 * programs behind tracepoints.
 *
 * The requirements that a test shows stand in brackets above it. Checksums are verified by a sum
 * of this file's own; whose turn it is, by counting.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include <xdplace/transmit.h>

#include "../random.h"
#include "context.h"
#include "face.h"
#include "stand.h"
#include "suites.h"
#include "transmit.h"
#include "transmit.skel.h"

#define MEMORY (1u << 20)
#define GUARD 4096u
#define DESTINATIONS 64u
#define ENTRIES 256u
#define IFINDEX 0 /* a tracepoint's device that can't be read has this one */
#define FRAME 3520u

static struct transmit_bpf *skel;
static uint8_t *memory;
static struct xp_tx_destination *destinations;
static struct xp_tx_entry *entries;
static struct xp_tx_job *job;

static uint8_t frame[FRAME];
static uint32_t frame_length;

/* ---- the stand ---- */

static void *map_all(const struct bpf_map *map, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	ck_assert_msg(p != MAP_FAILED, "map %s: %s", bpf_map__name(map), strerror(errno));
	return p;
}

static void load(uint32_t csum_step)
{
	cpu_set_t one;
	size_t i;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	skel = transmit_bpf__open();
	ck_assert_ptr_nonnull(skel);
	skel->rodata->xp_tx_config = (struct xp_tx_config){
		.bank_shift = 20,
		.csum_step = csum_step,
		.counted = 1,
	};
	bpf_map__set_value_size(skel->maps.xp_umem, MEMORY);
	bpf_map__set_max_entries(skel->maps.xp_tx_dests, DESTINATIONS);
	bpf_map__set_max_entries(skel->maps.xp_tx_entries, ENTRIES);
	ck_assert_int_eq(transmit_bpf__load(skel), 0);
	memory = map_all(skel->maps.xp_umem, MEMORY);
	destinations = map_all(skel->maps.xp_tx_dests, DESTINATIONS * sizeof(*destinations));
	entries = map_all(skel->maps.xp_tx_entries, ENTRIES * sizeof(*entries));
	job = map_all(skel->maps.xp_tx_job, sizeof(*job));
	for (i = 0; i < MEMORY; i++)
		memory[i] = i * 2654435761u >> 16;
}

static void start(void)
{
	load(xp_probe_csum_step());
}

static void stop(void)
{
	munmap(memory, MEMORY);
	munmap(destinations, DESTINATIONS * sizeof(*destinations));
	munmap(entries, ENTRIES * sizeof(*entries));
	munmap(job, sizeof(*job));
	transmit_bpf__destroy(skel);
}

/* One run: its action; `frame` is what it made. */
static uint32_t run(void)
{
	static uint8_t empty[FRAME];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = empty, .data_size_in = sizeof(empty),
		    .data_out = frame, .data_size_out = sizeof(frame), .repeat = 1);

	ck_assert_int_eq(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.xp_transmit), &opts),
			 0);
	frame_length = opts.data_size_out;
	return opts.retval;
}

/* A driver took `sent` of the frames, and says `err`. */
static void driver_says(int sent, int err)
{
	uint64_t args[5] = {0, 0, sent, 0, err};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));

	ck_assert_int_eq(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.xp_sent), &opts), 0);
}

static void redirect_fails(int err)
{
	uint64_t args[4] = {0, 0, 0, err};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));

	ck_assert_int_eq(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.xp_lost), &opts), 0);
}

static struct xp_face_plan plan_of(uint32_t i)
{
	struct xp_face_plan plan = {
		.sport = htons(4711),
		.dport = htons(1000 + i),
		.ttl = 64,
		.mac = {2, 0, 0, 0, 0, 2},
		.source_mac = {2, 0, 0, 0, 0, 1},
		.ifindex = IFINDEX,
		.mtu = 1500,
		.frame = FRAME,
	};

	plan.to.family = plan.from.family = AF_INET;
	inet_pton(AF_INET, "192.0.2.1", &plan.from.byte);
	inet_pton(AF_INET, "192.0.2.2", &plan.to.byte);
	return plan;
}

static void set_destination(uint32_t i, const struct xp_face_plan *plan, uint32_t weight)
{
	memset(&destinations[i], 0, sizeof(destinations[i]));
	ck_assert_int_eq(xp_face_build(plan, &destinations[i].face[0]), 0);
	destinations[i].weight = weight;
}

/* Entries 0..count-1, each of a destination of its own, in a ring. */
static void ring(uint32_t count, uint32_t length)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		entries[i] = (struct xp_tx_entry){
			.at = i * 128,
			.left = length,
			.next = (i + 1) % count,
			.chain = XP_TX_NONE,
			.destination = i,
		};
	*job = (struct xp_tx_job){.before = count - 1, .ring = count};
}

/* ---- what a packet is ---- */

static uint32_t sum_of(const uint8_t *p, uint32_t length, uint32_t sum)
{
	uint32_t i;

	for (i = 0; i < length; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

/* A UDP packet with all its lengths and checksums right, at `l3`; the offset of its data. */
static uint32_t check_packet(uint32_t l3)
{
	const uint8_t *ip = frame + l3, *udp = ip + (ip[0] >> 4 == 6 ? 40 : 20);
	uint32_t left = frame_length - (udp - frame), sum;

	if (ip[0] >> 4 == 6) {
		ck_assert_uint_eq(get16(ip + 4), left);
		sum = sum_of(ip + 8, 32, 17 + left);
	} else {
		ck_assert_uint_eq(ip[0], 0x45);
		ck_assert_uint_eq(get16(ip + 2), left + 20);
		ck_assert_uint_eq(sum_of(ip, 20, 0), 0xffff);
		sum = sum_of(ip + 12, 8, 17 + left);
	}
	ck_assert_uint_eq(get16(udp + 4), left);
	if (get16(udp + 6) || ip[0] >> 4 == 6)
		ck_assert_uint_eq(sum_of(udp, left, sum), 0xffff);
	return udp + 8 - frame;
}

static void check_data(uint32_t offset, uint64_t at, uint32_t length)
{
	ck_assert_uint_eq(frame_length, offset + length);
	ck_assert_msg(!memcmp(frame + offset, memory + at, length), "%u bytes at %llu differ",
		      length, (unsigned long long)at);
}

/* ---- tests ---- */

/* Entries of all lengths around a packet's, at all alignments, cut and with right sums [T2 T3 T5].
 */
START_TEST(test_lengths)
{
	static const uint32_t lengths[] = {0,	1,    2,    3,	  4,	511,  512,
					   513, 1471, 1472, 1473, 2945, 65537};
	uint32_t length = lengths[_i], align, at, n, l4;
	struct xp_face_plan plan = plan_of(0);

	set_destination(0, &plan, 1);
	for (align = 0; align < 4; align++) {
		ring(1, length);
		entries[0].at = at = 8192 + align;
		do {
			n = entries[0].left < 1472 ? entries[0].left : 1472;
			ck_assert_uint_eq(run(), XDP_REDIRECT);
			l4 = check_packet(14);
			check_data(l4, at, n);
			at += n;
		} while (job->ring);
		ck_assert_uint_eq(at, 8192 + align + length);
		ck_assert_uint_eq(run(), XDP_DROP);
	}
	ck_assert_uint_eq(destinations[0].bytes, 4ull * length);
}
END_TEST

/* The same where sums are taken in steps of 512 bytes, as on 6.1 [T3 T5]. */
START_TEST(test_steps)
{
	struct xp_face_plan plan = plan_of(0);
	uint32_t length;

	stop();
	load(512);
	plan.mtu = 9000;
	set_destination(0, &plan, 1);
	for (length = 1; length < FRAME - 42; length += 61) {
		ring(1, length);
		ck_assert_uint_eq(run(), XDP_REDIRECT);
		check_data(check_packet(14), 0, length);
	}
	/* Where tests do not fork, those that follow want theirs. */
	stop();
	start();
}
END_TEST

/* IPv6, tags, RTP, and no checksum where IPv4 may go without [T5 T8]. */
START_TEST(test_headers)
{
	struct xp_face_plan plan = plan_of(0);
	uint32_t l3 = 14, data, k;

	plan.rtp = _i & 1;
	plan.rtp_type = 33;
	plan.rtp_ssrc = 0x01020304;
	plan.no_checksum = _i & 8;
	for (plan.tags = (_i >> 1 & 3) % 3; l3 < 14 + 4 * plan.tags; l3 += 4) {
		plan.tag[l3 / 4 - 3].ethertype = htons(0x8100);
		plan.tag[l3 / 4 - 3].vlan = 7;
	}
	if (_i & 16) {
		plan.to.family = plan.from.family = AF_INET6;
		inet_pton(AF_INET6, "2001:db8::1", &plan.from.byte);
		inet_pton(AF_INET6, "2001:db8::2", &plan.to.byte);
	}
	set_destination(0, &plan, 1);
	destinations[0].sequence = 65535;
	ring(1, 2000);
	entries[0].timestamp = 0xfffffff0;
	entries[0].flags = XP_TX_MARKER;
	for (k = 0; k < 2; k++) {
		ck_assert_uint_eq(run(), XDP_REDIRECT);
		data = check_packet(l3);
		if (!plan.rtp)
			continue;
		ck_assert_uint_eq(frame[data], 0x80);
		ck_assert_uint_eq(frame[data + 1], k ? 0x80 | 33 : 33);
		ck_assert_uint_eq(get16(frame + data + 2), k ? 0 : 65535);
		ck_assert_uint_eq(get16(frame + data + 4) << 16 | get16(frame + data + 6),
				  0xfffffff0);
		ck_assert_uint_eq(get16(frame + data + 8) << 16 | get16(frame + data + 10),
				  0x01020304);
	}
	ck_assert_uint_eq(job->ring, 0);
}
END_TEST

/* The second packet of a destination goes after the first of every other [T4]. */
START_TEST(test_turns)
{
	struct xp_face_plan plan;
	uint32_t i, round;

	for (i = 0; i < DESTINATIONS; i++) {
		plan = plan_of(i);
		set_destination(i, &plan, 1);
	}
	ring(DESTINATIONS, 5 * 1472);
	for (round = 0; round < 5; round++)
		for (i = 0; i < DESTINATIONS; i++) {
			ck_assert_uint_eq(run(), XDP_REDIRECT);
			ck_assert_uint_eq(get16(frame + 36), 1000 + i);
			ck_assert_uint_eq(get16(frame + 18), round);
		}
	ck_assert_uint_eq(run(), XDP_DROP);
}
END_TEST

/* What each destination still has to send, by a list of its own. */
struct expected {
	uint32_t entry[ENTRIES];
	uint32_t count;
	uint32_t next;
	uint32_t packets; /* of the one at `next` */
};

/* Chains, weights and ends of all lengths, against counting [T4]. */
START_TEST(test_turns_at_random)
{
	static struct expected expected[DESTINATIONS];
	uint32_t i, d, w, count, used, head[DESTINATIONS], last[DESTINATIONS], order[DESTINATIONS];
	uint64_t random = 88172645463325252ull + _i;
	struct xp_face_plan plan;
	struct expected *e;

	memset(expected, 0, sizeof(expected));
	for (i = 0; i < DESTINATIONS; i++) {
		plan = plan_of(i);
		plan.payload = 64;
		set_destination(i, &plan, 1 + random_below(&random, 3));
	}
	count = 1 + random_below(&random, ENTRIES);
	for (i = used = 0; i < count; i++) {
		d = random_below(&random, DESTINATIONS);
		e = &expected[d];
		entries[i] = (struct xp_tx_entry){
			.at = i,
			.left = random_below(&random, 400),
			.chain = XP_TX_NONE,
			.destination = d,
		};
		if (e->count)
			entries[last[d]].chain = i;
		else
			head[used] = i, order[used++] = d;
		last[d] = i;
		e->entry[e->count++] = i;
	}
	for (i = 0; i < used; i++)
		entries[head[i]].next = head[(i + 1) % used];
	*job = (struct xp_tx_job){.at = head[0], .before = head[used - 1], .ring = used};
	for (d = 0; d < used; d++) {
		e = &expected[order[d]];
		for (i = 0; i < e->count; i++)
			e->packets += entries[e->entry[i]].left
					      ? (entries[e->entry[i]].left + 63) / 64
					      : 1;
	}
	for (i = 1; i;)
		for (i = d = 0; d < used; d++) {
			e = &expected[order[d]];
			for (w = 0; w < destinations[order[d]].weight && e->packets; w++, i++) {
				e->packets--;
				ck_assert_uint_eq(run(), XDP_REDIRECT);
				ck_assert_uint_eq(get16(frame + 36), 1000 + order[d]);
				check_packet(14);
			}
		}
	ck_assert_uint_eq(run(), XDP_DROP);
	ck_assert_uint_eq(job->ring, 0);
}
END_TEST

/* Make `count` packets; remember the first bytes of each. */
static void make(uint32_t count, uint8_t made[][64])
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		ck_assert_uint_eq(run(), XDP_REDIRECT);
		memcpy(made[i], frame, 64);
	}
}

/* What a driver refused is made again, the same, in order, and before anything new [T6]. */
START_TEST(test_refused)
{
	static uint8_t first[XP_TX_BATCH][64], again[XP_TX_BATCH][64];
	struct xp_face_plan plan = plan_of(0);

	set_destination(0, &plan, 1);
	ring(1, 100 * 1472);
	make(5, first);
	driver_says(5, 0);
	make(XP_TX_BATCH, first);
	driver_says(10, 0);
	ck_assert_uint_eq(job->packets, 15);
	ck_assert_uint_eq(job->again - job->retried, 6);
	make(6, again);
	ck_assert_int_eq(memcmp(first + 10, again, 6 * 64), 0);
	ck_assert_uint_eq(job->again, job->retried);
	driver_says(0, -EBUSY);
	make(6, again);
	ck_assert_int_eq(memcmp(first + 10, again, 6 * 64), 0);
	driver_says(6, 0);
	ck_assert_uint_eq(job->packets, 21);
	ck_assert_uint_eq(job->retries, 6);
	make(1, again);
	ck_assert_uint_eq(get16(again[0] + 18), 21);
	ck_assert_uint_eq(destinations[0].packets, 22);
	ck_assert_uint_eq(job->failed, 0);
}
END_TEST

/* An error of the driver's, or on the way to it, is told, and not tried again [T6]. */
START_TEST(test_errors)
{
	static uint8_t made[XP_TX_BATCH][64];
	struct xp_face_plan plan = plan_of(0);

	set_destination(0, &plan, 1);
	ring(1, 100 * 1472);
	make(4, made);
	redirect_fails(-ENETDOWN);
	ck_assert_uint_eq(job->failed, 1);
	ck_assert_uint_eq(job->error, ENETDOWN);
	driver_says(1, -ENXIO);
	ck_assert_uint_eq(job->packets, 1);
	ck_assert_uint_eq(job->failed, 3);
	ck_assert_uint_eq(destinations[0].refused, 3);
	ck_assert_uint_eq(destinations[0].refused_bytes, 3 * 1472);
	ck_assert_uint_eq(job->error, ENETDOWN);
	ck_assert_uint_eq(job->again, job->retried);
	driver_says(5, 0); /* of somebody else's frames */
	ck_assert_uint_eq(job->packets, 1);
}
END_TEST

/* A destination that can't be sent to leaves the ring; the others go on [T1 T6]. */
START_TEST(test_destination_lost)
{
	struct xp_face_plan plan;
	uint32_t i;

	for (i = 0; i < 3; i++) {
		plan = plan_of(i);
		set_destination(i, &plan, 1);
	}
	ring(3, 3 * 1472);
	ck_assert_uint_eq(run(), XDP_REDIRECT);
	destinations[1].face[0].error = EHOSTUNREACH;
	ck_assert_uint_eq(run(), XDP_DROP);
	ck_assert_uint_eq(entries[1].error, EHOSTUNREACH);
	ck_assert_uint_eq(entries[1].left, 3 * 1472);
	for (i = 0; i < 5; i++) {
		ck_assert_uint_eq(run(), XDP_REDIRECT);
		ck_assert_uint_eq(get16(frame + 36), i & 1 ? 1000 : 1002);
	}
	ck_assert_uint_eq(job->ring, 0);
}
END_TEST

/* A face that changes: packets are of one or the other, and of the new MTU [T3]. */
START_TEST(test_face_changes)
{
	struct xp_face_plan plan = plan_of(0);

	set_destination(0, &plan, 1);
	ring(1, 4000);
	ck_assert_uint_eq(run(), XDP_REDIRECT);
	plan.mtu = 576;
	plan.mac[5] = 9;
	ck_assert_int_eq(xp_face_build(&plan, &destinations[0].face[1]), 0);
	destinations[0].active = 1;
	ck_assert_uint_eq(run(), XDP_REDIRECT);
	ck_assert_uint_eq(frame_length, 590);
	ck_assert_uint_eq(frame[5], 9);
	check_data(check_packet(14), 1472, 548);
}
END_TEST

/* Garbage in all that user space can write: nothing but such packets comes of it [T2]. */
START_TEST(test_hostile)
{
	uint64_t random = 1234567;
	uint32_t i, k, action;
	uint8_t *p;

	for (i = 0; i < 20000; i++) {
		for (k = 0; k < 8; k++) {
			p = k & 1 ? (uint8_t *)&entries[random_below(&random, ENTRIES)]
				  : (uint8_t *)&destinations[random_below(&random, DESTINATIONS)];
			p[random_below(&random, k & 1 ? sizeof(*entries) : sizeof(*destinations))] =
				random_next(&random);
		}
		p = (uint8_t *)job;
		if (!(i & 3))
			p[random_below(&random, sizeof(*job))] = random_next(&random);
		if (!(i & 15))
			ring(DESTINATIONS, random_below(&random, 1u << 25));
		action = run();
		ck_assert_msg(action == XDP_DROP || action == XDP_REDIRECT, "action %u", action);
		if (!(i & 63))
			driver_says(random_below(&random, 32), random_next(&random));
	}
}
END_TEST

static int map_of(uint32_t size, uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "xpt_memory", 4, size, 1, &opts);
}

/* The errno of opening a transmitter on the application's memory, 0: it could be. */
static int open_on(int fd, enum xdplace_tx_engine engine)
{
	const struct xdplace_tx_opts opts = {
		.size = sizeof(opts),
		.engine = engine,
		.memory_fd = fd,
	};
	struct xdplace_tx *tx = xdplace_tx_open(NULL, &opts);
	int err = tx ? 0 : errno;
	size_t size;

	if (tx) {
		ck_assert_ptr_nonnull(xdplace_tx_memory(tx, &size));
		ck_assert_uint_eq(size, MEMORY - GUARD);
	}
	xdplace_tx_close(tx);
	close(fd);
	return err;
}

static int file_of(uint32_t size)
{
	int fd = memfd_create("xpt_memory", 0);

	ck_assert_int_eq(ftruncate(fd, size), 0);
	return fd;
}

/* Memory of the application's: what each engine takes, and what none does [T2]. */
START_TEST(test_memory_of_others)
{
	ck_assert_int_eq(open_on(map_of(MEMORY, BPF_F_MMAPABLE), XDPLACE_TX_RUN), 0);
	ck_assert_int_eq(open_on(map_of(MEMORY, BPF_F_MMAPABLE), XDPLACE_TX_XSK), 0);
	ck_assert_int_eq(open_on(file_of(MEMORY), XDPLACE_TX_XSK), 0);
	ck_assert_int_eq(open_on(file_of(MEMORY), XDPLACE_TX_RUN), EOPNOTSUPP);
	ck_assert_int_eq(open_on(map_of(MEMORY, 0), XDPLACE_TX_XSK), EINVAL);
	ck_assert_int_eq(open_on(file_of(MEMORY - 4096), XDPLACE_TX_XSK), EINVAL);
	ck_assert_int_eq(open_on(file_of(4096), XDPLACE_TX_XSK), EINVAL);
}
END_TEST

Suite *suite_transmit(void)
{
	Suite *s = suite_create("transmit");
	TCase *tc = tcase_create("run");

	tcase_add_unchecked_fixture(tc, start, stop);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_lengths, 0, 13);
	tcase_add_test(tc, test_steps);
	tcase_add_loop_test(tc, test_headers, 0, 32);
	tcase_add_test(tc, test_turns);
	tcase_add_loop_test(tc, test_turns_at_random, 0, 20);
	tcase_add_test(tc, test_refused);
	tcase_add_test(tc, test_errors);
	tcase_add_test(tc, test_destination_lost);
	tcase_add_test(tc, test_face_changes);
	tcase_add_test(tc, test_memory_of_others);
	tcase_add_test(tc, test_hostile);
	suite_add_tcase(s, tc);
	return s;
}
