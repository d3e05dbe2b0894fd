/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * xsk.c - one AF_XDP socket over a slice of the UMEM.
 *
 * Each socket registers its slice, and nothing else, as a UMEM of its own: so no socket inherits
 * another's mode, and each goes without asking the others. The fill ring is full before the
 * socket is bound: there are drivers that stop receiving otherwise.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/capability.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "xsk.h"

static uint32_t power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

int xp_xsk_refused(const char *name, uint32_t queue, const char *what, int err)
{
	char caps[96];

	if (err == EPERM)
		return xp_fail(err, "%s queue %u: %s: not permitted%s", name, queue, what,
			       xp_missing_caps(1ull << CAP_NET_RAW, caps, sizeof(caps)));
	if (err == EBUSY)
		return xp_fail(err, "%s queue %u: another AF_XDP socket has it", name, queue);
	if (err == ENOBUFS)
		return xp_fail(err,
			       "%s queue %u: %s: over the limit of locked memory; raise it with "
			       "ulimit -l",
			       name, queue, what);
	return xp_fail(err, "%s queue %u: %s: %s", name, queue, what, strerror(err));
}

static int refused(const struct xp_xsk *xsk, const char *what, int err)
{
	return xp_xsk_refused(xsk->name, xsk->queue, what, err);
}

static int register_slice(struct xdplace *ctx, struct xp_xsk *xsk)
{
	const struct xsk_umem_config config = {
		.fill_size = power_of_two(xsk->slots),
		.comp_size = XP_XSK_FEWEST,
		.frame_size = XP_XSK_CHUNK,
	};
	int err;

	err = xsk_umem__create(&xsk->umem, ctx->umem + xsk->start,
			       (uint64_t)xsk->slots * XP_XSK_CHUNK, &xsk->fill, &xsk->sent,
			       &config);
	return err ? refused(xsk, "register memory with AF_XDP", -err) : 0;
}

/* The last area of a bank is nobody's, also here: the audit says so. */
static void fill(struct xdplace *ctx, struct xp_xsk *xsk)
{
	uint32_t i, at, area;

	for (i = 0; i < xsk->slots; i++) {
		area = (xsk->start + (uint64_t)i * XP_XSK_CHUNK) >> ctx->config.area_shift;
		if (xp_area_guard(&ctx->config, &ctx->layout, area) ||
		    !xsk_ring_prod__reserve(&xsk->fill, 1, &at))
			continue;
		*xsk_ring_prod__fill_addr(&xsk->fill, at) = (uint64_t)i * XP_XSK_CHUNK;
		xsk->chunks++;
	}
	xsk_ring_prod__submit(&xsk->fill, xsk->chunks);
}

static int bind_socket(struct xp_xsk *xsk, bool copy)
{
	const struct xsk_socket_config config = {
		.rx_size = power_of_two(xsk->slots),
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_USE_NEED_WAKEUP | (copy ? XDP_COPY : 0),
	};
	struct xdp_options options = {0};
	socklen_t size = sizeof(options);
	int err;

	err = xsk_socket__create(&xsk->socket, xsk->name, xsk->queue, xsk->umem, &xsk->rx, NULL,
				 &config);
	if (err) {
		xsk->socket = NULL;
		return refused(xsk, "bind an AF_XDP socket", -err);
	}
	if (!getsockopt(xsk_socket__fd(xsk->socket), SOL_XDP, XDP_OPTIONS, &options, &size))
		xsk->zero_copy = options.flags & XDP_OPTIONS_ZEROCOPY;
	return 0;
}

static uint32_t place(const struct xp_xsk *xsk)
{
	return XP_XSK_PLACE(xsk->ifindex % XP_MAX_PORTS, xsk->queue);
}

static int enter(struct xdplace *ctx, struct xp_xsk *xsk)
{
	int fd = xsk_socket__fd(xsk->socket), err;
	uint32_t at = place(xsk);

	err = bpf_map_update_elem(ctx->map[XP_MAP_XSKS], &at, &fd, BPF_ANY);
	if (err)
		return refused(xsk, "enter the socket", -err);
	xsk->entered = true;
	return 0;
}

int xp_xsk_open(struct xdplace *ctx, struct xp_xsk *xsk, bool copy)
{
	int err;

	if (xsk->slots < XP_XSK_FEWEST)
		return xp_fail(
			ENOSPC,
			"%s queue %u: room for %u frames only; make the UMEM larger, or have "
			"fewer lanes",
			xsk->name, xsk->queue, xsk->slots);
	xsk->mine = calloc((xsk->slots + 63) / 64, sizeof(*xsk->mine));
	if (!xsk->mine)
		return xp_fail(ENOMEM, "no memory for a socket");
	err = register_slice(ctx, xsk);
	if (err)
		return err;
	fill(ctx, xsk);
	err = bind_socket(xsk, copy);
	return err ? err : enter(ctx, xsk);
}

