/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * veth_systems.c - xdplace, a floor, and AF_XDP with a reassembler, on the receiving end.
 *
 * In: the interface. Out: for each system how it is attached, what its consumer does over and
 * over, and how many bytes of the streams are in place, in order, by now.
 */
#include <errno.h>
#include <net/if.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "veth.h"
#include "program.skel.h"

int veth_xsks = -1;
int veth_to_socket = -1;

static int attach(int prog)
{
	return bpf_xdp_attach(if_nametoindex(VETH_RECEIVER), prog, XDP_FLAGS_DRV_MODE, NULL);
}

static void detach(void)
{
	bpf_xdp_detach(if_nametoindex(VETH_RECEIVER), XDP_FLAGS_DRV_MODE, NULL);
}

/* ---- xdplace ---- */

static int placed_open(struct veth_system *system)
{
	struct xdplace_opts opts = {
		.size = sizeof(opts),
		.lanes = 1,
		.hot = 1024, /* what comes back while the consumer naps is still in the cache */
		.no_checksum = !system->verify,
	};
	const struct xdplace_attach_opts attach_opts = {.size = sizeof(attach_opts)};
	int err = bench_placed_open(&system->placed, &opts);

	if (!err)
		err = xdplace_attach(system->placed.ctx, VETH_RECEIVER, &attach_opts);
	if (!err)
		return 0;
	bench_note("veth-*: %s not measured: %s", system->name, xdplace_error());
	bench_placed_close(&system->placed);
	return err;
}

static void placed_close(struct veth_system *system)
{
	xdplace_detach(system->placed.ctx, VETH_RECEIVER);
	bench_placed_close(&system->placed);
}

static int placed_consume(struct veth_system *system)
{
	return bench_placed_drain(&system->placed);
}

static uint64_t placed_bytes(struct veth_system *system)
{
	return __atomic_load_n(&system->placed.bytes, __ATOMIC_RELAXED);
}

/* Flows that lost segments hold areas, all that their window allows, until holes have aged. */
static void placed_reset(struct veth_system *system)
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

static const struct veth_ops placed_ops = {
	.open = placed_open,
	.close = placed_close,
	.consume = placed_consume,
	.bytes = placed_bytes,
	.reset = placed_reset,
};

/* ---- copy-floor, drop ---- */

static int floor_open(struct veth_system *system)
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

static void floor_close(struct veth_system *system)
{
	detach();
	program_bpf__destroy(system->floor);
}

static uint64_t floor_bytes(struct veth_system *system)
{
	return __atomic_load_n(&system->floor->bss->bench_copy.packets, __ATOMIC_RELAXED) *
	       VETH_PAYLOAD;
}

static const struct veth_ops floor_ops = {
	.open = floor_open,
	.close = floor_close,
	.bytes = floor_bytes,
};

/* ---- afxdp-reassembler ---- */

static int reassembler_open(struct veth_system *system)
{
	int err;

	system->reassembler = bench_reassembler_open(VETH_RECEIVER, veth_xsks, system->verify);
	if (!system->reassembler)
		return -errno;
	err = attach(veth_to_socket);
	if (err)
		bench_reassembler_close(system->reassembler);
	return err;
}

static void reassembler_close(struct veth_system *system)
{
	detach();
	bench_reassembler_close(system->reassembler);
}

static int reassembler_consume(struct veth_system *system)
{
	return bench_reassembler_run(system->reassembler);
}

static uint64_t reassembler_bytes(struct veth_system *system)
{
	return bench_reassembler_bytes(system->reassembler);
}

static const struct veth_ops reassembler_ops = {
	.open = reassembler_open,
	.close = reassembler_close,
	.consume = reassembler_consume,
	.bytes = reassembler_bytes,
};

struct veth_system veth_systems[] = {
	{.name = "xdplace", .ops = &placed_ops, .verify = true},
	{.name = "xdplace-nocsum", .ops = &placed_ops},
	{.name = "copy-floor", .ops = &floor_ops, .copy = true},
	{.name = "drop", .ops = &floor_ops},
	{.name = "afxdp-reassembler", .ops = &reassembler_ops},
	{.name = "afxdp-reassembler-csum", .ops = &reassembler_ops, .verify = true},
};
const size_t veth_system_count = sizeof(veth_systems) / sizeof(veth_systems[0]);
