/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rx_systems.c - xdplace, a floor, and AF_XDP with a reassembler, on the receiving end; and the
 * list of all systems.
 *
 * In: the interface. Out: for each system how it is attached, what its consumer does over and
 * over, and how many bytes of the streams are in place, in order, by now.
 */
#include <errno.h>
#include <net/if.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "rx.h"
#include "program.skel.h"

#define UMEM_LEAST (64ull << 20)
#define UMEM_MOST (4ull << 30)
#define FLOWS_LEAST 8192u /* there is room for them without asking */
#define SPARE_FLOWS 1024u

static int attach(int prog)
{
	return bpf_xdp_attach(if_nametoindex(RX_RECEIVER), prog, XDP_FLAGS_DRV_MODE, NULL);
}

static void detach(void)
{
	bpf_xdp_detach(if_nametoindex(RX_RECEIVER), XDP_FLAGS_DRV_MODE, NULL);
}

/* ---- xdplace ---- */

/* An area for each flow, some for headers and for what the consumer holds. */
static uint64_t umem_for(uint32_t flows)
{
	uint64_t size = UMEM_LEAST;

	while (size < UMEM_MOST && size < (uint64_t)flows * 5000)
		size *= 2;
	return size;
}

static int placed_open(struct rx_system *system, const struct rx_traffic *traffic,
		       enum rx_wait wait)
{
	struct xdplace_opts opts = {
		.size = sizeof(opts),
		.lanes = 1,
		.umem_size = umem_for(traffic->flows),
		.flows = traffic->flows > FLOWS_LEAST ? traffic->flows + SPARE_FLOWS : 0,
		.no_checksum = !system->verify,
	};
	const struct xdplace_attach_opts attach_opts = {.size = sizeof(attach_opts)};
	int err = bench_placed_open(&system->placed, &opts, "take any");

	if (!err)
		err = xdplace_attach(system->placed.ctx, RX_RECEIVER, &attach_opts);
	if (!err)
		return 0;
	snprintf(system->why, sizeof(system->why), "%s", xdplace_error());
	bench_placed_close(&system->placed);
	return err;
}

static void placed_close(struct rx_system *system)
{
	xdplace_detach(system->placed.ctx, RX_RECEIVER);
	bench_placed_close(&system->placed);
}

static int placed_consume(struct rx_system *system)
{
	return bench_placed_drain(&system->placed);
}

static int placed_sleep(struct rx_system *system)
{
	return xdplace_lane_wait(system->placed.lane, 100);
}

static uint64_t placed_bytes(struct rx_system *system)
{
	return __atomic_load_n(&system->placed.bytes, __ATOMIC_RELAXED);
}

/* Open flows hold areas, and those that lost segments all that their window allows. */
static void placed_reset(struct rx_system *system)
{
	uint64_t bytes = system->placed.bytes;

	do
		while (bench_placed_drain(&system->placed) > 0)
			;
	while (xdplace_lane_flush(system->placed.lane) > 0);
	while (bench_placed_drain(&system->placed) > 0)
		;
	system->placed.bytes = bytes;
}

static const struct rx_ops placed_ops = {
	.open = placed_open,
	.close = placed_close,
	.consume = placed_consume,
	.sleep = placed_sleep,
	.bytes = placed_bytes,
	.reset = placed_reset,
};

/* ---- copy-floor, drop ---- */

static int floor_open(struct rx_system *system, const struct rx_traffic *traffic, enum rx_wait wait)
{
	struct program_bpf *skel = program_bpf__open();
	int err, prog;

	system->floor = skel;
	if (!skel)
		return -errno;
	skel->rodata->bench_pages = 64;
	bpf_map__set_max_entries(skel->maps.bench_memory, 64);
	err = program_bpf__load(skel);
	prog = bpf_program__fd(system->copy ? skel->progs.copy_floor : skel->progs.count);
	if (!err)
		err = attach(prog);
	if (err)
		program_bpf__destroy(skel);
	return err;
}

static void floor_close(struct rx_system *system)
{
	detach();
	program_bpf__destroy(system->floor);
}

static uint64_t floor_bytes(struct rx_system *system)
{
	return __atomic_load_n(&system->floor->bss->bench_copy.packets, __ATOMIC_RELAXED) *
	       system->payload;
}

static const struct rx_ops floor_ops = {
	.open = floor_open,
	.close = floor_close,
	.bytes = floor_bytes,
};

/* ---- afxdp-reassembler ---- */

static int reassembler_open(struct rx_system *system, const struct rx_traffic *traffic,
			    enum rx_wait wait)
{
	int err;

	system->reassembler =
		bench_reassembler_open(RX_RECEIVER, rx_xsks, system->verify, traffic->flows);
	if (!system->reassembler)
		return -errno;
	err = attach(rx_to_socket);
	if (err)
		bench_reassembler_close(system->reassembler);
	return err;
}

static void reassembler_close(struct rx_system *system)
{
	detach();
	bench_reassembler_close(system->reassembler);
}

static void reassembler_reset(struct rx_system *system)
{
	bench_reassembler_forget(system->reassembler);
}

static int reassembler_sleep(struct rx_system *system)
{
	bench_reassembler_sleep(system->reassembler);
	return 0;
}

static int reassembler_consume(struct rx_system *system)
{
	return bench_reassembler_run(system->reassembler);
}

static uint64_t reassembler_bytes(struct rx_system *system)
{
	return bench_reassembler_bytes(system->reassembler);
}

static const struct rx_ops reassembler_ops = {
	.open = reassembler_open,
	.close = reassembler_close,
	.reset = reassembler_reset,
	.sleep = reassembler_sleep,
	.consume = reassembler_consume,
	.bytes = reassembler_bytes,
};

struct rx_system rx_systems[] = {
	{.name = "xdplace", .ops = &placed_ops, .verify = true},
	{.name = "afxdp-reassembler", .ops = &reassembler_ops, .verify = true},
	{.name = "dpdk-gro", .ops = &rx_child_ops, .program = "peer-dpdk"},
	{.name = "libnids",
	 .ops = &rx_child_ops,
	 .program = "peer-libnids",
	 .handshake = true,
	 .stack = true},
	{.name = "tcpflow", .ops = &rx_tcpflow_ops, .stack = true},
	{.name = "kernel-socket", .ops = &rx_socket_ops, .stack = true},
	{.name = "copy-floor", .ops = &floor_ops, .copy = true},
	{.name = "drop", .ops = &floor_ops},
	{.name = "generator", .ops = &rx_mute_ops, .mute = true},
	{.name = "host", .ops = &rx_host_ops, .mute = true, .host = true},
	{.name = "xdplace-nocsum", .ops = &placed_ops},
	{.name = "afxdp-reassembler-nocsum", .ops = &reassembler_ops},
};
const size_t rx_system_count = sizeof(rx_systems) / sizeof(rx_systems[0]);