void xp_xsk_close(struct xdplace *ctx, struct xp_xsk *xsk)
{
	uint32_t at = place(xsk);

	if (xsk->entered)
		bpf_map_delete_elem(ctx->map[XP_MAP_XSKS], &at);
	if (xsk->socket)
		xsk_socket__delete(xsk->socket);
	if (xsk->umem)
		xsk_umem__delete(xsk->umem);
	free(xsk->mine);
	memset(xsk, 0, sizeof(*xsk));
}

/* What the program wrote in front of the packet; or, should it not be there, what is known. */
static void read_completion(const uint8_t *packet, uint32_t length, uint32_t offset,
			    struct xp_completion *c)
{
	static const struct xp_completion unknown = {
		.opcode = XP_FOREIGN,
		.reason = XP_R_REDIRECTED,
		.flags = XP_FRAME,
		.flow = XP_NONE,
		.header = XP_NONE,
		.data2 = XP_NONE,
	};

	memcpy(c, packet - sizeof(*c), sizeof(*c));
	if (c->flags != XP_FRAME || c->reason != XP_R_REDIRECTED || c->data_len > length) {
		*c = unknown;
		c->data_len = length;
	}
	c->data = offset;
}

uint32_t xp_xsk_take(struct xdplace *ctx, struct xp_xsk *xsk, struct xdplace_frame *frames,
		     size_t count)
{
	const struct xdp_desc *desc;
	uint32_t i, n, at, slot;

	n = xsk_ring_cons__peek(&xsk->rx, count > xsk->slots ? xsk->slots : count, &at);
	for (i = 0; i < n; i++) {
		desc = xsk_ring_cons__rx_desc(&xsk->rx, at + i);
		slot = desc->addr / XP_XSK_CHUNK;
		xsk->mine[slot / 64] |= 1ull << slot % 64;
		frames[i].ifindex = xsk->ifindex;
		frames[i].queue = xsk->queue;
		frames[i].data = ctx->umem + xsk->start + desc->addr;
		read_completion(frames[i].data, desc->len, xsk->start + desc->addr,
				&frames[i].completion);
	}
	if (n)
		xsk_ring_cons__release(&xsk->rx, n);
	xsk->held += n;
	return n;
}

int xp_xsk_give(struct xp_xsk *xsk, uint32_t offset)
{
	uint32_t slot = (offset - xsk->start) / XP_XSK_CHUNK, at;
	uint64_t bit = 1ull << slot % 64;

	if (!(xsk->mine[slot / 64] & bit) || !xsk_ring_prod__reserve(&xsk->fill, 1, &at))
		return -EINVAL;
	xsk->mine[slot / 64] &= ~bit;
	xsk->held--;
	*xsk_ring_prod__fill_addr(&xsk->fill, at) = (uint64_t)slot * XP_XSK_CHUNK;
	xsk->given++;
	return 0;
}

/*
 * Tell the kernel of chunks that came back, and wake a driver that ran out of them. One that runs
 * out right after we looked is woken by the next call: the caller polls again and again.
 */
void xp_xsk_flush(struct xp_xsk *xsk)
{
	if (xsk->given)
		xsk_ring_prod__submit(&xsk->fill, xsk->given);
	xsk->given = 0;
	if (xsk_ring_prod__needs_wakeup(&xsk->fill) && xsk->held < xsk->chunks)
		recvfrom(xsk_socket__fd(xsk->socket), NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

uint32_t xp_xsk_ready(const struct xp_xsk *xsk)
{
	return __atomic_load_n(xsk->rx.producer, __ATOMIC_ACQUIRE) - *xsk->rx.consumer;
}

/* ---- the program without sockets ---- */

static bool moves_meta(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg &&
	       insn->imm == BPF_FUNC_xdp_adjust_meta;
}

/* Calls that are never reached still count as such for the kernel: they become constants. */
int xp_without_meta(struct bpf_program *program)
{
	static const struct bpf_insn refuse = {
		.code = BPF_ALU64 | BPF_MOV | BPF_K,
		.dst_reg = BPF_REG_0,
		.imm = -EOPNOTSUPP,
	};
	size_t i, count = bpf_program__insn_cnt(program);
	struct bpf_insn *insns = calloc(count, sizeof(*insns));
	int err;

	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(program), count * sizeof(*insns));
	for (i = 0; i < count; i++)
		if (moves_meta(&insns[i]))
			insns[i] = refuse;
	err = bpf_program__set_insns(program, insns, count);
	free(insns);
	return err;
}
